"""Claims jobs, runs their handlers and settles them; returns lost claims to the queue."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from datetime import timedelta

from pydantic import PositiveFloat, PositiveInt

from services.clients.postgres.pool import Database
from services.clients.postgres.worker import ClaimedJob, Ending, finish_and_claim_jobs, list_own_jobs, reap_jobs
from services.domain.errors import SourceError
from services.domain.jobs import BEAT_EVERY
from services.domain.services import WorkerType
from services.job_queue.heartbeat import WorkerState, run_unless, wait_for_any
from services.job_queue.jobs import Completed, Failed, HandedBack, Handler, Outcome, failure_of
from services.process import LONGEST_RETRY_S, ProcessSettings, await_database, retry_delay_s


class WorkerSettings(ProcessSettings):
    """Times in seconds. `stop_grace_s` has to be shorter than Railway's draining time."""

    heartbeat_every_s: PositiveFloat = BEAT_EVERY.total_seconds()  # ten beats fit into the limit for a stale one
    poll_every_s: PositiveFloat = 1.0  # only while no notification arrives: retries become due without one
    stop_grace_s: PositiveFloat = 20.0  # for the running job after SIGTERM; then it is handed back
    concurrency: PositiveInt = 1  # jobs at the same time, each with a session of its own
    claim_batch: PositiveInt = 1  # jobs claimed and settled in one transaction; a crash repeats up to as many
    pool_size: PositiveInt = 2  # 1 for the job, 1 for the heartbeat's probe
    lock_timeout_s: PositiveFloat = 600.0  # after this silence of a worker its job goes to another one
    gone_after_s: PositiveFloat = 17.0  # the same if its sessions are gone too: 3 missed beats of a busy worker
    reap_every_s: PositiveFloat = 5.0

    @property
    def sessions(self) -> int:
        """The size of the pool: at least one session per job, and one for the heartbeat's probe."""
        return max(self.pool_size, self.concurrency + 1)


log = logging.getLogger(__name__)

Done = tuple[ClaimedJob, Outcome]

TIMEOUT_S = 5.0  # milliseconds in practice; a stop waits for it


async def settle_and_claim(
    database: Database, done: Sequence[Done], *, worker_id: str, job_types: Sequence[str], limit: int
) -> tuple[dict[str, str | None], list[ClaimedJob]]:
    """Store the outcomes of attempts and claim the next jobs, in one transaction. Raises SourceError.

    Returns `{job id: its status now}`, None for a job that is no longer ours, and the claimed jobs.
    """
    endings = [_ending(job, outcome) for job, outcome in done]
    return await finish_and_claim_jobs(
        database, endings=endings, worker_id=worker_id, job_types=job_types, limit=limit, timeout_s=TIMEOUT_S
    )


async def settle(database: Database, job: ClaimedJob, outcome: Outcome, *, worker_id: str, stop: asyncio.Event) -> None:
    """Store the outcome after `settle_and_claim` failed with it.

    It retries through an outage, because the work is done and should not be done twice. An outcome that cannot be
    stored becomes a failure. It gives up if the worker stops meanwhile, or cannot store that failure either: the job
    then stays `processing`, is handed back with the lost claims, and counts as an orphan once this worker's heartbeat
    is stale.
    """
    failures, logged = 0, ""
    while True:
        try:
            statuses, _ = await settle_and_claim(database, [(job, outcome)], worker_id=worker_id, job_types=(), limit=0)
        except SourceError as error:
            failures += 1
            if error.why != logged:
                log.warning("update_job_status: job %s not written: %s", job.id, error.why)
            logged = error.why
            if stop.is_set() or (not error.is_outage and isinstance(outcome, Failed)):
                return
            if error.is_outage:
                await wait_for_any(stop, timeout_s=retry_delay_s(failures))
            else:
                outcome = Failed(f"its outcome could not be stored: {error}")
        else:
            log_status(job, statuses[job.id] or "stored before, or no longer ours")
            return


def log_status(job: ClaimedJob, status: str | None) -> None:
    """Log the runbook's line, after the status is stored."""
    log.info("update_job_status: job %s -> %s", job.id, status or "no longer ours, left alone")


def _ending(job: ClaimedJob, outcome: Outcome) -> Ending:
    match outcome:
        case Completed(result):
            return Ending(job.id, "completed", result=result, claim=job.claim)
        case Failed(why, may_retry):
            return Ending(job.id, "failed", error=why, may_retry=may_retry, claim=job.claim)
        case HandedBack():
            return Ending(job.id, "pending", claim=job.claim)


class LostClaims:
    """Jobs that this worker claimed without receiving the answer. No other worker reclaims them while this one sends
    heartbeats.

    A work loop holds `claiming` from before its claim until the jobs are in the worker's state: so jobs that another
    loop has just claimed, and whose answer is still on its way, don't count as lost.
    """

    def __init__(self, database: Database, state: WorkerState, *, worker_id: str, slots: int) -> None:
        self.claiming = asyncio.Semaphore(slots)
        self._database = database
        self._state = state
        self._worker_id = worker_id
        self._slots = slots
        self._looking = asyncio.Lock()  # two callers that each hold some slots would wait forever

    async def hand_back(self) -> None:
        """Return lost claims to the queue, between claims: wait for those in progress, and make the next ones wait.
        Raises SourceError."""
        async with self._looking, AsyncExitStack() as held:
            for _ in range(self._slots):
                await held.enter_async_context(self.claiming)
            known = self._state.claims
            async with self._database.read(timeout_s=TIMEOUT_S) as conn:
                owned = await list_own_jobs(conn, worker_id=self._worker_id)
            lost_claims = [
                Ending(job_id, "pending", claim=claim) for job_id, claim in owned if (job_id, claim) not in known
            ]
            if lost_claims:
                await self._hand_back(lost_claims)

    async def _hand_back(self, lost_claims: Sequence[Ending]) -> None:
        statuses, _ = await finish_and_claim_jobs(
            self._database, endings=lost_claims, worker_id=self._worker_id, job_types=(), limit=0, timeout_s=TIMEOUT_S
        )
        for job_id, status in statuses.items():
            log.info("update_job_status: job %s -> %s", job_id, status)


CRASH_LOOP_AFTER = 10  # failures in a row (runbook, "Job Claiming")
IDLE_NOTE_EVERY_S = 60.0
CLAIM_TIMEOUT_S = 5.0  # milliseconds in practice; a stop waits for it


class CrashLoopError(Exception):
    """So many failures in a row that the cause can't be the jobs; a restart may help."""


@dataclass(kw_only=True)
class WorkerLoop:
    """Handles `concurrency` jobs at a time. `stop` ends it after the running jobs; `wake` ends its wait for work."""

    worker_id: str
    worker_type: WorkerType
    handlers: Mapping[str, Handler]
    database: Database
    settings: WorkerSettings
    state: WorkerState
    stop: asyncio.Event
    wake: asyncio.Event
    _lost_claims: LostClaims = field(init=False)
    _failures: int = field(default=0, init=False)
    _refusals: int = field(default=0, init=False)  # in a row, by a database that refuses every write
    _logged_error: str = field(default="", init=False)
    _idle_noted_at: float | None = field(default=None, init=False)
    _reap_at: float = field(default=0.0, init=False)
    _trusts_silence_at: float = field(default=0.0, init=False)
    _handling: set[asyncio.Timeout] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        slots = self.settings.concurrency
        self._lost_claims = LostClaims(self.database, self.state, worker_id=self.worker_id, slots=slots)

    async def run(self) -> None:
        """Work until `stop` is set. Raises CrashLoopError after `CRASH_LOOP_AFTER` failures in a row."""
        log.info("Entering main loop...")
        self._reap_at = time.monotonic() + self.settings.reap_every_s  # workers that start together beat first
        async with asyncio.TaskGroup() as group:
            grace = group.create_task(self._end_grace())
            slots = [group.create_task(self._work()) for _ in range(self.settings.concurrency)]
            await asyncio.wait(slots)
            grace.cancel()
        if self._is_crash_loop:
            raise CrashLoopError

    @property
    def _longest_return_s(self) -> float:
        """The seconds that another worker may need after an outage until it beats again."""
        return LONGEST_RETRY_S + self.settings.gone_after_s

    @property
    def _is_crash_loop(self) -> bool:
        return self._failures >= CRASH_LOOP_AFTER

    @property
    def _is_ending(self) -> bool:
        return self.stop.is_set() or self._is_crash_loop

    async def _work(self) -> None:
        """One work loop: settling the last jobs and claiming the next ones share a round trip and a commit."""
        done: list[Done] = []
        while done or not self._is_ending:
            self.wake.clear()
            try:
                await self._reap_if_due()
                jobs = await self._settle_and_claim(done)
            except SourceError as error:
                await self._settle_one_by_one(done)
                await self._recover(error)
                continue
            finally:
                done = []
            if jobs:
                done = [(job, await self._work_on(job)) for job in jobs]
                if any(isinstance(outcome, HandedBack) and outcome.why for _, outcome in done):
                    await self._wait_for_writes()
            elif not self._is_ending:
                self._refusals = 0
                self._note_idle()
                await wait_for_any(self.stop, self.wake, timeout_s=self.settings.poll_every_s)

    async def _settle_and_claim(self, done: Sequence[Done]) -> list[ClaimedJob]:
        wanted = 0 if self._is_ending else self.settings.claim_batch
        async with self._lost_claims.claiming:
            statuses, jobs = await settle_and_claim(
                self.database, done, worker_id=self.worker_id, job_types=list(self.handlers), limit=wanted
            )
            self._logged_error = ""
            for job, _ in done:
                log_status(job, statuses[job.id])
                self.state.end_job(job)
            for job in jobs:
                log.info("claim_pending_job: claimed job %s", job.id)
                self.state.begin_job(job)
        return jobs

    async def _settle_one_by_one(self, done: Sequence[Done]) -> None:
        for job, outcome in done:
            await settle(self.database, job, outcome, worker_id=self.worker_id, stop=self.stop)
            self.state.end_job(job)

    async def _reap_if_due(self) -> None:
        if time.monotonic() < self._reap_at:
            return
        self._reap_at = time.monotonic() + self.settings.reap_every_s
        lock_timeout = timedelta(seconds=self.settings.lock_timeout_s)
        async with self.database.transaction(timeout_s=CLAIM_TIMEOUT_S) as conn:
            reaped = await reap_jobs(
                conn, job_types=list(self.handlers), lock_timeout=lock_timeout, gone_after=self._gone_after()
            )
        for job_id, status in reaped.items():
            log.warning("reap_jobs: job %s of a silent worker -> %s", job_id, status)
        # A claim that was sent during an outage may take effect long after it.
        await run_unless(self.stop, self._lost_claims.hand_back())

    def _gone_after(self) -> timedelta | None:
        """The silence after which a worker counts as gone; None shortly after an outage, when other workers may still
        be returning."""
        if time.monotonic() < self._trusts_silence_at:
            return None
        return timedelta(seconds=self.settings.gone_after_s)

    async def _recover(self, error: SourceError) -> None:
        """After a failed claim: wait for the end of an outage; any other error (a missing grant, say) is a failure."""
        if error.why != self._logged_error or not error.is_outage:
            log.error("claim_pending_job: %s", error.why)
        self._logged_error = error.why
        self._trusts_silence_at = time.monotonic() + self._longest_return_s
        if not error.is_outage:
            self._failures += 1
        if error.takes_no_writes:  # it answers reads, so only the next claim can show the recovery
            await self._wait_for_writes()
            return
        await wait_for_any(self.stop, timeout_s=retry_delay_s(max(self._failures, 1)))
        await run_unless(self.stop, self._reconnect())

    async def _wait_for_writes(self) -> None:
        self._refusals += 1
        await wait_for_any(self.stop, timeout_s=retry_delay_s(self._refusals))

    async def _reconnect(self) -> None:
        """Wait for the database, then hand back the jobs of a claim whose answer was lost."""
        await await_database(self.database, pool_size=self.settings.sessions)
        with suppress(SourceError):  # unavailable again: the next claim will see that
            await self._lost_claims.hand_back()

    async def _work_on(self, job: ClaimedJob) -> Outcome:
        if self._is_ending:  # the rest of a claimed batch
            outcome: Outcome = HandedBack()
        else:
            log.info("[%s] Claimed job: %s", self.worker_type, job.id)
            outcome = await self._handle(job)
        self._log_outcome(job, outcome)
        if isinstance(outcome, Completed):
            self._failures = self._refusals = 0
        elif isinstance(outcome, Failed) and outcome.ours:
            self._failures += 1
            if self._is_crash_loop:
                self.wake.set()  # the other work loops end too
        return outcome

    async def _handle(self, job: ClaimedJob) -> Outcome:
        try:
            async with asyncio.timeout(None) as grace:
                self._handling.add(grace)
                return Completed(await self.handlers[job.job_type](job, self.database))
        except Exception as error:  # any exception of a handler is the job's failure, never the worker's
            return HandedBack() if grace.expired() else failure_of(error)
        finally:
            self._handling.discard(grace)

    async def _end_grace(self) -> None:
        """Once the worker has to stop, give running jobs `stop_grace_s` more, then hand them back."""
        await self.stop.wait()
        await asyncio.sleep(self.settings.stop_grace_s)
        for grace in self._handling:
            grace.reschedule(0)

    def _log_outcome(self, job: ClaimedJob, outcome: Outcome) -> None:
        match outcome:
            case Completed():
                log.info("[%s] Job completed: %s", self.worker_type, job.id)
            case Failed(why):
                log.error("[%s] Job failed: %s", self.worker_type, why)
            case HandedBack(why):
                log.warning("[%s] Job handed back: %s%s", self.worker_type, job.id, f" ({why})" if why else "")

    def _note_idle(self) -> None:
        now = time.monotonic()
        if self._idle_noted_at is None or now - self._idle_noted_at >= IDLE_NOTE_EVERY_S:
            log.info("[%s] No pending jobs found (idle)", self.worker_type)
            self._idle_noted_at = now
