"""The intake: a CSV file becomes a batch and a job, all or nothing; failed rows as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Security
from pydantic import BaseModel
from starlette.responses import StreamingResponse

from services.api.access import key_check
from services.api.errors import RefusedError, documented
from services.api.health import Metrics, Timestamp
from services.api.settings import ApiSettings
from services.api.uploads import file_of, received_form, store_file
from services.clients.postgres.intake import FailedRow, list_failed_rows, read_batch
from services.clients.postgres.operated import list_batches
from services.clients.postgres.pool import Database
from services.domain.batches import Batch
from services.domain.intake import LAYOUTS, SOURCE_SYSTEM

HEADINGS = ("row_number", "column", "reason")
PAGE_ROWS = 5000


async def first_failed_rows(database: Database, batch_id: str) -> list[FailedRow]:
    """The first page, read before the response starts, so that a database error still gets its own status."""
    return await _page(database, batch_id, after=0)


async def failed_rows_csv(database: Database, batch_id: str, page: Sequence[FailedRow]) -> AsyncIterator[bytes]:
    """Yield `page` and all pages after it as CSV, one line per fault; `row_number` 1 is the first non-blank row below
    the header.

    Raises SourceError halfway if the database fails: the connection then breaks, so the client sees that the file is
    incomplete.
    """
    yield _as_csv([HEADINGS])
    while page:
        yield _as_csv(fault for row in page for fault in faults_of(row))
        page = await _page(database, batch_id, after=page[-1].row_number)


def faults_of(row: FailedRow) -> list[tuple[int, str, str]]:
    """`(row number, column, reason)` for each fault; the column is empty if the line as a whole is at fault."""
    clauses = (clause.rpartition(": ") for clause in row.error.split("; "))
    return [(row.row_number, column, reason) for column, _, reason in clauses]


async def _page(database: Database, batch_id: str, *, after: int) -> list[FailedRow]:
    async with database.read() as conn:
        return await list_failed_rows(conn, batch_id=batch_id, after=after, limit=PAGE_ROWS)


def _as_csv(lines: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(lines)
    return text.getvalue().encode()


MAX_LISTED = 500


class Accepted(BaseModel):
    """The file is stored; its rows are judged later. Read the batch for the result.

    `notes`: lines that were skipped or repaired in the file, one sentence each.
    """

    batch_id: UUID
    job_id: UUID
    rows: int
    status: str = "received"
    notes: list[str] = []


class BatchState(BaseModel):
    """One batch. `validated` and `failed` grow while a worker judges the rows, up to `row_count`."""

    id: UUID
    status: str
    source_system: str
    created_at: Timestamp
    row_count: int
    validated: int
    failed: int


def intake_routes(settings: ApiSettings, database: Database, metrics: Metrics) -> APIRouter:
    """The intake's routes. All require the header `X-DRAGONFLY-API-KEY`, and check it before they read anything."""
    router = APIRouter(
        prefix="/api/v1/intake",
        tags=["intake"],
        dependencies=[Security(key_check(settings.api_keys))],
        responses=documented(401, 422, 429, 503),
    )

    @router.post("/upload", status_code=202, openapi_extra=_UPLOAD_FORM, responses=documented(400, 409, 413))
    async def upload(request: Request) -> Accepted:
        async with received_form(request, max_bytes=settings.max_upload_bytes) as form:
            source_system = _known_source(form.get("source_system", SOURCE_SYSTEM))
            is_golden_path = _is_yes("golden_path", form.get("golden_path", "false"))
            if is_golden_path:
                _require_judgments(source_system)
            stored = await store_file(
                database,
                file_of(form),
                source_system=source_system,
                force=_is_yes("force", form.get("force", "false")),
                is_golden_path=is_golden_path,
            )
        metrics.count_rows(stored.rows)
        return Accepted(
            batch_id=UUID(stored.batch_id), job_id=UUID(stored.job_id), rows=stored.rows, notes=list(stored.notes)
        )

    @router.get("/batches")
    async def show_batches(limit: Annotated[int, Query(ge=1, le=MAX_LISTED)] = 20) -> list[BatchState]:
        """The latest uploads, newest first."""
        async with database.read() as conn:
            batches = await list_batches(conn, limit=limit)
        return [BatchState.model_validate(batch, from_attributes=True) for batch in batches]

    @router.get("/batches/{batch_id}", responses=documented(404))
    async def show_batch(batch_id: UUID) -> BatchState:
        """One upload, with the counts of its rows."""
        return BatchState.model_validate(await _known_batch(database, batch_id), from_attributes=True)

    @router.get(
        "/batches/{batch_id}/failed-rows",
        response_class=StreamingResponse,
        responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}, **documented(404)},
    )
    async def show_failed_rows(batch_id: UUID) -> StreamingResponse:
        """A CSV of `row_number,column,reason`, one line per fault; row 1 is the first non-blank row below the
        header."""
        batch = await _known_batch(database, batch_id)
        page = await first_failed_rows(database, batch.id)
        name = f'attachment; filename="failed-rows-{batch.id}.csv"'
        return StreamingResponse(
            failed_rows_csv(database, batch.id, page), media_type="text/csv", headers={"content-disposition": name}
        )

    return router


async def _known_batch(database: Database, batch_id: UUID) -> Batch:
    async with database.read() as conn:
        batch = await read_batch(conn, batch_id=str(batch_id))
    if batch is None:
        raise RefusedError(
            404,
            "There is no such batch",
            why="its id is unknown in this environment",
            what_next="Use the batch_id that the upload answered.",
        )
    return batch


def _is_yes(name: str, field: object) -> bool:
    if field not in ("true", "false"):
        raise RefusedError(
            422,
            "Nothing was stored",
            why=f"`{name}` is neither `true` nor `false`",
            what_next="Send one, or leave it out.",
        )
    return field == "true"


def _known_source(source_system: object) -> str:
    if not isinstance(source_system, str) or source_system not in LAYOUTS:
        raise RefusedError(
            422,
            "Nothing was stored",
            why="this source_system is unknown",
            what_next=f"Send one of {', '.join(LAYOUTS)}, or leave it out: then it is `{SOURCE_SYSTEM}`.",
        )
    return source_system


def _require_judgments(source_system: str) -> None:
    if source_system != SOURCE_SYSTEM:
        raise RefusedError(
            422,
            "Nothing was stored",
            why="`golden_path` marks a file of judgments, and this is not one",
            what_next="Leave out one of the two.",
        )


# Our own code reads the body after the key check, so FastAPI cannot derive its shape.
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
                        "source_system": {"type": "string", "enum": list(LAYOUTS), "default": SOURCE_SYSTEM},
                        "force": {"type": "string", "enum": ["true", "false"], "default": "false"},
                        # Our own test data: stored and judged like other files, but never enforced.
                        "golden_path": {"type": "string", "enum": ["true", "false"], "default": "false"},
                    },
                }
            }
        },
    }
}
