"""The worker's heartbeat, in its own database session, so that a worker with a long job does not look dead."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from services.clients.postgres.pool import Database
from services.clients.postgres.worker import ClaimedJob, beat, prune_heartbeats
from services.domain.errors import SourceError


async def wait_for_any(*events: asyncio.Event, timeout_s: float) -> None:
    """Return when one of the events is set, or after `timeout_s` seconds."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


async def run_unless(stop: asyncio.Event, work: Coroutine[Any, Any, object]) -> None:
    """Do the work, or cancel it as soon as `stop` is set. Raises what the work raises."""
    task, stopped = asyncio.ensure_future(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
    finally:
        for left in (task, stopped):
            left.cancel()
        await asyncio.gather(task, stopped, return_exceptions=True)


log = logging.getLogger(__name__)

BUSY_EVERY_S = 5.0  # while a job runs: if the process dies, that is noticed sooner
SHORTEST_GAP_S = 1.0  # a queue of tiny jobs changes the state 1,000 times per second
TIMEOUT_S = 5.0
PROBE_TIMEOUT_S = 2.0
DEAD_ROWS_KEPT = timedelta(days=7)  # long enough to see which processes existed

WorkerStatus = Literal["starting", "running", "stopping", "stopped", "error"]


@dataclass
class WorkerState:
    """The content of the next heartbeat. A change through its methods makes that heartbeat come soon."""

    status: WorkerStatus = "starting"
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    _began: dict[tuple[str, int], datetime] = field(default_factory=dict)  # the oldest first

    @property
    def job(self) -> tuple[str, datetime] | tuple[None, None]:
        """The id of the job that has been running longest, and its start; Nones without a job."""
        return next(((job_id, began) for (job_id, _), began in self._began.items()), (None, None))

    @property
    def claims(self) -> frozenset[tuple[str, int]]:
        """`(job id, claim)` of all running jobs, also those whose outcome is not stored yet."""
        return frozenset(self._began)

    def become(self, status: WorkerStatus) -> None:
        self.status = status
        self.changed.set()

    def begin_job(self, job: ClaimedJob) -> None:
        self._began[job.key] = datetime.now(UTC)
        self.changed.set()

    def end_job(self, job: ClaimedJob) -> None:
        self._began.pop(job.key, None)
        self.changed.set()


class WorkerHeartbeat:
    """Writes the heartbeats of one worker. `database` has its own session; `work_database` is the jobs' pool, which it
    probes."""

    def __init__(
        self,
        state: WorkerState,
        *,
        worker_id: str,
        worker_type: str,
        git_sha: str,
        database: Database,
        work_database: Database,
    ) -> None:
        self._state = state
        self._worker_id = worker_id
        self._worker_type = worker_type
        self._git_sha = git_sha
        self._database = database
        self._work_database = work_database
        self._logged_error = ""

    async def run(self, *, every_s: float) -> None:
        """Beat every `every_s` seconds, every `BUSY_EVERY_S` while a job runs, and at each change of state, until
        cancelled.

        A failed beat is retried with the next one.
        """
        await self._prune()
        while True:
            self._state.changed.clear()
            await self.beat()
            pace_s = min(every_s, BUSY_EVERY_S) if self._state.claims else every_s
            await asyncio.sleep(min(SHORTEST_GAP_S, pace_s))
            await wait_for_any(self._state.changed, timeout_s=max(pace_s - SHORTEST_GAP_S, 0))

    async def beat(self) -> None:
        """Write one beat now. If the database does not answer, log that once per reason, and raise nothing."""
        probe = await self._probe()
        job_id, job_started_at = self._state.job
        try:
            async with self._database.transaction(timeout_s=TIMEOUT_S) as conn:
                await beat(
                    conn,
                    worker_id=self._worker_id,
                    worker_type=self._worker_type,
                    status=self._state.status,
                    git_sha=self._git_sha,
                    current_job_id=job_id,
                    current_job_started_at=job_started_at,
                    database_ok=probe,
                )
        except SourceError as error:
            if error.why != self._logged_error:
                log.warning("heartbeat not written: %s", error.why)
            self._logged_error = error.why
        else:
            self._logged_error = ""

    async def _prune(self) -> None:
        """Delete old rows, once per start: each start leaves a row, and no other role may delete here."""
        with suppress(SourceError):  # the next start retries
            async with self._database.transaction(timeout_s=TIMEOUT_S) as conn:
                await prune_heartbeats(conn, older_than=DEAD_ROWS_KEPT)

    async def _probe(self) -> bool:
        """True if the jobs' own sessions work: the beat's session may work while theirs are exhausted."""
        try:
            async with self._work_database.read(timeout_s=PROBE_TIMEOUT_S):
                return True
        except SourceError:
            return False
