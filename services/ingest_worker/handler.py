"""Judges the rows of one batch: page by page, so that a crash loses at most the page under way."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from datetime import UTC, datetime
from typing import BinaryIO

from services.domain.csv_file import CsvFile
from services.domain.judgments import ENFORCEMENT_JOB_TYPE
from services.domain.services import WorkerType
from services.ingest_worker.page import Page, judged_pages
from services.job_queue.jobs import Result, UnusableJobError, batch_of
from services.postgres.ingest import (
    StartedBatch,
    advance_batch,
    copy_judgments,
    copy_raw_rows,
    create_staging,
    delete_file,
    finish_batch,
    list_blocks,
    lock_judgments,
    merge_judgments,
    start_batch,
)
from services.postgres.pool import Database
from services.postgres.uploads import log_intake_event
from services.postgres.worker import ClaimedJob, queue_job

log = logging.getLogger(__name__)

BLOCKS_AT_ONCE = 4  # a megabyte
TIMEOUT_S = 60.0  # a page, on the smallest database


class OvertakenError(Exception):
    """Another worker has gone on with this batch. Harmless: this attempt ends, and a later one finds the work done."""


async def ingest_batch(job: ClaimedJob, database: Database) -> Result:
    """Handle one `simplicity_ingest` job, whose payload is `{"batch_id": …}`.

    Repeating it is harmless: the batch counts the rows that are judged, in the transaction that stores them, so each is
    stored once. Judgments are merged by county and case number, and the job for the enforcement worker has a key of its
    own. When the job fails for good, the database closes the batch.
    """
    batch_id = batch_of(job)
    log.info("[%s] Processing batch: %s", WorkerType.INGEST, batch_id)
    async with database.transaction() as conn:
        batch = await start_batch(conn, batch_id=batch_id)
    if batch is None:
        raise UnusableJobError("there is no such batch")
    if batch.status == "completed":
        return _result(batch)
    with tempfile.TemporaryFile() as content:
        await _fetch(database, batch_id, content)
        with await asyncio.to_thread(_open, content, batch) as file:
            pages = judged_pages(file, batch_id, judged=batch.judged, today=datetime.now(UTC).date())
            async with aclosing(_ahead(pages)) as judged:
                async for page in judged:
                    await _store(database, batch_id, page)
    return await _finish(database, batch_id)


async def _fetch(database: Database, batch_id: str, content: BinaryIO) -> None:
    """Bring the file to this machine, so that reading it holds no session."""
    number = 0
    while True:
        async with database.read(timeout_s=TIMEOUT_S) as conn:
            blocks = await list_blocks(conn, batch_id=batch_id, after=number, limit=BLOCKS_AT_ONCE)
        if not blocks:
            return
        await asyncio.to_thread(content.writelines, blocks)
        number += len(blocks)


def _open(content: BinaryIO, batch: StartedBatch) -> CsvFile:
    if not content.tell():
        raise UnusableJobError("the batch's file is not stored any more; upload it again")
    file = CsvFile(content)
    if file.sha256 != batch.sha256:
        raise UnusableJobError("the stored file is not the one that was uploaded; upload it again")
    return file


async def _ahead(pages: Iterator[Page]) -> AsyncGenerator[Page]:
    """Each page is judged in a thread while the one before it is being stored."""
    judging = asyncio.create_task(asyncio.to_thread(next, pages, None))
    try:
        while (page := await judging) is not None:
            judging = asyncio.create_task(asyncio.to_thread(next, pages, None))
            yield page
    finally:
        await asyncio.wait({judging})  # a thread cannot be cancelled, and still reads the file


async def _store(database: Database, batch_id: str, page: Page) -> None:
    async with database.transaction(timeout_s=TIMEOUT_S) as conn:
        if not await advance_batch(
            conn, batch_id=batch_id, judged=page.judged, validated=page.validated, failed=page.failed
        ):
            raise OvertakenError
        await copy_raw_rows(conn, blocks=page.raw_rows)
        if page.judgments:
            await create_staging(conn)
            await copy_judgments(conn, blocks=page.judgments)
            await lock_judgments(conn)
            await merge_judgments(conn, batch_id=batch_id)


async def _finish(database: Database, batch_id: str) -> Result:
    async with database.transaction(timeout_s=TIMEOUT_S) as conn:
        batch = await finish_batch(conn, batch_id=batch_id)
        if batch is None:
            raise OvertakenError
        result = _result(batch)
        await delete_file(conn, batch_id=batch_id)
        await log_intake_event(conn, event_type="batch_completed", details=result)
        await queue_job(
            conn,
            job_type=ENFORCEMENT_JOB_TYPE,
            payload={"batch_id": batch_id},
            idempotency_key=f"{ENFORCEMENT_JOB_TYPE}:{batch_id}",
        )
    return result


def _result(batch: StartedBatch) -> dict[str, str | int]:
    return {"batch_id": batch.id, "rows": batch.row_count, "validated": batch.validated, "failed": batch.failed}
