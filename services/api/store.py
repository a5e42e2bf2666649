"""Stores one file: batch, raw rows, job and log event in one transaction, so that none is ever without the others."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

from starlette.datastructures import UploadFile

from services.api.csv_file import CsvFile, Row
from services.api.errors import RefusedError
from services.domain.simplicity import JOB_TYPE
from services.postgres.pool import Connection, Database
from services.postgres.uploads import copy_rows, find_file, insert_batch, lock_file, log_intake_event, set_row_count
from services.postgres.worker import queue_job

TIMEOUT_S = 120.0  # the largest file that is allowed, on the smallest database
BLOCK_BYTES = 64 * 1024  # as fast as synchronous code; row by row takes half as long again (performance.md)
MAX_NAME_LENGTH = 200

_as_json = json.JSONEncoder(ensure_ascii=False, check_circular=False).encode  # json.dumps makes a new one each time


@dataclass(frozen=True)
class Stored:
    """What was stored, and the job that will judge it."""

    batch_id: str
    job_id: str
    rows: int


async def store_file(
    database: Database, upload: UploadFile, *, force: bool = False, is_golden_path: bool = False
) -> Stored:
    """Store every row of the file as it came. `is_golden_path` marks it as test data of ours, which is not enforced.

    Raises RefusedError for a file that is no usable CSV (422), and for one that was stored before (409), unless forced.
    """
    sha256 = await asyncio.to_thread(_sha256, upload)
    csv_file = await asyncio.to_thread(CsvFile, upload.file)
    name = (upload.filename or "upload.csv").replace("\0", "")[:MAX_NAME_LENGTH]
    try:
        async with database.transaction(timeout_s=TIMEOUT_S) as conn:
            await lock_file(conn, sha256=sha256)
            if not force:
                await _refuse_known(conn, sha256)
            batch_id = await insert_batch(
                conn, file_name=name, sha256=sha256, row_count=0, is_golden_path=is_golden_path
            )
            rows = await copy_rows(conn, blocks=_blocks(batch_id, csv_file.rows()))
            await set_row_count(conn, batch_id=batch_id, row_count=rows)
            job_id = await queue_job(
                conn, job_type=JOB_TYPE, payload={"batch_id": batch_id}, idempotency_key=f"{JOB_TYPE}:{batch_id}"
            )
            await log_intake_event(conn, event_type="batch_received", details={"batch_id": batch_id, "rows": rows})
    finally:
        csv_file.release()
    assert job_id is not None  # noqa: S101 - the batch is new, and so is its job's idempotency key
    return Stored(batch_id, job_id, rows)


async def _refuse_known(conn: Connection, sha256: str) -> None:
    known = await find_file(conn, sha256=sha256)
    if known is not None:
        raise RefusedError(
            409,
            "Nothing was stored",
            why=f"the same file is stored already, as batch {known}",
            what_next="Look at that batch, or send the form field `force` with `true`.",
        )


def _sha256(upload: UploadFile) -> str:
    digest = hashlib.sha256()
    upload.file.seek(0)
    while block := upload.file.read(BLOCK_BYTES):
        digest.update(block)
    upload.file.seek(0)
    return digest.hexdigest()


async def _blocks(batch_id: str, rows: Iterator[Row]) -> AsyncIterator[bytes]:
    numbered = enumerate(rows, start=1)
    while block := await asyncio.to_thread(_next_block, batch_id, numbered):
        yield block


def _next_block(batch_id: str, rows: Iterator[tuple[int, Row]]) -> bytes:
    """Lines of COPY's text format worth about `BLOCK_BYTES`; empty at the end.

    JSON escapes tabs and newlines by itself, so that only its backslashes are left to escape.
    """
    lines: list[str] = []
    size = 0
    for number, row in rows:
        raw = _as_json(row).replace("\\", "\\\\")
        lines.append(f"{batch_id}\t{number}\t{raw}\n")
        size += len(raw)
        if size >= BLOCK_BYTES:
            break
    return "".join(lines).encode()
