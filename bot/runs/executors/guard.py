"""Whether a new replica makes things worse, against the ten minutes before it; pure.

The runbook's own checks ("Scale 1 → N"): throughput, the failed share, locks not granted, heartbeats.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.domain.heartbeats import BEAT_EVERY, MISSED, Heartbeat
from services.domain.jobs import JobOutcomes, LockWait, pending_words
from services.domain.words import counted

BEFORE = timedelta(minutes=10)  # the runbook's window
ENOUGH_JOBS = 10  # fewer say nothing about a share or a pace
WORSE_SHARE = 0.1  # ten percentage points more of the jobs fail
SLOWER = 0.5  # half the pace, while work waits
SETTLED_AFTER = timedelta(seconds=60)  # a pace over less is noise
LONG_WAIT_S = 10.0  # a lock that is not granted for so long is contention
ONE_BEAT = BEAT_EVERY + timedelta(seconds=5)  # writing one takes its time


@dataclass(frozen=True)
class Facts:
    """`before` and `since` are how jobs ended in the ten minutes before the replica came, and since then.

    as_of: the database's clock. began: when the soak did. pending: jobs that wait. expected: workers that should beat.
    crashed: instances of what is active that have crashed, by Railway's word; a beat outlives its worker for a while.
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
    """What got worse, as a clause; None when nothing did."""
    return _crashed(facts) or _workers_lost(facts) or _locks_wait(facts) or _more_fail(facts) or _slower(facts)


def find_silent(facts: Facts) -> str | None:
    """Who has not beaten within the last interval, as a clause; None when every worker has: the last one may have died.

    Beats from before the soak began prove nothing of it.
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
    """Only waits that began during the soak: an older one is not the replica's doing."""
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
    return f"{since * 60:.0f} jobs a minute, {before * 60:.0f} before, while {pending_words(facts.pending)} wait"
