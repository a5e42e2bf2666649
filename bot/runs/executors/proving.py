"""Proves a change by the system's own word: heartbeats, health, startup lines. Railway's word is not enough."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.facts import HeartbeatReading
from bot.runs.tools import Tools, Watch
from bot.runs.verdicts import Done, Sight, Unseen, Waiting
from playbooks._steps import VerifyApiHealth, VerifyHeartbeats, VerifySha, VerifyStartupLog
from services.domain.errors import Unavailable
from services.domain.heartbeats import MISSED, Heartbeat
from services.domain.runs import StepState
from services.domain.services import Service, WorkerType
from services.domain.sha import same_sha, short_sha

STARTUP_LINES = ("DRAGONFLY WORKER STARTING", "PostgreSQL connection established", "Entering main loop")
_LOG_LINES = 500  # a start writes a dozen; the rest is work that came in meanwhile


class HeartbeatsAppear(Watch):
    """Exactly as many workers beat as wanted, each since the last act: what beat before it proves nothing."""

    unseen = StepState.NOT_PROVED

    def __init__(self, tools: Tools, step: VerifyHeartbeats) -> None:
        self.timeout_s = step.timeout_s
        self._tools = tools
        self._step = step

    async def look(self) -> Sight:
        beats = await fresh_beats(self._tools, self._step.service)
        if isinstance(beats, Unseen):
            return beats
        count = f"{len(beats)} of {self._step.expected} {self._step.service.short} workers"
        if len(beats) != self._step.expected:
            return Waiting(f"{count} have beaten since the change")
        return Done(f"{count} alive", {"workers": [beat.worker_id for beat in beats]})


class ShaReported(Watch):
    """The process itself reports the commit: the API in its health, every fresh worker in its heartbeat."""

    unseen = StepState.NOT_PROVED

    def __init__(self, tools: Tools, step: VerifySha) -> None:
        self.timeout_s = step.timeout_s
        self._tools = tools
        self._step = step

    async def look(self) -> Sight:
        if self._step.service.worker_type is None:
            return await self._look_at_api()
        beats = await fresh_beats(self._tools, self._step.service)
        return beats if isinstance(beats, Unseen) else self._judge([beat.git_sha for beat in beats])

    async def _look_at_api(self) -> Sight:
        health = await self._tools.world.api_health()
        if isinstance(health, Unavailable):
            return Unseen(str(health))
        return self._judge([health.git_sha])

    def _judge(self, reported: Sequence[str | None]) -> Sight:
        short = self._step.service.short
        if not reported:
            return Waiting(f"no {short} worker has beaten since")
        other = [sha for sha in reported if sha is None or not same_sha(sha, self._step.sha)]
        if other:
            return Waiting(f"{len(other)} of {len(reported)} report {short_sha(other[0])}")
        return Done(f"{short} reports {short_sha(self._step.sha)}", {"sha": self._step.sha, "reports": len(reported)})


class StartupLogged(Watch):
    """The runbook's startup lines. Log lines can be dropped, and the heartbeats decide: never more than not proved."""

    unseen = StepState.NOT_PROVED

    def __init__(self, tools: Tools, step: VerifyStartupLog) -> None:
        self.timeout_s = step.timeout_s
        self._tools = tools
        self._service = step.service

    async def look(self) -> Sight:
        state = await self._tools.state_of(self._service)
        if isinstance(state, Unavailable):
            return Unseen(str(state))
        if state.current is None:
            return Unseen(f"{self._service.short} has no deployment")
        lines = await self._tools.world.logs(state.current.id, limit=_LOG_LINES)
        if isinstance(lines, Unavailable):
            return Unseen(str(lines))
        began = self._began()
        new = "\n".join(line.message for line in lines if line.timestamp >= began)
        missing = [wanted for wanted in STARTUP_LINES if wanted not in new]
        return Unseen("the log lacks: " + ", ".join(missing)) if missing else Done("all three startup lines")

    def _began(self) -> datetime:
        """The lines may be older than the end of the act, which is read back late."""
        act = self._tools.last_act(self._service)
        return (act and act.row.started_at) or self._tools.since(self._service)


class ApiHealthy(Watch):
    """`/api/health` is ok. An API that does not answer is not healthy; one without settings cannot be seen."""

    def __init__(self, tools: Tools, step: VerifyApiHealth) -> None:
        self.timeout_s = step.timeout_s
        self._tools = tools
        self.unseen = StepState.NOT_PROVED if tools.world.api is None else StepState.FAILED

    async def look(self) -> Sight:
        health = await self._tools.world.api_health()
        if isinstance(health, Unavailable):
            return Unseen(str(health))
        if health.is_ok:
            return Done("the API is healthy", {"sha": health.git_sha})
        return Waiting(f"the API answers {health.status} (HTTP {health.http_status})")


async def fresh_beats(tools: Tools, service: Service) -> list[Heartbeat] | Unseen:
    """The service's workers that have beaten since the last act on it, and have not said goodbye or missed two beats.

    One that the act replaced may beat once more before it is killed; it drops out when it falls silent.
    """
    reading = await tools.world.heartbeats()
    if isinstance(reading, Unavailable):
        return Unseen(str(reading))
    if not reading.all_visible:
        return Unseen("row-level security may hide heartbeats")
    since = tools.since(service)
    alive = [beat for beat in _of(reading, service.worker_type) if beat.is_beating(reading.as_of, MISSED)]
    return [beat for beat in alive if beat.last_heartbeat_at >= since]


def _of(reading: HeartbeatReading, worker_type: WorkerType | None) -> list[Heartbeat]:
    return [beat for beat in reading.rows if beat.worker_type == worker_type and not beat.is_stopped]
