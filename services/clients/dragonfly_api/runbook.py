"""Reads the API of the system `runbook`, whose code is in this repository."""

from __future__ import annotations

from pydantic import AwareDatetime

from services.clients.dragonfly_api.http import ApiAnswer, ApiHttp, Lenient, Text, parse_answer, parse_upload
from services.domain.batches import Batch
from services.domain.health import ApiHealth, IntakeHealth


class RunbookReader:
    """Reads the answers that the runbook documents."""

    async def read_health(self, http: ApiHttp) -> ApiHealth:
        """Read `GET /api/health`."""
        response, elapsed_ms = await http.send("GET", "api/health", accept=(200, 503))
        answer = parse_answer(_HealthAnswer, response)
        return ApiHealth(http_status=response.status_code, elapsed_ms=elapsed_ms, **dict(answer))

    async def read_intake_health(self, http: ApiHttp) -> IntakeHealth:
        """Read `GET /api/v1/intake/health`."""
        response, elapsed_ms = await http.send("GET", "api/v1/intake/health", accept=(200, 503))
        answer = parse_answer(_IntakeAnswer, response)
        return IntakeHealth(http_status=response.status_code, elapsed_ms=elapsed_ms, **dict(answer))

    async def upload_csv(self, http: ApiHttp, name: str, content: bytes, source_system: str, *, mark: bool) -> str:
        """Upload the file (HTTP 202). The API refuses a file that it already has (409)."""
        response, _ = await http.send(
            "POST",
            "api/v1/intake/upload",
            accept=(202,),
            headers=http.key_header(),
            files={"file": (name, content, "text/csv")},
            data={"source_system": source_system, "golden_path": "true" if mark else "false"},
        )
        return parse_upload(response)

    async def read_batch(self, http: ApiHttp, batch_id: str) -> Batch:
        """Read `GET /api/v1/intake/batches/{id}`."""
        path = f"api/v1/intake/batches/{batch_id}"
        response, _ = await http.send("GET", path, accept=(200,), headers=http.key_header())
        return Batch(**dict(parse_answer(_BatchAnswer, response)))


class _HealthAnswer(ApiAnswer):
    """An answer of `/api/health`. Other versions of the API may omit fields; only what needs them is skipped."""

    status: Text
    environment: Lenient[Text] = None
    git_sha: Lenient[Text] = None
    db_connected: Lenient[bool] = None
    timestamp: Lenient[AwareDatetime] = None
    db_writable: Lenient[bool] = None


class _IntakeAnswer(ApiAnswer):
    """An answer of the intake's health; the example in the runbook has neither `pending_jobs` nor `last_batch_at`."""

    status: Text
    db_connected: Lenient[bool] = None
    pending_jobs: Lenient[int] = None
    last_batch_at: Lenient[AwareDatetime] = None


class _BatchAnswer(ApiAnswer):
    id: Text
    status: Text
    source_system: Text
    created_at: AwareDatetime
    row_count: int
    validated: int
    failed: int
