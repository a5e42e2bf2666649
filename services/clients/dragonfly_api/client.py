"""The API of the operated system, in the words of the domain: one reader per system knows its endpoints and answers."""

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
    """How one system's API is asked. What a system does not report is None; every method raises SourceError."""

    async def read_health(self, http: ApiHttp) -> ApiHealth:
        """Whether the API answers and reaches its database, its environment, and the commit that it runs."""

    async def read_intake_health(self, http: ApiHttp) -> IntakeHealth:
        """Whether the intake can be reached, and what waits in it."""

    async def upload_csv(self, http: ApiHttp, name: str, content: bytes, source_system: str, *, mark: bool) -> str:
        """Upload one file and return its batch id. `mark`: as test data of ours, where the system has such a mark."""

    async def read_batch(self, http: ApiHttp, batch_id: str) -> Batch:
        """The batch with the counts of its rows so far."""


READERS: Mapping[str, ApiReader] = {RUNBOOK.name: RunbookReader(), CIVIL.name: CivilReader()}


class DragonflyApi:
    """The API at `base_url`, of the system with the name `system`; close it with `aclose()`, or use it in a `with`.

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
        """A 503 with the usual body is an answer: the API lives, its database does not."""
        return await self._reader.read_health(self._http)

    async def read_intake_health(self) -> IntakeHealth:
        """A 503 with the usual body is an answer too."""
        return await self._reader.read_intake_health(self._http)

    async def read_endpoints(self) -> frozenset[Endpoint]:
        """What `GET /openapi.json` lists, asked with our key where we have one; a document kept from us raises."""
        headers = self._http.key_header_if_known()
        response, _ = await self._http.send("GET", "openapi.json", accept=(200,), headers=headers)
        paths = parse_answer(_OpenApiAnswer, response).paths
        return frozenset(Endpoint(method.upper(), path) for path, methods in paths.items() for method in methods)

    async def upload_csv(
        self, name: str, content: bytes, source_system: str = "simplicity", *, is_golden_path: bool = False
    ) -> str:
        """Upload one file and return its batch id; not repeated on failure.

        `is_golden_path` marks it as test data of ours, which is never enforced, where the system has such a mark.
        """
        return await self._reader.upload_csv(self._http, name, content, source_system, mark=is_golden_path)

    async def read_batch(self, batch_id: str) -> Batch:
        """The batch with the counts of its rows so far."""
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
