"""Reads the API of the system `civil`. The keys of an answer show the version of the API, its version number does not.

These endpoints are not used because they give wrong answers on a healthy system: /api/ready, /api/health/system,
/api/health/jobs, /api/metrics and /api/v1/system/status. /api/v1/intake/health always gives the same answer.
"""

from __future__ import annotations

import asyncio
from typing import Self

import httpx
from pydantic import AwareDatetime, model_validator

from services.clients.dragonfly_api.http import ApiAnswer, ApiHttp, Lenient, Text, parse_answer, parse_upload
from services.domain.batches import Batch
from services.domain.errors import SourceError
from services.domain.health import ApiHealth, IntakeHealth
from services.domain.services import is_sha


class CivilReader:
    """Reads the answers of both versions of the API."""

    async def read_health(self, http: ApiHttp) -> ApiHealth:
        """Combine `GET /api/health`, which reads no database, with `GET /readyz`, which does.

        `GET /health` may report the commit.
        """
        (response, elapsed_ms), connected, git_sha = await asyncio.gather(
            http.send("GET", "api/health", accept=(200, 503)), _reaches_database(http), _commit(http)
        )
        answer = parse_answer(_HealthAnswer, response)
        return ApiHealth(
            http_status=response.status_code,
            status=answer.word,
            environment=answer.data.environment,
            git_sha=git_sha,
            db_connected=connected,
            timestamp=answer.data.timestamp,
            elapsed_ms=elapsed_ms,
        )

    async def read_intake_health(self, http: ApiHttp) -> IntakeHealth:
        """Read `GET /api/v1/intake/state`, which counts batches; no answer of this API proves that rows are stored."""
        headers = http.key_header_if_known()
        response, elapsed_ms = await http.send("GET", "api/v1/intake/state", accept=(200, 503), headers=headers)
        answer = parse_answer(_StateAnswer, response)
        return IntakeHealth(
            http_status=response.status_code,
            status="ok" if answer.ok else "not ok",
            db_connected=answer.ok,
            pending_jobs=answer.data.queue_depth if answer.data else None,
            last_batch_at=answer.data.last_batch_at if answer.data else None,
            elapsed_ms=elapsed_ms,
        )

    async def upload_csv(self, http: ApiHttp, name: str, content: bytes, source_system: str, *, mark: bool) -> str:  # noqa: ARG002 - this system has no mark
        """Upload the file (HTTP 200); uploading it again makes another batch."""
        response, _ = await http.send(
            "POST",
            "api/v1/intake/upload",
            accept=(200, 201, 202),
            headers=http.key_header(),
            params={"source": source_system},
            files={"file": (name, content, "text/csv")},
        )
        return parse_upload(response)

    async def read_batch(self, http: ApiHttp, batch_id: str) -> Batch:
        """Read `GET /api/v1/intake/batch/{id}`, which both versions have."""
        path = f"api/v1/intake/batch/{batch_id}"
        response, _ = await http.send("GET", path, accept=(200,), headers=http.key_header())
        answer = parse_answer(_BatchAnswer, response)
        return Batch(
            id=answer.id,
            status=answer.status,
            source_system=answer.source,
            created_at=answer.created_at,
            row_count=answer.total_rows,
            validated=answer.valid_rows,
            failed=answer.error_rows,
        )


async def _reaches_database(http: ApiHttp) -> bool:
    """True if `GET /readyz` reports the database as reachable; a 503 means False.

    Raises SourceError for an answer with the keys of neither version.
    """
    try:
        response, _ = await http.send("GET", "readyz", accept=(200, 503))
        answer = parse_answer(_ReadyAnswer, response)
    except SourceError as error:
        why = f"GET /readyz: {error.why}"
        raise SourceError(error.source, why, retryable=error.retryable, http_status=error.http_status) from error
    return response.status_code == httpx.codes.OK and answer.reaches_database


async def _commit(http: ApiHttp) -> str | None:
    """The commit that `GET /health` reports; None in versions that report none, or for a value that is no SHA."""
    try:
        response, _ = await http.send("GET", "health", accept=(200, 503))
        sha = parse_answer(_LivenessAnswer, response).sha
    except SourceError:
        return None  # the other answers are enough for a health report
    return sha.lower() if sha and is_sha(sha.lower()) else None


class _HealthData(ApiAnswer):
    status: Lenient[Text] = None
    environment: Lenient[Text] = None
    timestamp: Lenient[AwareDatetime] = None


class _HealthAnswer(ApiAnswer):
    ok: bool
    data: _HealthData
    degraded: Lenient[object] = None

    @property
    def word(self) -> str:
        """`ok`, or the problem as the API reports it."""
        if self.ok and not self.degraded:
            return "ok"
        return "degraded" if self.ok or not self.data.status or self.data.status == "ok" else self.data.status


class _ReadyServices(ApiAnswer):
    database: Lenient[Text] = None


class _ReadyAnswer(ApiAnswer):
    """An answer of `GET /readyz`: `ready` and `database` in the December version, `status` and `services` in January's.

    An answer without `ready` and without `status` is refused.
    """

    ready: Lenient[bool] = None
    database: Lenient[Text] = None
    status: Lenient[Text] = None
    services: Lenient[_ReadyServices] = None

    @model_validator(mode="after")
    def _has_known_keys(self) -> Self:
        if self.ready is None and self.status is None:
            raise ValueError("neither ready nor status")
        return self

    @property
    def reaches_database(self) -> bool:
        if self.ready is not None:
            return self.ready and (self.database is None or self.database.startswith("ok"))
        database = self.services.database if self.services else None
        return self.status == "ready" and database in (None, "connected")


class _LivenessAnswer(ApiAnswer):
    sha: Lenient[Text] = None


class _StateData(ApiAnswer):
    total_batches: int
    queue_depth: Lenient[int] = None
    last_batch_at: Lenient[AwareDatetime] = None


class _StateAnswer(ApiAnswer):
    """An answer of the intake; it needs `ok`, and counts if `ok` is true, because either alone proves nothing."""

    ok: bool
    data: _StateData | None

    @model_validator(mode="after")
    def _has_counts_if_ok(self) -> Self:
        if self.ok and self.data is None:
            raise ValueError("no counts")
        return self


class _BatchAnswer(ApiAnswer):
    id: Text
    status: Text
    source: Text
    created_at: AwareDatetime
    total_rows: int
    valid_rows: int
    error_rows: int
