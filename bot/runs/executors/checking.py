"""Looks before and after: is the database ready, do the workers beat, is a job left behind, does nothing run."""

from __future__ import annotations

from bot.facts import HeartbeatReading
from bot.runs.executors.proving import fresh_beats
from bot.runs.executors.stopping import count_processes
from bot.runs.tools import Tools, Watch
from bot.runs.verdicts import Broken, Done, Sight, Unseen, Waiting
from playbooks._steps import CheckWorkersHealthy, VerifyNoOrphanedJobs, VerifyNothingRuns, VerifySchemaHead
from services.domain.deployments import ServiceState
from services.domain.errors import Unavailable
from services.domain.heartbeats import MISSED
from services.domain.jobs import pending_words
from services.domain.runs import StepState
from services.domain.words import age, counted


class DatabaseReady(Watch):
    """The database answers and the queue can be read."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    async def look(self) -> Sight:
        queue = await self._tools.world.queue()
        if isinstance(queue, Unavailable):
            return Unseen(str(queue))
        oldest = f", oldest {age(queue.as_of - queue.oldest_pending_at)}" if queue.oldest_pending_at else ""
        pending = pending_words(queue.pending)
        return Done(f"the database answers; {pending} pending{oldest}", {"pending": pending})


class WorkersHealthy(Watch):
    """At least as many workers beat as are configured; a replaced one may be seen for some minutes yet."""

    def __init__(self, tools: Tools, step: CheckWorkersHealthy) -> None:
        self._tools = tools
        self._step = step

    async def look(self) -> Sight:
        reading = await self._tools.world.heartbeats()
        if isinstance(reading, Unavailable):
            return Unseen(str(reading))
        if not reading.all_visible:
            return Unseen("row-level security may hide heartbeats")
        stale_after = self._tools.world.settings.stale_after
        own = [beat for beat in reading.rows if beat.worker_type == self._step.service.worker_type]
        beating = sum(beat.is_beating(reading.as_of, stale_after) for beat in own)
        words = f"{beating} of {self._step.expected} {self._step.service.short} workers are alive"
        return Done(words) if beating >= self._step.expected else Waiting(words)


class NoOrphanedJobs(Watch):
    """Jobs in processing without a living worker. Finding some is an answer, not a failure: they get a button."""

    unseen = StepState.NOT_PROVED

    def __init__(self, tools: Tools, step: VerifyNoOrphanedJobs) -> None:
        self._tools = tools
        self._service = step.service

    async def look(self) -> Sight:
        jobs = await self._tools.world.running_jobs()
        living = await self._living()
        if isinstance(jobs, Unavailable):
            return Unseen(str(jobs))
        if isinstance(living, Unseen):
            return living
        others = await self._workers_of_others()
        orphans = [job.id for job in jobs if job.locked_by not in living and job.locked_by not in others]
        if not orphans:
            return Done("no job was left behind", {"orphans": []})
        return Done(f"{counted(len(orphans), 'job')} in processing without a living worker", {"orphans": orphans})

    async def _living(self) -> set[str] | Unseen:
        """Nobody, once Railway shows no process; otherwise whoever has beaten since the last act."""
        state = await self._tools.state_of(self._service)
        if not isinstance(state, Unavailable) and count_processes(state) == 0:
            return set()
        beats = await fresh_beats(self._tools, self._service)
        return beats if isinstance(beats, Unseen) else {beat.worker_id for beat in beats}

    async def _workers_of_others(self) -> set[str]:
        """Their jobs are not this service's."""
        reading = await self._tools.world.heartbeats()
        if isinstance(reading, Unavailable):
            return set()
        return {beat.worker_id for beat in reading.rows if beat.worker_type != self._service.worker_type}


class NothingRuns(Watch):
    """No process at Railway, and no worker that beats: what is worked on next must not have anybody in it."""

    timeout_s = MISSED.total_seconds() + 60  # Railway may show a process a little longer than it lives

    def __init__(self, tools: Tools, step: VerifyNothingRuns) -> None:
        self._tools = tools
        self._services = step.services

    async def look(self) -> Sight:
        services = await self._tools.world.railway_services()
        if isinstance(services, Unavailable):
            return Unseen(str(services))
        left = [one.short for one in self._services if _may_run(services.get(one))]
        if left:
            return Waiting(f"{', '.join(left)} may still run")
        reading = await self._tools.world.heartbeats()
        if isinstance(reading, Unavailable):
            return Unseen(str(reading))
        if not reading.all_visible:
            return Unseen("row-level security may hide heartbeats")
        return self._judge(reading)

    def _judge(self, reading: HeartbeatReading) -> Sight:
        """A worker that was killed never said goodbye: it is gone once it has missed two beats."""
        types = {one.worker_type for one in self._services}
        not_gone = [beat for beat in reading.rows if beat.worker_type in types and not beat.is_stopped]
        recent = [beat for beat in not_gone if beat.age(reading.as_of) <= MISSED]
        if recent:
            return Waiting(f"{counted(len(recent), 'worker')} alive within the last {age(MISSED)}")
        return Done("nothing runs, and no worker is alive")


class SchemaHead(Watch):
    """The newest applied migration."""

    def __init__(self, tools: Tools, step: VerifySchemaHead) -> None:
        self._tools = tools
        self._version = step.version

    async def look(self) -> Sight:
        status = await self._tools.world.migrations()
        if isinstance(status, Unavailable):
            return Unseen(str(status))
        if status.head == self._version:
            return Done(f"the schema stands at {status.head or 'nothing'}", {"head": status.head})
        return Broken(f"the schema stands at {status.head or 'nothing'}, not at {self._version or 'nothing'}")


def _may_run(state: ServiceState | None) -> bool:
    """Also what Railway does not tell of."""
    return state is None or state.unknown is not None or count_processes(state) > 0
