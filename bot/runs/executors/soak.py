"""Soaks a service after scaling up, and reverts the scaling when its error rate rises.

The runbook's own checks ("Scale 1 → N"): throughput, the failed share, locks not granted, heartbeats.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.runs.executor import Done, Failed, Sight, Unknown, Waiting, WaitStep
from bot.runs.executors.scale import Scale
from playbooks.steps import ScaleService, Soak, VerifyHeartbeats
from services.clients.postgres.operated import list_job_outcomes, list_lock_waits, read_heartbeats
from services.domain.deployments import ServiceState
from services.domain.errors import Unavailable
from services.domain.jobs import BEAT_EVERY, MISSED, Heartbeat, JobOutcomes, LockWait, pending_words
from services.domain.runs import StepState
from services.domain.text import age, counted

BEFORE = timedelta(minutes=10)  # the runbook's time window
ENOUGH_JOBS = 10  # fewer give no reliable share or rate
WORSE_SHARE = 0.1  # 10 percentage points more of the jobs fail
SLOWER = 0.5  # half the rate, while jobs wait
SETTLED_AFTER = timedelta(seconds=60)  # a rate over a shorter time is noise
LONG_WAIT_S = 10.0  # a longer wait for a lock is contention
ONE_BEAT = BEAT_EVERY + timedelta(seconds=5)  # writing one takes a moment


@dataclass(frozen=True)
class Facts:
    """Facts about a soak. `before` and `since`: job outcomes in the 10 min before the replica came, and since the soak
    began.

    as_of: the database's clock. began: when the soak began. pending: jobs that wait. expected: workers that should have
    fresh heartbeats. crashed: instances of the active deployment that crashed according to Railway; a heartbeat stays
    fresh for a while after its worker died.
    """

    as_of: datetime
    began: datetime
    before: JobOutcomes
    since: JobOutcomes
    pending: int
    locks: Sequence[LockWait]
    beats: Sequence[Heartbeat]
    expected: int | None
    crashed: int = 0

    @property
    def elapsed(self) -> timedelta:
        return self.as_of - self.began


def find_breach(facts: Facts) -> str | None:
    """Return what got worse, as a clause; None if nothing did."""
    return _crashed(facts) or _workers_lost(facts) or _locks_wait(facts) or _more_fail(facts) or _slower(facts)


def find_missing_heartbeats(facts: Facts) -> str | None:
    """Return, as a clause, that workers had no heartbeat within the last interval, so the last may have died; None if
    all had.

    Heartbeats from before the soak began prove nothing.
    """
    since = max(facts.began, facts.as_of - ONE_BEAT)
    beating = sum(beat.last_heartbeat_at >= since and not beat.is_stopped for beat in facts.beats)
    if facts.expected is None or beating >= facts.expected:
        return None
    return f"{beating} of {facts.expected} workers were alive in the last {ONE_BEAT.total_seconds():.0f} s"


def _crashed(facts: Facts) -> str | None:
    return f"{counted(facts.crashed, 'instance')} crashed (Railway)" if facts.crashed else None


def _workers_lost(facts: Facts) -> str | None:
    beating = sum(beat.age(facts.as_of) <= MISSED and not beat.is_stopped for beat in facts.beats)
    if facts.expected is None or beating >= facts.expected:
        return None
    return f"{beating} of {facts.expected} workers are alive"


def _locks_wait(facts: Facts) -> str | None:
    """Report lock waits that began during the soak: older ones are not caused by the new replica."""
    new = [lock for lock in facts.locks if LONG_WAIT_S <= lock.waiting_s <= facts.elapsed.total_seconds()]
    longest = max((lock.waiting_s for lock in new), default=0.0)
    return f"{counted(len(new), 'lock')} not granted, the longest for {longest:.0f} s" if new else None


def _more_fail(facts: Facts) -> str | None:
    worse = facts.since.failed_share - facts.before.failed_share > WORSE_SHARE
    if facts.since.ended < ENOUGH_JOBS or not worse:
        return None
    return f"{facts.since.failed_share:.0%} of the jobs fail, {facts.before.failed_share:.0%} before"


def _slower(facts: Facts) -> str | None:
    if facts.elapsed < SETTLED_AFTER or facts.before.completed < ENOUGH_JOBS or facts.pending == 0:
        return None
    before, since = (
        facts.before.completed / BEFORE.total_seconds(),
        facts.since.completed / facts.elapsed.total_seconds(),
    )
    if since >= SLOWER * before:
        return None
    return f"{since * 60:.0f} jobs per minute, {before * 60:.0f} before, while {pending_words(facts.pending)} wait"


LAST_BEATS = ONE_BEAT  # after the soak's end, for each worker's last heartbeat


class WaitWhileSoaking(WaitStep[Soak]):
    """Waits until the soak is over. A source that is away until the end leaves it not proved; the time has to pass
    anyway."""

    when_unknown = StepState.NOT_PROVED

    @property
    def timeout_s(self) -> float:
        """The soak's time, plus time for the last heartbeats and the last check."""
        source_s = self._tools.world.settings.source_timeout_s
        return self._step.seconds + (LAST_BEATS.total_seconds() + source_s) * 2

    def remedy(self) -> Scale:
        """Scale back to the last good replica count."""
        back = ScaleService(self._step.service, self._step.fall_back_to + 1, self._step.fall_back_to)
        return Scale(self._tools, back)

    async def observe(self) -> Sight:
        facts = await self._gather()
        if isinstance(facts, Unavailable):
            return Unknown(str(facts))
        breach = find_breach(facts)
        if breach is not None:
            return Failed(breach, {"breach": breach})
        left = timedelta(seconds=self._step.seconds) - facts.elapsed
        if left > timedelta():
            return Waiting(f"nothing got worse; {age(left)} left")
        lost = find_missing_heartbeats(facts)
        if lost is not None:
            return Waiting(f"nothing got worse; {lost}") if left > -LAST_BEATS else Failed(lost, {"breach": lost})
        return Done(f"nothing got worse in {age(facts.elapsed)}", {"completed": facts.since.completed})

    async def _gather(self) -> Facts | Unavailable:
        world = self._tools.world
        reading = await world.read(read_heartbeats)
        if isinstance(reading, Unavailable):
            return reading
        began = self._tools.row.started_at or reading.as_of
        spans = [(self._added_at() - BEFORE, self._added_at()), (began, reading.as_of)]
        outcomes, queue, locks = (
            await world.read(list_job_outcomes, spans=spans),
            await world.queue(),
            await world.read(list_lock_waits),
        )
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
            crashed=_count_crashed(state),  # type: ignore[arg-type]
        )

    def _added_at(self) -> datetime:
        """The time at which the new replica came; it is compared with the time before."""
        act = self._tools.last_act(self._step.service)
        return (act and act.row.started_at) or self._tools.since(self._step.service)

    def _expected(self) -> int | None:
        """Number of workers with heartbeats when the soak began, by the step before; None for the API, which has
        none."""
        counts = [
            past.step.expected
            for past in self._tools.past
            if isinstance(past.step, VerifyHeartbeats) and past.step.service is self._step.service
        ]
        return counts[-1] if counts else None


def _count_crashed(state: ServiceState) -> int:
    """Number of crashed instances of the active deployment; replaced ones do not count."""
    serving = state.current
    return sum(instance.status == "CRASHED" for instance in serving.instances) if serving else 0
