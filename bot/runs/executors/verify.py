"""Verifies the system before and after a change: heartbeats, health, startup lines, database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.runs.executor import Done, Failed, Sight, Tools, Unknown, Waiting, WaitStep
from bot.runs.executors.scale import count_processes
from playbooks.log_patterns import PATTERNS_BY_NAME
from playbooks.steps import (
    CheckDatabaseReady,
    CheckWorkersHealthy,
    VerifyApiHealth,
    VerifyHeartbeats,
    VerifyNoOrphanedJobs,
    VerifyNothingRuns,
    VerifySchemaHead,
    VerifySha,
    VerifyStartupLog,
)
from services.clients.postgres.operated import list_running_jobs, read_heartbeats
from services.clients.railway.client import RailwayClient
from services.domain.deployments import ServiceState
from services.domain.errors import Unavailable
from services.domain.jobs import MISSED, Heartbeat, HeartbeatReading, pending_words
from services.domain.runs import StepState
from services.domain.services import Service, WorkerType, same_sha, short_sha
from services.domain.text import age, counted
from services.domain.thresholds import StaleLimits

_LOG_LINES = 500  # a start writes a dozen; the rest is later work


class HeartbeatsAppear(WaitStep[VerifyHeartbeats]):
    """Waits until exactly the expected number of workers have sent a heartbeat since the last act. Earlier ones prove
    nothing."""

    when_unknown = StepState.NOT_PROVED

    async def observe(self) -> Sight:
        beats = await fresh_beats(self._tools, self._step.service)
        if isinstance(beats, Unknown):
            return beats
        count = f"{len(beats)} of {self._step.expected} {self._step.service.short} workers"
        if len(beats) != self._step.expected:
            return Waiting(f"{count} have sent a heartbeat since the change")
        return Done(f"{count} alive", {"workers": [beat.worker_id for beat in beats]})


class ShaReported(WaitStep[VerifySha]):
    """Verifies the commit that the process itself reports: the API in its health, each worker in its heartbeat."""

    when_unknown = StepState.NOT_PROVED

    async def observe(self) -> Sight:
        if self._step.service.worker_type is None:
            return await self._check_api()
        beats = await fresh_beats(self._tools, self._step.service, with_commits=True)
        return beats if isinstance(beats, Unknown) else self._judge([beat.git_sha for beat in beats])

    async def _check_api(self) -> Sight:
        health = await self._tools.world.api_health()
        if isinstance(health, Unavailable):
            return Unknown(str(health))
        if health.git_sha is None:
            return Done("the API does not report its commit", proved=False)
        return self._judge([health.git_sha])

    def _judge(self, reported: Sequence[str | None]) -> Sight:
        short = self._step.service.short
        if not reported:
            return Waiting(f"no {short} worker has sent a heartbeat since")
        known = [sha for sha in reported if sha is not None]
        other = [sha for sha in known if not same_sha(sha, self._step.sha)]
        if other:
            return Waiting(f"{len(other)} of {len(reported)} report {short_sha(other[0])}")
        if len(known) < len(reported):
            return Unknown(f"{len(reported) - len(known)} of {len(reported)} {short} do not report their commit")
        return Done(f"{short} reports {short_sha(self._step.sha)}", {"sha": self._step.sha, "reports": len(reported)})


class StartupLogged(WaitStep[VerifyStartupLog]):
    """Looks for the runbook's startup lines. Log lines can be dropped, and heartbeats decide: it ends at worst as not
    proved."""

    when_unknown = StepState.NOT_PROVED

    async def observe(self) -> Sight:
        state = await self._tools.state_of(self._step.service)
        if isinstance(state, Unavailable):
            return Unknown(str(state))
        if state.current is None:
            return Unknown(f"{self._step.service.short} has no deployment")
        lines = await self._tools.world.ask_railway(RailwayClient.read_logs, state.current.id, limit=_LOG_LINES)
        if isinstance(lines, Unavailable):
            return Unknown(str(lines))
        began = self._began()
        new = "\n".join(line.message for line in lines if line.timestamp >= began)
        patterns = PATTERNS_BY_NAME[self._tools.world.system.log_patterns]
        missing = [wanted for wanted in patterns.startup if wanted not in new]
        return Unknown("the log lacks: " + ", ".join(missing)) if missing else Done("all three startup lines")

    def _began(self) -> datetime:
        """The start of the act: the lines may be older than its end, which is read back late."""
        act = self._tools.last_act(self._step.service)
        return (act and act.row.started_at) or self._tools.since(self._step.service)


class ApiHealthy(WaitStep[VerifyApiHealth]):
    """Waits until `/api/health` is ok. An API that does not answer fails; one that is not configured is not proved."""

    def __init__(self, tools: Tools, step: VerifyApiHealth) -> None:
        super().__init__(tools, step)
        self.when_unknown = StepState.NOT_PROVED if tools.world.api is None else StepState.FAILED

    async def observe(self) -> Sight:
        health = await self._tools.world.api_health()
        if isinstance(health, Unavailable):
            return Unknown(str(health))
        if health.is_ok:
            return Done("the API is healthy", {"sha": health.git_sha})
        return Waiting(f"the API answers {health.status} (HTTP {health.http_status})")


async def fresh_beats(tools: Tools, service: Service, *, with_commits: bool = False) -> list[Heartbeat] | Unknown:
    """Return the service's workers with a heartbeat since the last act on it, without a reported stop or two missed
    heartbeats.

    `with_commits`: add the commits that only their logs show. A worker that the act replaced may send one more
    heartbeat before it is killed; it drops out when its heartbeat gets old.
    """
    reading = await tools.world.read(read_heartbeats)
    if isinstance(reading, Unavailable):
        return Unknown(str(reading))
    if not reading.all_visible:
        return Unknown("row-level security may hide heartbeats")
    if with_commits:
        reading = await tools.world.with_commits(reading)
    since = tools.since(service)
    alive = [beat for beat in _of(reading, service.worker_type) if beat.is_beating(reading.as_of, StaleLimits(MISSED))]
    return [beat for beat in alive if beat.last_heartbeat_at >= since]


def _of(reading: HeartbeatReading, worker_type: WorkerType | None) -> list[Heartbeat]:
    return [beat for beat in reading.rows if beat.worker_type == worker_type and not beat.is_stopped]


class DatabaseReady(WaitStep[CheckDatabaseReady]):
    """Verifies that the database answers and the queue can be read."""

    async def observe(self) -> Sight:
        queue = await self._tools.world.queue()
        if isinstance(queue, Unavailable):
            return Unknown(str(queue))
        oldest = f", oldest {age(queue.as_of - queue.oldest_pending_at)}" if queue.oldest_pending_at else ""
        pending = pending_words(queue.pending)
        return Done(f"the database answers; {pending} pending{oldest}", {"pending": pending})


class WorkersHealthy(WaitStep[CheckWorkersHealthy]):
    """Waits until at least the configured number of workers have fresh heartbeats; a replaced one may still count for
    some minutes."""

    async def observe(self) -> Sight:
        reading = await self._tools.world.read(read_heartbeats)
        if isinstance(reading, Unavailable):
            return Unknown(str(reading))
        if not reading.all_visible:
            return Unknown("row-level security may hide heartbeats")
        stale_after = self._tools.world.settings.stale_after
        own = [beat for beat in reading.rows if beat.worker_type == self._step.service.worker_type]
        beating = sum(beat.is_beating(reading.as_of, stale_after) for beat in own)
        words = f"{beating} of {self._step.expected} {self._step.service.short} workers are alive"
        return Done(words) if beating >= self._step.expected else Waiting(words)


class NoOrphanedJobs(WaitStep[VerifyNoOrphanedJobs]):
    """Finds jobs in processing without a living worker. Finding some is an answer, not a failure: they get a button."""

    when_unknown = StepState.NOT_PROVED

    async def observe(self) -> Sight:
        jobs = await self._tools.world.read(list_running_jobs)
        living = await self._live_workers()
        if isinstance(jobs, Unavailable):
            return Unknown(str(jobs))
        if isinstance(living, Unknown):
            return living
        others = await self._workers_of_others()
        orphans = [job.id for job in jobs if job.locked_by not in living and job.locked_by not in others]
        if not orphans:
            return Done("no job was left behind", {"orphans": []})
        return Done(f"{counted(len(orphans), 'job')} in processing without a living worker", {"orphans": orphans})

    async def _live_workers(self) -> set[str] | Unknown:
        """No workers once Railway shows no process; else the workers with a heartbeat since the last act."""
        state = await self._tools.state_of(self._step.service)
        if not isinstance(state, Unavailable) and count_processes(state) == 0:
            return set()
        beats = await fresh_beats(self._tools, self._step.service)
        return beats if isinstance(beats, Unknown) else {beat.worker_id for beat in beats}

    async def _workers_of_others(self) -> set[str]:
        """Ids of other services' workers, whose jobs are not this service's."""
        reading = await self._tools.world.read(read_heartbeats)
        if isinstance(reading, Unavailable):
            return set()
        return {beat.worker_id for beat in reading.rows if beat.worker_type != self._step.service.worker_type}


class NothingRuns(WaitStep[VerifyNothingRuns]):
    """Waits until Railway shows no process and no worker has a heartbeat: none may use what the next step changes."""

    timeout_s = MISSED.total_seconds() + 60  # Railway may show a process a little after it ended

    async def observe(self) -> Sight:
        services = await self._tools.world.railway_services()
        if isinstance(services, Unavailable):
            return Unknown(str(services))
        left = [one.short for one in self._step.services if _may_run(services.get(one))]
        if left:
            return Waiting(f"{', '.join(left)} may still run")
        reading = await self._tools.world.read(read_heartbeats)
        if isinstance(reading, Unavailable):
            return Unknown(str(reading))
        if not reading.all_visible:
            return Unknown("row-level security may hide heartbeats")
        return self._judge(reading)

    def _judge(self, reading: HeartbeatReading) -> Sight:
        """Judge by heartbeats. A killed worker reports no stop: it counts as gone once it has missed two heartbeats."""
        types = {one.worker_type for one in self._step.services}
        not_gone = [beat for beat in reading.rows if beat.worker_type in types and not beat.is_stopped]
        recent = [beat for beat in not_gone if beat.age(reading.as_of) <= MISSED]
        if recent:
            return Waiting(f"{counted(len(recent), 'worker')} alive within the last {age(MISSED)}")
        return Done("nothing runs, and no worker is alive")


class SchemaHead(WaitStep[VerifySchemaHead]):
    """Verifies that the newest applied migration is the expected one."""

    async def observe(self) -> Sight:
        status = await self._tools.world.migrations()
        if isinstance(status, Unavailable):
            return Unknown(str(status))
        if status.head == self._step.version:
            return Done(f"the schema is at {status.head or 'nothing'}", {"head": status.head})
        return Failed(f"the schema is at {status.head or 'nothing'}, not at {self._step.version or 'nothing'}")


def _may_run(state: ServiceState | None) -> bool:
    """True if the service may run, also if Railway does not report it."""
    return state is None or state.unknown is not None or count_processes(state) > 0
