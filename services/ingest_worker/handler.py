"""Judges the rows of one batch: page by page, so that a crash loses at most the page under way."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime

from services.domain.judgments import ENFORCEMENT_JOB_TYPE
from services.domain.services import WorkerType
from services.ingest_worker.page import judge_page
from services.job_queue.jobs import Result, UnusableJobError, batch_of
from services.postgres.pool import Database
from services.postgres.uploads import (
    copy_judgments,
    create_staging,
    finish_batch,
    list_rows,
    log_intake_event,
    mark_failed_rows,
    mark_valid_rows,
    start_batch,
    upsert_judgments,
)
from services.postgres.worker import ClaimedJob, queue_job

log = logging.getLogger(__name__)

PAGE_ROWS = 4000  # some hundred milliseconds of work: little to lose, and locks are held briefly
TIMEOUT_S = 60.0  # a page, or counting the largest batch


async def ingest_batch(job: ClaimedJob, database: Database) -> Result:
    """Handle one `simplicity_ingest` job, whose payload is `{"batch_id": …}`.

    Repeating it is harmless: judged rows are skipped, judgments are upserted by county and case number, and the job
    for the enforcement worker has a key of its own. When the job fails for good, the database closes the batch.
    """
    batch_id = batch_of(job)
    log.info("[%s] Processing batch: %s", WorkerType.INGEST, batch_id)
    row_count = await _start(database, batch_id)
    for first in range(1, row_count + 1, PAGE_ROWS):
        await _judge_rows(database, batch_id, first, first + PAGE_ROWS - 1)
    return await _finish(database, batch_id)


async def _start(database: Database, batch_id: str) -> int:
    async with database.transaction() as conn:
        row_count = await start_batch(conn, batch_id=batch_id)
    if row_count is None:
        raise UnusableJobError("there is no such batch")
    return row_count


async def _judge_rows(database: Database, batch_id: str, first: int, last: int) -> None:
    async with database.transaction(timeout_s=TIMEOUT_S) as conn:
        page = await list_rows(conn, batch_id=batch_id, first=first, last=last)
        judged = await asyncio.to_thread(judge_page, page, today=datetime.now(UTC).date())
        if judged.lines:
            await create_staging(conn)
            await copy_judgments(conn, lines=judged.lines)
            await upsert_judgments(conn, batch_id=batch_id)
        if judged.failed:
            await mark_failed_rows(conn, batch_id=batch_id, failed=judged.failed)
        await mark_valid_rows(conn, batch_id=batch_id, first=first, last=last)


async def _finish(database: Database, batch_id: str) -> Result:
    async with database.transaction(timeout_s=TIMEOUT_S) as conn:
        batch = await finish_batch(conn, batch_id=batch_id)
        if batch is None:
            raise UnusableJobError("the batch was deleted meanwhile")
        counts = {"rows": batch.row_count, "validated": batch.validated, "failed": batch.failed}
        result = {"batch_id": batch_id, **counts}
        await log_intake_event(conn, event_type="batch_completed", details=result)
        await queue_job(
            conn,
            job_type=ENFORCEMENT_JOB_TYPE,
            payload={"batch_id": batch_id},
            idempotency_key=f"{ENFORCEMENT_JOB_TYPE}:{batch_id}",
        )
    return result
