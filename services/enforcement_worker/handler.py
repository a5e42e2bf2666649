"""Assesses every judgment of one batch and stores it; memos for its cases are a job of their own."""

from __future__ import annotations

import logging
from datetime import date
from uuid import UUID

from services.domain.judgments import MEMO_JOB_TYPE
from services.domain.services import WorkerType
from services.enforcement_worker.figures import store_figures
from services.job_queue.jobs import Result, batch_of
from services.postgres.enforcement import (
    BEFORE_ALL,
    hold_payments,
    list_judgments,
    read_enforced_batch,
)
from services.postgres.pool import Connection, Database
from services.postgres.worker import ClaimedJob, queue_job

log = logging.getLogger(__name__)

TIMEOUT_S = 60.0  # one page

MEMO_PRIORITY = -20  # advice comes last
MEMO_ATTEMPTS = 8  # over some twenty minutes: models have outages


async def assess_batch(job: ClaimedJob, database: Database, *, why_no_memos: str | None) -> Result:
    """Handle one `enforcement_next_step` job, whose payload is `{"batch_id": …}`.

    Repeating it on the same day changes nothing. Unless there is a reason why nobody can be asked for memos, a job for
    them is queued in the last of its transactions.
    """
    batch_id = batch_of(job)
    log.info("[%s] Processing batch: %s", WorkerType.ENFORCEMENT, batch_id)
    async with database.read(timeout_s=TIMEOUT_S) as conn:
        batch = await read_enforced_batch(conn, batch_id=batch_id)
    if batch.is_golden_path:
        return {"batch_id": batch_id, "judgments": 0, "note": "a golden-path batch is not enforced"}
    judgments = await _assess_all(database, batch_id, as_of=batch.today, wants_memos=not why_no_memos)
    memos = {"queued": False, "note": why_no_memos} if why_no_memos else {"queued": judgments > 0}
    return {"batch_id": batch_id, "as_of": batch.today.isoformat(), "judgments": judgments, "memos": memos}


async def _assess_all(database: Database, batch_id: str, *, as_of: date, wants_memos: bool) -> int:
    last, assessed, known = BEFORE_ALL, 0, frozenset[UUID]()  # a million judgments have some thousand profiles
    while True:
        async with database.transaction(timeout_s=TIMEOUT_S) as conn:
            await hold_payments(conn)
            page = await list_judgments(conn, batch_id=batch_id, after=last)
            if not page:
                if assessed and wants_memos:
                    await _queue_memos(conn, batch_id, as_of)
                return assessed
            wanted = await store_figures(conn, page, as_of=as_of, known=known)
        last, assessed = page[-1].id, assessed + len(page)
        known |= wanted


async def _queue_memos(conn: Connection, batch_id: str, as_of: date) -> None:
    await queue_job(
        conn,
        job_type=MEMO_JOB_TYPE,
        payload={"batch_id": batch_id},
        priority=MEMO_PRIORITY,
        max_attempts=MEMO_ATTEMPTS,
        idempotency_key=f"{MEMO_JOB_TYPE}:{batch_id}:{as_of.isoformat()}",
    )
