"""Watches a service for a while after one more replica, and goes back to the last good count when it gets worse."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.runs.executors.guard import BEFORE, ONE_BEAT, Facts, find_breach, find_silent
from bot.runs.executors.scaling import Scale
from bot.runs.tools import Act, Tools, Watch
from bot.runs.verdicts import Broken, Done, Sight, Unseen, Waiting
from playbooks._steps import ScaleService, Soak, VerifyHeartbeats
from services.domain.deployments import ServiceState
from services.domain.errors import Unavailable
from services.domain.runs import StepState
from services.domain.words import age

LAST_BEATS = ONE_BEAT  # how long after the soak's time each worker may take for its last beat


class WatchWhileSoaking(Watch):
    """A source that is silent until the end leaves it unproved; the time itself has to pass in any case."""

    unseen = StepState.NOT_PROVED

    def __init__(self, tools: Tools, step: Soak) -> None:
        # The last beats may be due after the time is up, and the last look takes its time.
        self.timeout_s = step.seconds + (LAST_BEATS.total_seconds() + tools.world.settings.source_timeout_s) * 2
        self._tools = tools
        self._step = step

    def remedy(self) -> Act:
        """Back to the last good count."""
        back = ScaleService(self._step.service, self._step.fall_back_to + 1, self._step.fall_back_to)
        return Scale(self._tools, back)

    async def look(self) -> Sight:
        facts = await self._gather()
        if isinstance(facts, Unavailable):
            return Unseen(str(facts))
        breach = find_breach(facts)
        if breach is not None:
            return Broken(breach, {"breach": breach})
        left = timedelta(seconds=self._step.seconds) - facts.elapsed
        if left > timedelta():
            return Waiting(f"nothing got worse; {age(left)} left")
        silent = find_silent(facts)
        if silent is not None:
            return Waiting(f"nothing got worse; {silent}") if left > -LAST_BEATS else Broken(silent, {"breach": silent})
        return Done(f"nothing got worse in {age(facts.elapsed)}", {"completed": facts.since.completed})

    async def _gather(self) -> Facts | Unavailable:
        world = self._tools.world
        reading = await world.heartbeats()
        if isinstance(reading, Unavailable):
            return reading
        began = self._tools.row.started_at or reading.as_of
        spans = [(self._came() - BEFORE, self._came()), (began, reading.as_of)]
        outcomes, queue, locks = await world.job_outcomes(spans), await world.queue(), await world.lock_waits()
        state = await self._tools.state_of(self._step.service)
        for fact in (outcomes, queue, locks, state):
            if isinstance(fact, Unavailable):
                return fact
        return Facts(
            as_of=reading.as_of,
            began=began,
            before=outcomes[0],  # type: ignore[index] # not Unavailable, as seen above
            since=outcomes[1],  # type: ignore[index]
            pending=queue.pending,  # type: ignore[union-attr]
            locks=locks,  # type: ignore[arg-type]
            beats=[beat for beat in reading.rows if beat.worker_type == self._step.service.worker_type],
            expected=self._expected(),
            crashed=_crashed(state),  # type: ignore[arg-type]
        )

    def _came(self) -> datetime:
        """When the new replica came: what was before then is what it is compared with."""
        act = self._tools.last_act(self._step.service)
        return (act and act.row.started_at) or self._tools.since(self._step.service)

    def _expected(self) -> int | None:
        """As many workers as beat when the soak began, by the step before; None for the API, which does not beat."""
        counts = [
            past.step.expected
            for past in self._tools.past
            if isinstance(past.step, VerifyHeartbeats) and past.step.service is self._step.service
        ]
        return counts[-1] if counts else None


def _crashed(state: ServiceState) -> int:
    """How many instances of what serves have crashed; one that was replaced is no loss."""
    serving = state.current
    return sum(instance.status == "CRASHED" for instance in serving.instances) if serving else 0
