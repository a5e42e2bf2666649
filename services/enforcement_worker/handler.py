"""Decides the next step of every judgment of one batch."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from services.domain.services import WorkerType
from services.enforcement_worker.decide import decide_next_step
from services.job_queue.jobs import Result, batch_of
from services.postgres.enforcement import BEFORE_ALL, FiledJudgment, StoredStep, list_judgments, upsert_next_steps
from services.postgres.pool import Database
from services.postgres.worker import ClaimedJob

log = logging.getLogger(__name__)

TIMEOUT_S = 60.0  # one page


async def decide_batch(job: ClaimedJob, database: Database) -> Result:
    """Handle one `enforcement_next_step` job, whose payload is `{"batch_id": …}`. Repeating it changes nothing."""
    batch_id = batch_of(job)
    log.info("[%s] Processing batch: %s", WorkerType.ENFORCEMENT, batch_id)
    last, decided = BEFORE_ALL, 0
    while True:
        async with database.transaction(timeout_s=TIMEOUT_S) as conn:
            page = await list_judgments(conn, batch_id=batch_id, after=last)
            if not page:
                return {"batch_id": batch_id, "judgments": decided}
            await upsert_next_steps(conn, steps=await asyncio.to_thread(_decide_page, page))
        last, decided = page[-1].id, decided + len(page)


def _decide_page(page: Sequence[FiledJudgment]) -> list[StoredStep]:
    steps = []
    for judgment in page:
        step = decide_next_step(
            amount=judgment.amount, filing_date=judgment.filing_date, taken_in_on=judgment.taken_in_on
        )
        steps.append(StoredStep(judgment.id, step.kind, step.due_on, step.reason))
    return steps
