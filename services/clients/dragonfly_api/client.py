"""The API of the operated system in domain types; one reader per system knows its endpoints and answers."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Protocol, Self

import httpx

from services.clients.dragonfly_api.civil import CivilReader
from services.clients.dragonfly_api.http import SOURCE, ApiAnswer, ApiHttp, parse_answer
from services.clients.dragonfly_api.runbook import RunbookReader
from services.domain.batches import Batch
from services.domain.errors import SourceError
from services.domain.health import ApiHealth, Endpoint, IntakeHealth
from services.domain.secrets import Secret
from services.domain.systems import CIVIL, RUNBOOK


class ApiReader(Protocol):
    """Reads the API of one system. None stands for what a system does not report; every method raises SourceError."""

    async def read_health(self, http: ApiHttp) -> ApiHealth:
        """Return the API's status, its environment and commit, and whether it reaches its database."""

    async def read_intake_health(self, http: ApiHttp) -> IntakeHealth:
        """Return whether the intake answers, how many jobs are pending, and when the last batch came."""

    async def upload_csv(self, http: ApiHttp, name: str, content: bytes, source_system: str, *, mark: bool) -> str:
        """Upload one file and return its batch id. `mark`: flag it as our test data, if the system has such a flag."""

    async def read_batch(self, http: ApiHttp, batch_id: str) -> Batch:
        """Return the batch with its row counts so far."""


READERS: Mapping[str, ApiReader] = {RUNBOOK.name: RunbookReader(), CIVIL.name: CivilReader()}


class DragonflyApi:
    """The API at `base_url` of the system named `system`; close it with `aclose()`, or use it in an `async with`.

    Every method raises `SourceError("API", …)` when no usable answer comes within `timeout_s` seconds.
    """

    def __init__(
        self,
        base_url: str,
        api_key: Secret | None,
        *,
        system: str,
        timeout_s: float = 5.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._http = ApiHttp(base_url, api_key, timeout_s=timeout_s, transport=transport)
        self.system = system

    async def read_health(self) -> ApiHealth:
        """Return the API's health. A 503 with the usual body counts: the API is alive, its database is not."""
        return await self._reader.read_health(self._http)

    async def read_intake_health(self) -> IntakeHealth:
        """Return the intake's health. A 503 with the usual body counts as an answer."""
        return await self._reader.read_intake_health(self._http)

    async def read_endpoints(self) -> frozenset[Endpoint]:
        """List the endpoints in `GET /openapi.json`, requested with our key if there is one.

        Raises SourceError if the document is refused.
        """
        headers = self._http.key_header_if_known()
        response, _ = await self._http.send("GET", "openapi.json", accept=(200,), headers=headers)
        paths = parse_answer(_OpenApiAnswer, response).paths
        return frozenset(Endpoint(method.upper(), path) for path, methods in paths.items() for method in methods)

    async def upload_csv(
        self, name: str, content: bytes, source_system: str = "simplicity", *, is_golden_path: bool = False
    ) -> str:
        """Upload one file and return its batch id. Not retried on failure.

        `is_golden_path` flags it as our test data, which is never enforced, if the system has such a flag.
        """
        return await self._reader.upload_csv(self._http, name, content, source_system, mark=is_golden_path)

    async def read_batch(self, batch_id: str) -> Batch:
        """Return the batch with its row counts so far."""
        return await self._reader.read_batch(self._http, batch_id)

    async def aclose(self) -> None:
        """Close the connections; calling it twice is harmless."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    @property
    def _reader(self) -> ApiReader:
        reader = READERS.get(self.system)
        if reader is None:
            raise SourceError(SOURCE, f"the API of the system {self.system} cannot be read: it has no reader")
        return reader


class _OpenApiAnswer(ApiAnswer):
    paths: dict[str, dict[str, Any]]
