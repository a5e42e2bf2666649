"""Receives an uploaded file in bounded memory and stores batch, bytes, job and event in one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import BinaryIO

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from services.api.errors import RefusedError
from services.clients.postgres.intake import find_file, insert_batch, insert_block, lock_file, log_intake_event
from services.clients.postgres.pool import Connection, Database, answered
from services.clients.postgres.worker import queue_job
from services.csv_files.date_order import DateOrder
from services.csv_files.reader import BLOCK_BYTES, CsvFile, UnusableFileError
from services.domain.errors import SourceError
from services.domain.intake import LAYOUTS, SOURCE_SYSTEM, Layout
from services.domain.systems import JOB_TYPE

FORM_OVERHEAD_BYTES = 64 * 1024  # boundaries, part headers and the small fields around the file
MAX_FIELDS = 4


@asynccontextmanager
async def received_form(request: Request, *, max_bytes: int) -> AsyncIterator[FormData]:
    """Receive the form, a file over 1 MB on disk. The form is closed afterwards. Raises RefusedError (400, 413)."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > max_bytes + FORM_OVERHEAD_BYTES:
        raise _too_large(max_bytes)
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise _malformed("the body is not multipart/form-data")
    stream = _bounded(request, max_bytes)
    try:
        form = await MultiPartParser(request.headers, stream, max_files=1, max_fields=MAX_FIELDS).parse()
    except MultiPartException:
        raise _malformed("the form cannot be read") from None
    finally:
        await stream.aclose()
    try:
        yield form
    finally:
        await form.close()


def file_of(form: FormData) -> UploadFile:
    """The uploaded file in the part `file`. Raises RefusedError (400)."""
    part = form.get("file")
    if not isinstance(part, UploadFile):
        raise _malformed("no part called `file` holds a file")
    return part


async def _bounded(request: Request, max_bytes: int) -> AsyncGenerator[bytes, None]:
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        if received > max_bytes + FORM_OVERHEAD_BYTES:
            raise _too_large(max_bytes)  # the parser closes its files and re-raises this
        yield chunk


def _too_large(max_bytes: int) -> RefusedError:
    return RefusedError(
        413,
        "Nothing was stored",
        why=f"the file is larger than {max_bytes:,} bytes",
        what_next="Split it, or raise MAX_UPLOAD_BYTES on dragonfly-api.",
    )


def _malformed(why: str) -> RefusedError:
    return RefusedError(
        400,
        "Nothing was stored",
        why=why,
        what_next="Send multipart/form-data with the CSV in the part `file`: curl -F file=@batch.csv …",
    )


TIMEOUT_S = 120.0  # seconds for the largest allowed file, on the smallest database
# Together below the 10 s within which a client must learn that the database does not answer.
START_S, ANSWER_S = 5.0, 4.0
NOTE_TIMEOUT_S = 3.0
MAX_NAME_LENGTH = 200


@dataclass(frozen=True)
class Stored:
    """A stored upload, with the job that will judge it. `notes`: lines that were skipped or repaired in the file, one
    sentence each."""

    batch_id: str
    job_id: str
    rows: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Survey:
    sha256: str
    header: str
    rows: int
    notes: tuple[str, ...]


async def store_file(
    database: Database,
    upload: UploadFile,
    *,
    source_system: str = SOURCE_SYSTEM,
    force: bool = False,
    is_golden_path: bool = False,
) -> Stored:
    """Store an uploaded file unchanged, as one of `LAYOUTS`. `is_golden_path` marks it as our own test data: it is not
    enforced.

    Raises RefusedError for a file that is not usable CSV (422), and for one that was stored before (409), unless
    forced. A refusal is also logged as an event of the intake.
    """
    try:
        survey = await asyncio.to_thread(_survey, upload.file, LAYOUTS[source_system])
        async with database.transaction(timeout_s=TIMEOUT_S, start_s=START_S, answer_s=ANSWER_S) as conn:
            with answered(conn, within_s=ANSWER_S):
                await lock_file(conn, sha256=survey.sha256)
            if not force:
                await _refuse_known(conn, survey.sha256)
            return await _store(conn, upload, survey, source_system, is_golden_path)
    except RefusedError as refusal:
        with suppress(SourceError):
            async with database.transaction(timeout_s=NOTE_TIMEOUT_S) as conn:
                details = {"why": refusal.why}
                await log_intake_event(
                    conn,
                    event_type="upload_refused",
                    details=details,
                    source_system=source_system,
                    reason=refusal.why,
                )
        raise


def _survey(content: BinaryIO, layout: Layout) -> _Survey:
    """Read the whole file once, so that all its faults are reported together."""
    try:
        with CsvFile(content, layout=layout) as file:
            order, day = DateOrder(), file.header.position_of(layout, layout.day)
            rows = order.count(cells[day] if day < len(cells) else "" for _, cells in file.rows())
            _refuse_doubtful_dates(order, layout)
            return _Survey(file.sha256, file.raw_header, rows, file.notes)
    except UnusableFileError as error:
        raise RefusedError(
            422, "The file was not accepted, and nothing was stored", why=error.why, what_next=error.what_next
        ) from None


def _refuse_doubtful_dates(order: DateOrder, layout: Layout) -> None:
    if why := order.fault(layout.day.heading):
        raise UnusableFileError(why, what_next="Export them all with the month first (03/31/2024), or as 2024-03-31.")


async def _refuse_known(conn: Connection, sha256: str) -> None:
    with answered(conn, within_s=ANSWER_S):
        known = await find_file(conn, sha256=sha256)
    if known is not None:
        raise RefusedError(
            409,
            "Nothing was stored",
            why=f"the same file is stored already, as batch {known}",
            what_next="Look at that batch, or send the form field `force` with `true`.",
        )


async def _store(
    conn: Connection, upload: UploadFile, survey: _Survey, source_system: str, is_golden_path: bool
) -> Stored:
    batch_id = await insert_batch(
        conn,
        file_name=(upload.filename or "upload.csv").replace("\0", "")[:MAX_NAME_LENGTH],
        sha256=survey.sha256,
        header=survey.header,
        row_count=survey.rows,
        source_system=source_system,
        is_golden_path=is_golden_path,
    )
    await upload.seek(0)
    number = 0
    while content := await upload.read(BLOCK_BYTES):
        number += 1
        await insert_block(conn, batch_id=batch_id, block_number=number, content=content)
    job_id = await queue_job(
        conn, job_type=JOB_TYPE, payload={"batch_id": batch_id}, idempotency_key=f"{JOB_TYPE}:{batch_id}"
    )
    assert job_id is not None  # noqa: S101 - the batch is new, and so is its job's idempotency key
    details: dict[str, object] = {"batch_id": batch_id, "rows": survey.rows}
    if survey.notes:
        details["notes"] = list(survey.notes)
    await log_intake_event(conn, event_type="batch_received", details=details, source_system=source_system)
    return Stored(batch_id, job_id, survey.rows, survey.notes)
