"""Reads the usage of a Supabase project's machine from its Prometheus endpoint. Raises SourceError("Supabase", …).

https://supabase.com/docs/guides/telemetry/metrics. Only the few series that are shown are parsed.
"""

from __future__ import annotations

import asyncio
import math

import httpx
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from services.clients.tls import trusted_authorities
from services.domain.errors import SourceError
from services.domain.secrets import Secret
from services.domain.usage import Usage

SOURCE = "Supabase"
PATH = "/customer/v1/privileged/metrics"
USER = "service_role"
MAX_BYTES = 4_000_000  # an answer has about 200 series per disk, network device and setting
DATA = "/data"  # the mount point of the database's disk
_TOTAL, _AVAILABLE = "node_memory_MemTotal_bytes", "node_memory_MemAvailable_bytes"
_SIZE, _FREE = "node_filesystem_size_bytes", "node_filesystem_avail_bytes"
_LOAD = "node_load1"
_GB = 1e9


class SupabaseClient:
    """Client of one project. Uses a new connection per request, as these are minutes apart. Follows no redirect.

    Close it with `aclose`.
    """

    def __init__(
        self, url: str, key: Secret, *, timeout_s: float = 5.0, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._timeout_s = timeout_s
        self._http = httpx.AsyncClient(
            base_url=url,
            auth=(USER, key.reveal()),
            timeout=timeout_s,
            follow_redirects=False,
            verify=trusted_authorities(),
            transport=transport,
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    async def aclose(self) -> None:
        await self._http.aclose()

    async def read_usage(self) -> Usage:
        """Return memory, the load of the last minute as CPU, and disk; None for what is not reported."""
        try:
            async with asyncio.timeout(self._timeout_s):  # httpx limits each read, not the whole call
                text = await self._read()
        except TimeoutError:
            raise SourceError(SOURCE, f"no answer within {self._timeout_s:g} s", retryable=True) from None
        except httpx.HTTPError as error:
            raise SourceError(SOURCE, f"not reachable ({type(error).__name__})", retryable=True) from None
        return parse_usage(text)

    async def _read(self) -> str:
        async with self._http.stream("GET", PATH) as answer:
            if not answer.is_success:
                why = "SUPABASE_METRICS_KEY is refused" if answer.status_code in (401, 403) else "refused"
                status = answer.status_code
                raise SourceError(SOURCE, f"{why} ({status})", retryable=status >= 500, http_status=status)
            body = b""
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > MAX_BYTES:
                    raise SourceError(SOURCE, "the answer is too long")
        return body.decode("utf-8", "replace")


def parse_usage(text: str) -> Usage:
    """Parse the usage. Raises SourceError for a text that can't be parsed."""
    wanted = (_TOTAL, _AVAILABLE, _SIZE, _FREE, _LOAD)
    lines = [line for line in text.splitlines() if line.startswith(wanted)]
    try:
        families = list(text_string_to_metric_families("\n".join(lines) + "\n"))
    except ValueError:
        raise SourceError(SOURCE, "the metrics can't be read", retryable=True) from None
    samples = [sample for family in families for sample in family.samples]
    total, available = _first(samples, _TOTAL), _first(samples, _AVAILABLE)
    size, free = _of_data(samples, _SIZE), _of_data(samples, _FREE)
    return Usage(
        memory_gb=None if total is None or available is None else (total - available) / _GB,
        memory_limit_gb=None if total is None else total / _GB,
        cpu=_first(samples, _LOAD),
        disk_gb=None if size is None or free is None else (size - free) / _GB,
    )


def _first(samples: list[Sample], name: str) -> float | None:
    """The first finite value; None for NaN or infinity, which is how Prometheus reports a missing value."""
    return next((float(one.value) for one in samples if one.name == name and math.isfinite(one.value)), None)


def _of_data(samples: list[Sample], name: str) -> float | None:
    """The value for the database's disk; None if it is not listed."""
    return _first([one for one in samples if one.labels.get("mountpoint") == DATA], name)
