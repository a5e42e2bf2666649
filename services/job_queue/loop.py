"""Claims jobs, has them handled and settles them, until it is told to stop or fails too often in a row."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

from services.domain.errors import SourceError
from services.domain.services import WorkerType
from services.job_queue.heart import WorkerState
from services.job_queue.jobs import Completed, Failed, HandedBack, Handler, Outcome, failure_of
from services.job_queue.settings import WorkerSettings
from services.job_queue.settle import settle
from services.job_queue.waiting import run_unless, wait_for_any
from services.postgres.pool import Database
from services.postgres.worker import ClaimedJob, claim_job, finish_job, list_own_jobs, reap_jobs
from services.process.database import await_database, retry_delay_s

log = logging.getLogger(__name__)

CRASH_LOOP_AFTER = 10  # failures in a row (runbook, "Job Claiming")
IDLE_NOTE_EVERY_S = 60.0
CLAIM_TIMEOUT_S = 5.0  # milliseconds in practice; a stop waits for it


class CrashLoopError(Exception):
    """So many failures in a row that something other than the jobs must be wrong; a restart may help."""


@dataclass(kw_only=True)
class WorkerLoop:
    """One job at a time. `stop` ends it after the job under way; `bell` cuts its waiting for work short."""

    worker_id: str
    worker_type: WorkerType
    handlers: Mapping[str, Handler]
    database: Database
    settings: WorkerSettings
    state: WorkerState
    stop: asyncio.Event
    bell: asyncio.Event
    _failures: int = field(default=0, init=False)
    _idle_noted_at: float | None = field(default=None, init=False)
    _reap_at: float = field(default=0.0, init=False)

    async def run(self) -> None:
        """Work until `stop` is set. Raises CrashLoopError after `CRASH_LOOP_AFTER` failures in a row."""
        log.info("Entering main loop...")
        self._reap_at = time.monotonic() + self.settings.reap_every_s  # those that start together beat first
        while not self.stop.is_set():
            self.bell.clear()
            try:
                await self._reap_if_due()
                job = await self._claim()
            except SourceError as error:
                await self._recover(error)
                continue
            if job is not None:
                await self._work_on(job)
                continue
            self._note_idle()
            await wait_for_any(self.stop, self.bell, timeout_s=self.settings.poll_every_s)

    async def _claim(self) -> ClaimedJob | None:
        async with self.database.transaction(timeout_s=CLAIM_TIMEOUT_S) as conn:
            return await claim_job(conn, worker_id=self.worker_id, job_types=list(self.handlers))

    async def _reap_if_due(self) -> None:
        if time.monotonic() < self._reap_at:
            return
        self._reap_at = time.monotonic() + self.settings.reap_every_s
        lock_timeout = timedelta(seconds=self.settings.lock_timeout_s)
        async with self.database.transaction(timeout_s=CLAIM_TIMEOUT_S) as conn:
            reaped = await reap_jobs(conn, job_types=list(self.handlers), lock_timeout=lock_timeout)
        for job_id, status in reaped.items():
            log.warning("reap_jobs: job %s of a silent worker -> %s", job_id, status)

    async def _recover(self, error: SourceError) -> None:
        """After a failed claim: an outage is waited out; anything else (a missing grant, say) counts as a failure."""
        log.error("claim_pending_job: %s", error.why)
        if not error.retryable:
            self._count_failure()
        await wait_for_any(self.stop, timeout_s=retry_delay_s(max(self._failures, 1)))
        await run_unless(self.stop, self._reconnect())

    async def _reconnect(self) -> None:
        """Wait for the database, then hand back the job of a claim whose answer was lost: nobody else would miss it."""
        await await_database(self.database, pool_size=self.settings.pool_size)
        with suppress(SourceError):  # gone again: the next claim notices
            async with self.database.transaction(timeout_s=CLAIM_TIMEOUT_S) as conn:
                for job_id in await list_own_jobs(conn, worker_id=self.worker_id):
                    status = await finish_job(conn, job_id=job_id, status="pending", worker_id=self.worker_id)
                    log.info("update_job_status: job %s -> %s", job_id, status)

    async def _work_on(self, job: ClaimedJob) -> None:
        log.info("claim_pending_job: claimed job %s", job.id)
        log.info("[%s] Claimed job: %s", self.worker_type, job.id)
        self.state.begin_job(job.id)
        outcome = await self._handle(job)
        self._tell(job, outcome)
        await settle(self.database, job, outcome, worker_id=self.worker_id, stop=self.stop)
        self.state.end_job()
        if isinstance(outcome, Completed):
            self._failures = 0
        elif isinstance(outcome, Failed) and outcome.ours:
            self._count_failure()

    async def _handle(self, job: ClaimedJob) -> Outcome:
        work = asyncio.ensure_future(self.handlers[job.job_type](job, self.database))
        grace = asyncio.create_task(self._grace_over())
        try:
            await asyncio.wait({work, grace}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            work.cancel()
            grace.cancel()
        await asyncio.wait({work})  # awaiting `work` itself would hide whether it or we were cancelled
        if work.cancelled():
            return HandedBack()
        match work.exception():
            case None:
                return Completed(work.result())
            case Exception() as error:  # whatever a handler raises is the job's failure, never the worker's
                return failure_of(error)
            case fatal:
                raise fatal

    async def _grace_over(self) -> None:
        await self.stop.wait()
        await asyncio.sleep(self.settings.stop_grace_s)

    def _tell(self, job: ClaimedJob, outcome: Outcome) -> None:
        match outcome:
            case Completed():
                log.info("[%s] Job completed: %s", self.worker_type, job.id)
            case Failed(why):
                log.error("[%s] Job failed: %s", self.worker_type, why)
            case HandedBack():
                log.warning("[%s] Job handed back: %s", self.worker_type, job.id)

    def _count_failure(self) -> None:
        self._failures += 1
        if self._failures >= CRASH_LOOP_AFTER:
            raise CrashLoopError

    def _note_idle(self) -> None:
        now = time.monotonic()
        if self._idle_noted_at is None or now - self._idle_noted_at >= IDLE_NOTE_EVERY_S:
            log.info("[%s] No pending jobs found (idle)", self.worker_type)
            self._idle_noted_at = now
