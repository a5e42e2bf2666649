"""A locked service takes no deploy: who locked it, why, and how to go on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from playbooks._contract import NextStep, NoPlan
from playbooks._states import unavailable
from services.domain.errors import Unavailable
from services.domain.locks import Lock
from services.domain.services import Service
from services.domain.words import dated_time

Locks = Mapping[Service, Lock] | Unavailable


def refuse_locked(locks: Locks, services: Sequence[Service], now: datetime) -> NoPlan | None:
    """Why these services cannot be deployed to; None when none is locked. Locks that cannot be read refuse too."""
    if isinstance(locks, Unavailable):
        return unavailable(locks)
    held = [locks[service] for service in services if service in locks]
    if not held:
        return None
    whys = "; ".join(f"{lock.service.short} is locked by {lock.by} ({lock.reason})" for lock in held)
    first = held[0]
    return NoPlan(
        f"{whys}, since {dated_time(first.locked_at, now)}",
        f"talk to them, then unlock {first.service.short} <reason>",
        (NextStep("The run that locked it", f"run {first.run_id}") if first.run_id else NextStep("The locks", "home"),),
    )
