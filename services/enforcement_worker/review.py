"""Makes assessments anew on the day on which they are due, and sees to it that somebody does."""

from __future__ import annotations

import logging

from services.domain.judgments import REVIEW_JOB_TYPE
from services.domain.services import WorkerType
from services.enforcement_worker.figures import store_figures
from services.job_queue.jobs import Result
from services.postgres.enforcement import hold_payments, list_due_judgments, read_review_state
from services.postgres.pool import Database
from services.postgres.worker import ClaimedJob, queue_job

log = logging.getLogger(__name__)

PAGES_A_JOB = 50  # a hundred thousand judgments; what is left goes into a job of its own, behind what waits meanwhile
PRIORITY = -10  # new files go first
TIMEOUT_S = 60.0  # one page


async def review_due(job: ClaimedJob, database: Database, *, pages: int = PAGES_A_JOB) -> Result:
    """Handle one `enforcement_review` job: reckon all that is due today, page by page.

    Each page that is stored is not due any more, so a job that is repeated goes on where it was.
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
    """Queue a review where something is due: one an hour at most, however many workers ask. Raises SourceError."""
    async with database.transaction() as conn:
        state = await read_review_state(conn)
        if state.is_due:
            key = f"{REVIEW_JOB_TYPE}:{state.hour}"
            await queue_job(conn, job_type=REVIEW_JOB_TYPE, payload={}, priority=PRIORITY, idempotency_key=key)
