"""Checks that as many workers of each type beat as Railway is configured to run (runbook, "Worker Heartbeat Check").

It compares with the expected number, because a query for recent heartbeats does not show a dead worker.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from playbooks.model import Finding, NextStep, Status
from services.domain.errors import Unavailable
from services.domain.jobs import Heartbeat
from services.domain.services import Service, WorkerType
from services.domain.systems import System
from services.domain.text import age, ago
from services.domain.thresholds import StaleLimits


@dataclass(frozen=True)
class Facts:
    """`as_of` is the database's clock. `expected`: Railway's configured replicas of each type, read `expected_age` ago.

    `all_visible` is False if row-level security may hide rows from the role that read them. `stored`: the text is read
    later, so it has clock times.
    """

    as_of: datetime
    heartbeats: Sequence[Heartbeat] | Unavailable
    expected: Mapping[WorkerType, int | Unavailable]
    stale_after: StaleLimits
    expected_age: timedelta = timedelta()
    all_visible: bool = True
    stored: bool = False
    system: System = field(kw_only=True)


def check(facts: Facts) -> list[Finding]:
    """One finding per worker service, in the order of the system."""
    return [_check_type(facts, service) for service in facts.system.workers]


def limit_words(limits: StaleLimits, system: System) -> str:
    """ "5 min", or "5 min, ingest 2 min" if a worker type has its own limit."""
    own = [
        f"{service.short} {age(limits.of(kind))}"
        for service in system.workers
        if (kind := service.worker_type) in limits.by_type and kind is not None
    ]
    return ", ".join([age(limits.general), *own])


def next_deadline(facts: Facts) -> datetime | None:
    """The time at which the next fresh heartbeat goes stale if no other one comes; None if no worker beats."""
    if isinstance(facts.heartbeats, Unavailable):
        return None
    beating = [beat for beat in facts.heartbeats if beat.is_beating(facts.as_of, facts.stale_after)]
    return min((beat.stale_at(facts.stale_after) for beat in beating), default=None)


def _check_type(facts: Facts, service: Service) -> Finding:
    name, worker_type = f"heartbeats.{service.short}", service.worker_type or WorkerType()
    if isinstance(facts.heartbeats, Unavailable):
        detail = f"heartbeats cannot be read: {facts.heartbeats.why}"
        config = NextStep("Check the settings", "check-config")
        return Finding(name, Status.UNKNOWN, f"{service.short} heartbeats unknown", detail, service, next_step=config)
    seen = [beat for beat in facts.heartbeats if beat.worker_type == worker_type]
    own = [beat for beat in seen if not beat.is_stopped]
    beating = [beat for beat in own if beat.is_beating(facts.as_of, facts.stale_after)]
    stale = [beat for beat in own if not beat.is_beating(facts.as_of, facts.stale_after)]
    expected = facts.expected.get(worker_type, Unavailable("Railway", "not asked"))
    newest = max(seen, key=lambda beat: beat.last_heartbeat_at, default=None)
    started_at = newest.started_at if newest else None
    evidence = {
        "beating": [beat.worker_id for beat in beating],
        "stale": {beat.worker_id: round(beat.age(facts.as_of).total_seconds()) for beat in stale},
        "expected": None if isinstance(expected, Unavailable) else expected,
        "last_beat_at": newest.last_heartbeat_at.isoformat() if newest else None,
        "last_beat_sha": newest.git_sha if newest else None,
        "last_beat_started_at": started_at.isoformat() if started_at else None,
    }
    status, words = _judge(len(beating), expected, all_visible=facts.all_visible)
    lost = [] if isinstance(expected, Unavailable) else _lost(len(stale), expected - len(beating))
    if status is Status.UNKNOWN and not facts.all_visible:
        evidence |= {"beating": None, "stale": None}
    own_limit = facts.stale_after.by_type.get(worker_type)
    limit = [f"stale after {age(own_limit)}"] if own_limit and stale else []
    detail = "; ".join([_last_seen(facts, seen), *limit, *lost, *_doubts(facts, expected)])
    step = None if status is Status.OK else NextStep(f"Logs of {service.short}", f"logs {service.short}")
    return Finding(name, status, f"{service.short} {words}", detail, service, evidence, step)


def _judge(beating: int, expected: int | Unavailable, *, all_visible: bool) -> tuple[Status, str]:
    if isinstance(expected, Unavailable):
        return Status.UNKNOWN, f"{beating} alive, replicas unknown"
    words = f"{beating} of {expected} alive"
    if not all_visible and (beating < expected or not beating):
        return Status.UNKNOWN, f"at least {words}"
    if beating < expected:
        return Status.FAIL, words if beating else f"is down (0 of {expected})"
    if expected == 0 and beating == 0:
        words = "stopped (0 replicas)"
    return Status.OK, words


def _last_seen(facts: Facts, seen: Sequence[Heartbeat]) -> str:
    """The newest row of any worker: an older one does not show when the problem began."""
    if not seen:
        return "no worker has reported in the last day"
    last = max(seen, key=lambda beat: beat.last_heartbeat_at)
    at = ago(last.last_heartbeat_at, facts.as_of, stored=facts.stored).removeprefix("at ")
    if not last.is_stopped:
        return f"last beat {at}"
    return f"the last one stopped {at}" if last.status == "stopped" else f"the last one ended with {last.status} {at}"


def _doubts(facts: Facts, expected: int | Unavailable) -> list[str]:
    doubts = []
    if isinstance(expected, Unavailable):
        doubts.append(f"replicas unknown: {expected.why}")
    elif facts.expected_age:
        known_at = facts.as_of - facts.expected_age
        doubts.append(f"replicas as known {ago(known_at, facts.as_of, stored=facts.stored)}")
    if not facts.all_visible:
        doubts.append("row-level security may hide workers")
    return doubts


def _lost(stale: int, lacking: int) -> list[str]:
    """The states of the missing workers: "stale" with a stale heartbeat, "missing" if there was none for a day."""
    counts = {"stale": min(stale, lacking), "missing": lacking - stale}
    return [f"{count} {word}" for word, count in counts.items() if count > 0]
