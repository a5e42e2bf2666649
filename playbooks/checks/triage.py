"""Finds the cause of a stale heartbeat, from signals that do not depend on each other.

A dead process, one that hangs, a database that no process reaches, a wrong clock and an outdated reading of our own all
look the same in `ops.worker_heartbeats`, but need different people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from services.domain.deployments import ServiceState
from services.domain.errors import Unavailable
from services.domain.jobs import MISSED, Heartbeat
from services.domain.services import Service
from services.domain.systems import System
from services.domain.text import age
from services.domain.thresholds import StaleLimits


class Cause(StrEnum):
    """The most probable cause, in the words of a page."""

    DEAD = "worker dead"
    WEDGED = "worker hangs"
    DATABASE = "database unreachable"
    CLOCK = "clock skew"
    OUR_VIEW = "our own view stale"
    UNKNOWN = "cause unknown"


@dataclass(frozen=True)
class Earlier:
    """An earlier reading. `beats`: `{worker id: its last beat}`."""

    as_of: datetime
    beats: Mapping[str, datetime]


@dataclass(frozen=True)
class Facts:
    """heartbeats: of all types, `as_of` the database's clock. earlier: an earlier reading, None for the first one.

    services: Railway's last report, None if Railway is not configured. api_reaches_database: None if the API does not
    report it.
    """

    as_of: datetime
    heartbeats: Sequence[Heartbeat]
    stale_after: StaleLimits
    services: Mapping[Service, ServiceState] | Unavailable | None = None
    api_reaches_database: bool | None = None
    earlier: Earlier | None = None
    system: System = field(kw_only=True)


@dataclass(frozen=True)
class Verdict:
    """`why` names the evidence, as one short clause."""

    cause: Cause
    why: str


def triage(facts: Facts, service: Service) -> Verdict:
    """The verdict for a service with too few living workers."""
    stale = [beat for beat in facts.heartbeats if beat.worker_type == service.worker_type and _is_stale(beat, facts)]
    return (
        _judge_clock(stale, facts)
        or _judge_database(stale, facts)
        or _judge_view(service, facts)
        or _judge_process(service, facts)
    )


def _is_stale(beat: Heartbeat, facts: Facts) -> bool:
    return not beat.is_stopped and not beat.is_beating(facts.as_of, facts.stale_after)


def _judge_clock(stale: Sequence[Heartbeat], facts: Facts) -> Verdict | None:
    """A wrong clock: a heartbeat that was written since the earlier reading but has a time well before it."""
    if facts.earlier is None:
        return None
    for beat in stale:
        before = facts.earlier.beats.get(beat.worker_id)
        is_old = beat.last_heartbeat_at < facts.earlier.as_of - MISSED
        if before is not None and beat.last_heartbeat_at > before and is_old:
            behind = age(beat.age(facts.as_of))
            return Verdict(Cause.CLOCK, f"{beat.worker_id} is alive, its clock {behind} behind the database")
    return None


def _judge_database(stale: Sequence[Heartbeat], facts: Facts) -> Verdict | None:
    if facts.api_reaches_database is False:
        return Verdict(Cause.DATABASE, "api does not reach it either")
    last = max(stale, key=lambda beat: beat.last_heartbeat_at, default=None)
    if last is not None and last.database_ok is False:
        return Verdict(Cause.DATABASE, f"reported by {last.worker_id} with its last heartbeat")
    return None


def _judge_view(service: Service, facts: Facts) -> Verdict | None:
    """An outdated reading of our own: all workers of every type went silent together, all other sources are fine."""
    if isinstance(facts.services, Unavailable) or facts.services is None or not facts.api_reaches_database:
        return None
    others = [beat for beat in facts.heartbeats if beat.worker_type != service.worker_type and not beat.is_stopped]
    all_run = all(_lacking(facts.services.get(one)) == 0 for one in facts.system.workers)
    if not others or not all_run or not all(_is_stale(beat, facts) for beat in others):
        return None
    return Verdict(Cause.OUR_VIEW, "no worker of any type is alive, yet Railway runs all and api reaches the database")


def _judge_process(service: Service, facts: Facts) -> Verdict:
    if facts.services is None:
        return Verdict(Cause.UNKNOWN, "Railway is not configured")
    if isinstance(facts.services, Unavailable):
        return Verdict(Cause.UNKNOWN, "Railway does not answer")
    state = facts.services.get(service)
    if state is None or state.replicas_wanted is None:
        return Verdict(Cause.UNKNOWN, "Railway does not report what runs")
    running = state.serving.running_instances if state.serving else 0
    words = f"Railway runs {running} of {state.replicas_wanted}"
    return Verdict(Cause.DEAD if running < state.replicas_wanted else Cause.WEDGED, words)


def _lacking(state: ServiceState | None) -> int | None:
    """The number of missing instances; None if unknown."""
    if state is None or state.replicas_wanted is None:
        return None
    running = state.serving.running_instances if state.serving else 0
    return max(state.replicas_wanted - running, 0)
