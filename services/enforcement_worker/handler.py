"""Assesses every judgment of a batch and stores the results; reassesses on due dates."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import date
from uuid import UUID

from services.clients.postgres.enforcement import (
    BEFORE_ALL,
    FiledJudgment,
    copy_assessments,
    create_assessment_staging,
    hold_payments,
    list_due_judgments,
    list_judgments,
    read_enforced_batch,
    read_review_state,
    upsert_assessments,
    upsert_next_steps,
    want_memos,
)
from services.clients.postgres.pool import Connection, Database
from services.clients.postgres.worker import ClaimedJob, queue_job
from services.domain.services import WorkerType
from services.domain.systems import MEMO_JOB_TYPE, REVIEW_JOB_TYPE
from services.enforcement_worker.assess import Case
from services.enforcement_worker.law import Debt, Payment
from services.enforcement_worker.memo import assess_page
from services.job_queue.jobs import Result, batch_of

_DEBT = {None: None, True: Debt.CONSUMER, False: Debt.ORDINARY}


async def store_figures(
    conn: Connection, page: Sequence[FiledJudgment], *, as_of: date, known: AbstractSet[UUID] = frozenset()
) -> frozenset[UUID]:
    """Assess these judgments and store the results. Returns the ids of the memos that they need and `known` lacks."""
    cases = [(judgment.id, _case(judgment)) for judgment in page]
    found = await asyncio.to_thread(assess_page, cases, as_of=as_of)
    new = {memo_id: facts for memo_id, facts in found.wanted.items() if memo_id not in known}
    await want_memos(conn, facts=new)
    await create_assessment_staging(conn)
    await copy_assessments(conn, lines=found.lines)
    await upsert_assessments(conn)
    await upsert_next_steps(conn)
    return frozenset(new)


def _case(judgment: FiledJudgment) -> Case:
    return Case(
        amount=judgment.amount,
        county=judgment.county,
        entered_on=judgment.filing_date,
        taken_in_on=judgment.taken_in_on,
        debt=_DEBT[judgment.is_consumer_debt],
        payments=tuple(map(Payment, judgment.paid_on, judgment.paid_amounts)),
    )


log = logging.getLogger(__name__)

TIMEOUT_S = 60.0  # seconds for one page

MEMO_PRIORITY = -20  # advice comes last
MEMO_ATTEMPTS = 8  # over about 20 minutes: models have outages


async def assess_batch(job: ClaimedJob, database: Database, *, why_no_memos: str | None) -> Result:
    """Handle one `enforcement_next_step` job, whose payload is `{"batch_id": …}`.

    Repeating it on the same day changes nothing. Unless there is a reason why memos can't be requested, the last of its
    transactions queues a job for them.
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
    last, assessed, known = BEFORE_ALL, 0, frozenset[UUID]()  # a million judgments have only some thousand profiles
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


PAGES_A_JOB = 50  # 100,000 judgments; the rest goes into another job, queued after the jobs that wait
PRIORITY = -10  # new files go first


async def review_due(job: ClaimedJob, database: Database, *, pages: int = PAGES_A_JOB) -> Result:
    """Handle one `enforcement_review` job: reassess every judgment that is due today, page by page.

    A stored page is not due any more, so a repeated job continues with the rest.
    """
    async with database.read(timeout_s=TIMEOUT_S) as conn:
        today = (await read_review_state(conn)).today
    reviewed = 0
    for _ in range(pages):
        async with database.transaction(timeout_s=TIMEOUT_S) as conn:
            await hold_payments(conn)
            page = await list_due_judgments(conn, today=today)
            if page:
                await store_figures(conn, page, as_of=today)
        reviewed += len(page)
        if not page:
            break
    else:
        async with database.transaction() as conn:
            key = f"{REVIEW_JOB_TYPE}:after:{job.id}"
            await queue_job(conn, job_type=REVIEW_JOB_TYPE, payload={}, priority=PRIORITY, idempotency_key=key)
    log.info("[%s] Reviewed: %d judgments", WorkerType.ENFORCEMENT, reviewed)
    return {"as_of": today.isoformat(), "judgments": reviewed}


async def queue_review_if_due(database: Database) -> None:
    """Queue a review if an assessment is due: at most one per hour, for all workers together. Raises SourceError."""
    async with database.transaction() as conn:
        state = await read_review_state(conn)
        if state.is_due:
            key = f"{REVIEW_JOB_TYPE}:{state.hour}"
            await queue_job(conn, job_type=REVIEW_JOB_TYPE, payload={}, priority=PRIORITY, idempotency_key=key)
