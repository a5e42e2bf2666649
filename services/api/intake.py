"""The intake: a CSV file becomes a batch of raw rows and one job for the ingest worker, all or nothing."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel

from services.api.errors import RefusedError
from services.api.health import Timestamp
from services.api.keys import KEY_HEADER, require_key
from services.api.metrics import Metrics
from services.api.multipart import file_of, received_form
from services.api.settings import ApiSettings
from services.api.store import store_file
from services.domain.simplicity import SOURCE_SYSTEM
from services.postgres.pool import Database
from services.postgres.uploads import read_batch


class Accepted(BaseModel):
    """The file is stored; its rows are judged later. Ask for the batch."""

    batch_id: UUID
    job_id: UUID
    rows: int
    status: str = "received"


class BatchState(BaseModel):
    """One batch. `validated` and `failed` are counted when the worker has judged every row."""

    id: UUID
    status: str
    source_system: str
    created_at: Timestamp
    row_count: int
    validated: int
    failed: int


def intake_routes(settings: ApiSettings, database: Database, metrics: Metrics) -> APIRouter:
    """Both routes want the header `X-DRAGONFLY-API-KEY`, and look at it before they read anything else."""
    router = APIRouter(prefix="/api/v1/intake", tags=["intake"])

    @router.post("/upload", status_code=202, openapi_extra=_UPLOAD_FORM)
    async def upload(request: Request) -> Accepted:
        require_key(request.headers.get(KEY_HEADER), settings.api_keys)
        async with received_form(request, max_bytes=settings.max_upload_bytes) as form:
            _require_known_source(form.get("source_system", SOURCE_SYSTEM))
            stored = await store_file(database, file_of(form))
        metrics.count_rows(stored.rows)
        return Accepted(batch_id=UUID(stored.batch_id), job_id=UUID(stored.job_id), rows=stored.rows)

    @router.get("/batches/{batch_id}")
    async def show_batch(batch_id: UUID, request: Request) -> BatchState:
        require_key(request.headers.get(KEY_HEADER), settings.api_keys)
        async with database.read() as conn:
            batch = await read_batch(conn, batch_id=str(batch_id))
        if batch is None:
            raise RefusedError(
                404,
                "There is no such batch",
                why="its id is unknown in this environment",
                what_next="Use the batch_id that the upload answered.",
            )
        return BatchState.model_validate(batch, from_attributes=True)

    return router


def _require_known_source(source_system: object) -> None:
    if source_system != SOURCE_SYSTEM:
        raise RefusedError(
            422,
            "Nothing was stored",
            why="this source_system has no reader",
            what_next=f"Send `{SOURCE_SYSTEM}`, or leave it out.",
        )


# The body is read by hand, after the key was checked, so FastAPI cannot see its shape.
_UPLOAD_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "source_system": {"type": "string", "default": SOURCE_SYSTEM},
                    },
                }
            }
        },
    }
}
