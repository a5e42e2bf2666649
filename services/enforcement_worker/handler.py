"""Assesses every judgment of one batch and stores it, then has memos written for its cases."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import date
from typing import Any
from uuid import UUID

from services.domain.interest import Debt, Payment
from services.domain.services import WorkerType
from services.enforcement_worker.case import Case
from services.enforcement_worker.page import assess_page
from services.job_queue.jobs import Result, batch_of
from services.postgres.enforcement import (
    BEFORE_ALL,
    FiledJudgment,
    copy_assessments,
    create_assessment_staging,
    list_judgments,
    read_enforced_batch,
    upsert_assessments,
    upsert_next_steps,
)
from services.postgres.memos import want_memos
from services.postgres.pool import Database
from services.postgres.worker import ClaimedJob

log = logging.getLogger(__name__)

TIMEOUT_S = 60.0  # one page

WriteMemos = Callable[[Database, str], Awaitable[Mapping[str, Any]]]
"""Has memos written for the cases of a batch, as far as that is possible; what came of it, for the job's result."""

_DEBT = {None: None, True: Debt.CONSUMER, False: Debt.ORDINARY}


async def assess_batch(job: ClaimedJob, database: Database, *, write_memos: WriteMemos) -> Result:
    """Handle one `enforcement_next_step` job, whose payload is `{"batch_id": …}`.

    Repeating it on the same day changes nothing. The figures are stored before anybody is asked for a memo, and stay
    whatever becomes of that.
    """
    batch_id = batch_of(job)
    log.info("[%s] Processing batch: %s", WorkerType.ENFORCEMENT, batch_id)
    async with database.read(timeout_s=TIMEOUT_S) as conn:
        batch = await read_enforced_batch(conn, batch_id=batch_id)
    if batch.is_golden_path:
        return {"batch_id": batch_id, "judgments": 0, "note": "a golden-path batch is not enforced"}
    judgments = await _assess_all(database, batch_id, as_of=batch.today)
    memos = await write_memos(database, batch_id)
    return {"batch_id": batch_id, "as_of": batch.today.isoformat(), "judgments": judgments, "memos": dict(memos)}


async def _assess_all(database: Database, batch_id: str, *, as_of: date) -> int:
    last, assessed, known = BEFORE_ALL, 0, set[UUID]()  # a million judgments have some thousand profiles
    while True:
        async with database.transaction(timeout_s=TIMEOUT_S) as conn:
            page = await list_judgments(conn, batch_id=batch_id, after=last)
            if not page:
                return assessed
            cases = [(judgment.id, _case(judgment)) for judgment in page]
            found = await asyncio.to_thread(assess_page, cases, as_of=as_of)
            new = {memo_id: facts for memo_id, facts in found.wanted.items() if memo_id not in known}
            await want_memos(conn, facts=new)
            await create_assessment_staging(conn)
            await copy_assessments(conn, lines=found.lines)
            await upsert_assessments(conn)
            await upsert_next_steps(conn)
        last, assessed = page[-1].id, assessed + len(page)
        known.update(new)


def _case(judgment: FiledJudgment) -> Case:
    return Case(
        amount=judgment.amount,
        county=judgment.county,
        entered_on=judgment.filing_date,
        taken_in_on=judgment.taken_in_on,
        debt=_DEBT[judgment.is_consumer_debt],
        payments=tuple(map(Payment, judgment.paid_on, judgment.paid_amounts)),
    )
