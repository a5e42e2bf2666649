"""Processes the rows of a batch page by page, so that a crash loses at most one page; and deletes old data."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import BinaryIO, Protocol, TypeVar

from pydantic import NonNegativeInt

from services.clients.postgres.intake import (
    StartedBatch,
    advance_batch,
    copy_judgments,
    copy_payments,
    copy_raw_rows,
    create_payment_staging,
    create_staging,
    delete_file,
    fill_in_consumer_debt,
    finish_batch,
    insert_judgments,
    insert_payments,
    list_blocks,
    lock_judgments,
    log_intake_event,
    prune_intake_logs,
    prune_jobs,
    prune_raw_rows,
    refuse_conflicts,
    refuse_payments,
    replace_judgments,
    start_batch,
)
from services.clients.postgres.pool import Connection, Database
from services.clients.postgres.worker import ClaimedJob, queue_job
from services.csv_files.reader import CsvFile
from services.domain import intake
from services.domain.intake import LAYOUTS
from services.domain.services import WorkerType
from services.domain.systems import ENFORCEMENT_JOB_TYPE, REVIEW_JOB_TYPE
from services.ingest_worker.rows import CONFLICT, Page, judged_pages, payment_pages
from services.job_queue.jobs import Result, UnusableJobError, batch_of
from services.job_queue.worker import WorkerSettings


class Pages(Protocol):
    def __call__(self, file: CsvFile, batch_id: str, *, judged: int, today: date) -> Iterator[Page]: ...


@dataclass(frozen=True)
class Kind:
    """One kind of file. `store(conn, batch id, records)` stores a page; `next_job_type` is queued for the batch after
    its last page."""

    pages: Pages
    store: Callable[[Connection, str, Sequence[bytes]], Awaitable[None]]
    next_job_type: str


async def _store_judgments(conn: Connection, batch_id: str, records: Sequence[bytes]) -> None:
    """Nearly every case of nearly every file is new, so the slower statements run only if one is not."""
    await create_staging(conn)
    staged = await copy_judgments(conn, blocks=records)
    await lock_judgments(conn)
    if await insert_judgments(conn, batch_id=batch_id) < staged:
        await replace_judgments(conn, batch_id=batch_id)
        await fill_in_consumer_debt(conn, batch_id=batch_id)
        await refuse_conflicts(conn, batch_id=batch_id, rule=CONFLICT)


async def _store_payments(conn: Connection, batch_id: str, records: Sequence[bytes]) -> None:
    """The rows are already stored as valid: those with an unknown case are then marked as failed, and kept."""
    await create_payment_staging(conn)
    await copy_payments(conn, blocks=records)
    await insert_payments(conn)
    await refuse_payments(conn, batch_id=batch_id)


KINDS: Mapping[str, Kind] = {
    intake.SOURCE_SYSTEM: Kind(judged_pages, _store_judgments, ENFORCEMENT_JOB_TYPE),
    intake.PAYMENTS_SOURCE_SYSTEM: Kind(payment_pages, _store_payments, REVIEW_JOB_TYPE),
}

log = logging.getLogger(__name__)

BLOCKS_AT_ONCE = 4  # 1 MB
TIMEOUT_S = 60.0  # seconds for one page, on the smallest database

T = TypeVar("T")

# A second thread would wait for the same interpreter, and keep its own megabytes forever.
_THREAD = ThreadPoolExecutor(max_workers=1, thread_name_prefix="judging")


class OvertakenError(Exception):
    """Another worker has continued this batch. Harmless: this attempt ends, and a later one finds the work done."""


async def ingest_batch(job: ClaimedJob, database: Database) -> Result:
    """Handle one `simplicity_ingest` job, whose payload is `{"batch_id": …}`.

    Repeating it is harmless: the batch counts the judged rows in the transaction that stores them, so each row is
    stored once. Judgments are merged by county and case number, payments by case and reference, and the job for the
    enforcement worker has its own idempotency key. If the job fails for good, the database closes the batch.
    """
    batch_id = batch_of(job)
    log.info("[%s] Processing batch: %s", WorkerType.INGEST, batch_id)
    async with database.transaction() as conn:
        batch = await start_batch(conn, batch_id=batch_id)
    if batch is None:
        raise UnusableJobError("there is no such batch")
    if batch.status == "completed":
        return _result(batch)
    kind = KINDS.get(batch.source_system)
    if kind is None:
        raise UnusableJobError("this version cannot read files of this kind; deploy the ingest worker")
    with tempfile.TemporaryFile() as content:
        await _fetch(database, batch_id, content)
        with await _in_thread(partial(_open, content, batch)) as file:
            pages = kind.pages(file, batch_id, judged=batch.judged, today=datetime.now(UTC).date())
            async with aclosing(_ahead(pages)) as judged:
                async for page in judged:
                    await _store(database, batch_id, page, kind)
    return await _finish(database, batch_id, kind)


async def _fetch(database: Database, batch_id: str, content: BinaryIO) -> None:
    """Copy the file to this machine, so that reading it holds no database session."""
    number = 0
    while True:
        async with database.read(timeout_s=TIMEOUT_S) as conn:
            blocks = await list_blocks(conn, batch_id=batch_id, after=number, limit=BLOCKS_AT_ONCE)
        if not blocks:
            return
        await _in_thread(partial(content.writelines, blocks))
        number += len(blocks)


def _open(content: BinaryIO, batch: StartedBatch) -> CsvFile:
    if not content.tell():
        raise UnusableJobError("the batch's file is not stored any more; upload it again")
    file = CsvFile(content, layout=LAYOUTS[batch.source_system])
    if file.sha256 != batch.sha256:
        raise UnusableJobError("the stored file is not the one that was uploaded; upload it again")
    return file


async def _ahead(pages: Iterator[Page]) -> AsyncGenerator[Page]:
    """Judge each page in a thread while the one before it is being stored."""
    judging = _in_thread(partial(next, pages, None))
    try:
        while (page := await asyncio.shield(judging)) is not None:
            judging = _in_thread(partial(next, pages, None))
            yield page
    finally:
        await asyncio.wait({judging})  # a thread cannot be cancelled, and still reads the file


def _in_thread(work: Callable[[], T]) -> asyncio.Future[T]:
    return asyncio.get_running_loop().run_in_executor(_THREAD, work)


async def _store(database: Database, batch_id: str, page: Page, kind: Kind) -> None:
    async with database.transaction(timeout_s=TIMEOUT_S) as conn:
        if not await advance_batch(
            conn, batch_id=batch_id, judged=page.judged, validated=page.validated, failed=page.failed
        ):
            raise OvertakenError
        await copy_raw_rows(conn, blocks=page.raw_rows)
        if page.records:
            await kind.store(conn, batch_id, page.records)


async def _finish(database: Database, batch_id: str, kind: Kind) -> Result:
    async with database.transaction(timeout_s=TIMEOUT_S) as conn:
        batch = await finish_batch(conn, batch_id=batch_id)
        if batch is None:
            raise OvertakenError
        result = _result(batch)
        await delete_file(conn, batch_id=batch_id)
        await log_intake_event(conn, event_type="batch_completed", details=result, source_system=batch.source_system)
        await queue_job(
            conn,
            job_type=kind.next_job_type,
            payload={"batch_id": batch_id},
            idempotency_key=f"{kind.next_job_type}:{batch_id}",
        )
    return result


def _result(batch: StartedBatch) -> dict[str, str | int]:
    result: dict[str, str | int] = {
        "batch_id": batch.id,
        "rows": batch.row_count,
        "validated": batch.validated,
        "failed": batch.failed,
    }
    return result | {"replaced": batch.replaced} if batch.replaced else result


class IngestSettings(WorkerSettings):
    """Ages in days after which the worker deletes data that is no longer needed; 0 keeps it forever."""

    completed_jobs_keep_days: NonNegativeInt = 90
    failed_jobs_keep_days: NonNegativeInt = 365  # they may still be requeued
    intake_log_keep_days: NonNegativeInt = 365
    raw_rows_keep_days: NonNegativeInt = 0  # the originals as uploaded: deleted only if an age is set


EVERY_S = 3600.0
AT_ONCE = 1000
MOST_A_ROUND = 100_000  # per kind; the rest waits for the next hour
PAUSE_S = 0.05  # between two transactions

Prune = Callable[[Connection], Awaitable[int]]


async def prune_old(database: Database, *, settings: IngestSettings) -> None:
    """Delete data that is older than the configured ages. Raises SourceError."""
    completed, failed = _age(settings.completed_jobs_keep_days), _age(settings.failed_jobs_keep_days)
    log_age, raw_age = _age(settings.intake_log_keep_days), _age(settings.raw_rows_keep_days)
    deleted = {
        "jobs": await _prune(
            database, lambda conn: prune_jobs(conn, completed_for=completed, failed_for=failed, limit=AT_ONCE)
        ),
        "events": await _prune(database, lambda conn: prune_intake_logs(conn, older_than=log_age, limit=AT_ONCE)),
        "raw rows": await _prune(database, lambda conn: prune_raw_rows(conn, older_than=raw_age, limit=AT_ONCE)),
    }
    if any(deleted.values()):
        log.info("retention: deleted %s", ", ".join(f"{count} {name}" for name, count in deleted.items() if count))


async def _prune(database: Database, prune: Prune) -> int:
    total = 0
    while total < MOST_A_ROUND:
        async with database.transaction() as conn:
            count = await prune(conn)
        total += count
        if count < AT_ONCE:
            break
        await asyncio.sleep(PAUSE_S)
    return total


def _age(days: int) -> timedelta | None:
    return timedelta(days=days) if days else None
