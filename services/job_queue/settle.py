"""Writes down what became of a job, in the log and in the queue."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from services.domain.errors import SourceError
from services.job_queue.jobs import Completed, Failed, HandedBack, Outcome
from services.job_queue.waiting import wait_for_any
from services.postgres.pool import Database
from services.postgres.worker import ClaimedJob, Ending, finish_and_claim_jobs
from services.process.database import retry_delay_s

log = logging.getLogger(__name__)

Done = tuple[ClaimedJob, Outcome]

TIMEOUT_S = 5.0  # milliseconds in practice; a stop waits for it


async def settle_and_claim(
    database: Database, done: Sequence[Done], *, worker_id: str, job_types: Sequence[str], limit: int
) -> tuple[dict[str, str | None], list[ClaimedJob]]:
    """Store how attempts ended and take the next jobs, or neither. Raises SourceError.

    `{job id: its status now}`, None where a job is not ours any more, and what is ours now.
    """
    endings = [_ending(job, outcome) for job, outcome in done]
    return await finish_and_claim_jobs(
        database, endings=endings, worker_id=worker_id, job_types=job_types, limit=limit, timeout_s=TIMEOUT_S
    )


async def settle(database: Database, job: ClaimedJob, outcome: Outcome, *, worker_id: str, stop: asyncio.Event) -> None:
    """Store the outcome after `settle_and_claim` failed with it.

    Through an outage it is tried again, because the work is done and should not be done twice. An outcome that cannot
    be stored is a failure. Given up when the worker stops meanwhile, or cannot even store that: the job then stays
    `processing`, is handed back with the strays, and is found as an orphan once this worker no longer beats.
    """
    failures, told = 0, ""
    while True:
        try:
            statuses, _ = await settle_and_claim(database, [(job, outcome)], worker_id=worker_id, job_types=(), limit=0)
        except SourceError as error:
            failures += 1
            if error.why != told:
                log.warning("update_job_status: job %s not written: %s", job.id, error.why)
            told = error.why
            if stop.is_set() or (not error.is_outage and isinstance(outcome, Failed)):
                return
            if error.is_outage:
                await wait_for_any(stop, timeout_s=retry_delay_s(failures))
            else:
                outcome = Failed(f"its outcome could not be stored: {error}")
        else:
            tell_status(job, statuses[job.id] or "stored before, or no longer ours")
            return


def tell_status(job: ClaimedJob, status: str | None) -> None:
    """The runbook's line, once it is stored."""
    log.info("update_job_status: job %s -> %s", job.id, status or "no longer ours, left alone")


def _ending(job: ClaimedJob, outcome: Outcome) -> Ending:
    match outcome:
        case Completed(result):
            return Ending(job.id, "completed", result=result, claim=job.claim)
        case Failed(why, may_retry):
            return Ending(job.id, "failed", error=why, may_retry=may_retry, claim=job.claim)
        case HandedBack():
            return Ending(job.id, "pending", claim=job.claim)
