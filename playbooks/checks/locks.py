"""Services that carry a lock since a rollback: told with owner and reason, and a warning once they are forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from playbooks._contract import Finding, NextStep, Status
from services.domain.errors import Unavailable
from services.domain.locks import Lock
from services.domain.thresholds import LOCK_FORGOTTEN_AFTER
from services.domain.words import age


def check(
    locks: Sequence[Lock] | Unavailable, now: datetime, *, forgotten_after: timedelta = LOCK_FORGOTTEN_AFTER
) -> list[Finding]:
    """One finding a lock, none when there is none."""
    if isinstance(locks, Unavailable):
        return [Finding("database.locks", Status.UNKNOWN, "locks of services unknown", locks.why)]
    return [_judge(lock, now - lock.locked_at, forgotten_after) for lock in locks]


def _judge(lock: Lock, held: timedelta, forgotten_after: timedelta) -> Finding:
    short = lock.service.short
    see = NextStep(f"Run {lock.run_id}", f"run {lock.run_id}") if lock.run_id else NextStep("How to", "help unlock")
    return Finding(
        check=f"lock.{short}",
        status=Status.WARN if held >= forgotten_after else Status.OK,
        title=f"{short} is locked against deploys for {age(held)}",
        detail=f"{lock.reason}; unlock {short} <reason> lifts it",
        service=lock.service,
        evidence={"owner": lock.owner, "locked_at": lock.locked_at.isoformat(), "run": lock.run_id},
        next_step=see,
    )
