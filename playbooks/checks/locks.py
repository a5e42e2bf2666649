"""Services that carry a lock since a rollback: told with owner and reason, and a warning once they are forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from playbooks._contract import Finding, NextStep, Status
from services.domain.errors import Unavailable
from services.domain.locks import Lock
from services.domain.thresholds import LOCK_FORGOTTEN_AFTER
from services.domain.words import lasting


def check(
    locks: Sequence[Lock] | Unavailable,
    now: datetime,
    *,
    forgotten_after: timedelta = LOCK_FORGOTTEN_AFTER,
    stored: bool = False,
) -> list[Finding]:
    """One finding a lock, none when there is none. `stored`: what is said is read later, so with clock times."""
    if isinstance(locks, Unavailable):
        return [Finding("database.locks", Status.UNKNOWN, "locks of services unknown", locks.why)]
    return [_judge(lock, now, forgotten_after, stored=stored) for lock in locks]


def _judge(lock: Lock, now: datetime, forgotten_after: timedelta, *, stored: bool) -> Finding:
    short = lock.service.short
    see = NextStep(f"Run {lock.run_id}", f"run {lock.run_id}") if lock.run_id else NextStep("How to", "help unlock")
    return Finding(
        check=f"lock.{short}",
        status=Status.WARN if now - lock.locked_at >= forgotten_after else Status.OK,
        title=f"{short} is locked against deploys {lasting(lock.locked_at, now, stored=stored)}",
        detail=f"{lock.reason}; unlock {short} <reason> lifts it",
        service=lock.service,
        evidence={"owner": lock.owner, "locked_at": lock.locked_at.isoformat(), "run": lock.run_id},
        next_step=see,
    )
