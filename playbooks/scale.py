"""Scale a service up or down, adding one replica at a time (runbook, "Worker Scaling")

When:   the backlog grows, or a service should stop.
Effect: 0 → 1 starts a worker and watches it come up; 1 → N adds one at a time and watches each for a while, going back
        if the runbook's checks get worse; N → 0 stops gracefully and checks for orphaned jobs.
Undo:   scale back to the former count.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from playbooks.change_parts import (
    NEW_VARIABLES,
    Load,
    Standing,
    States,
    backlog,
    coming_doubts,
    doubts,
    draining_doubts,
    find_standing,
    stop,
    stopping,
)
from playbooks.model import NextStep, NoPlan, Risk
from playbooks.plan import Plan
from playbooks.steps import (
    HEALTH_S,
    CheckDatabaseReady,
    CheckWorkersHealthy,
    ScaleService,
    Soak,
    Step,
    VerifyApiHealth,
    VerifyNoOrphanedJobs,
    alive,
    come_up,
    start,
)
from services.domain.database import ConnectionUse
from services.domain.errors import Unavailable
from services.domain.services import Service
from services.domain.text import counted
from services.domain.usage import Usage

MOST_REPLICAS = 50  # Railway's limit for a service, over all regions


@dataclass(frozen=True)
class Facts:
    """`connections`: the database's sessions and their limit. `sessions`: how many of them one replica may hold.

    `soak_s`: how long each added replica is watched. `usage`: the highest resource use of the service's busiest replica
    in the last minutes; None if nothing was recorded.
    """

    environment: str
    states: States
    load: Load
    connections: ConnectionUse | Unavailable
    sessions: int | Unavailable
    soak_s: int = 120  # the runbook's two minutes
    usage: Usage | Unavailable | None = None


def plan(facts: Facts, service: Service, to: int) -> Plan | NoPlan:
    """A plan to scale a service. `to`: 0 to MOST_REPLICAS, for the API at least 1."""
    found = find_standing(facts.states, service)
    if isinstance(found, NoPlan):
        return found
    from_ = found.state.replicas_wanted
    refusal = _refuse(facts, service, from_, to)
    if refusal is not None or from_ is None:
        return refusal or _unknown_count(service)
    return Plan(
        environment=facts.environment,
        playbook="scale",
        parameters={"service": service.short, "to": str(to)},
        steps=tuple(_steps(facts, found, from_, to)),
        risk=Risk.LOW if to == from_ + 1 else Risk.HIGH,
        title=f"Scale {service.short}: {from_} → {to}",
        impact=tuple(_impact(facts, service, from_, to)),
        warnings=tuple(_warnings(facts, found, from_, to)),
        undo=f"scale {service.short} {from_}",
    )


def _refuse(facts: Facts, service: Service, from_: int | None, to: int) -> NoPlan | None:
    if from_ is None:
        return _unknown_count(service)
    if to == from_:
        command = "heartbeats" if service.worker_type else "health"
        return NoPlan(
            f"{service.short} already has {counted(from_, 'replica')}",
            "nothing to do",
            (NextStep("Show it", command),),
        )
    if to == 0 and service.is_api:
        steps = (NextStep("Restart api", "restart api"), NextStep("Roll back api", "rollback api"))
        return NoPlan(
            "the API can't be scaled to zero: uploads and reads would fail", "restart it, or roll it back", steps
        )
    return _refuse_sessions(facts.connections, facts.sessions, to - from_)


def _refuse_sessions(use: ConnectionUse | Unavailable, each: int | Unavailable, more: int) -> NoPlan | None:
    if isinstance(use, Unavailable) or isinstance(each, Unavailable) or more <= 0:
        return None
    wanted = more * each
    if use.used + wanted <= use.limit:
        return None
    fits = max(use.limit - use.used, 0) // each
    return NoPlan(
        f"the database has too few free connections: {use.used} of {use.limit} connections are in use, and {more} more "
        f"{'replica needs' if more == 1 else 'replicas need'} {wanted}",
        f"add at most {counted(fits, 'replica')}, or raise the pooler's limit"
        if fits
        else "raise the pooler's limit first",
        (NextStep("Who uses the database", "health"),),
    )


def _unknown_count(service: Service) -> NoPlan:
    return NoPlan(
        f"Railway does not report how many replicas {service.short} has",
        "scale it once in Railway's dashboard",
        (NextStep(f"Deployments of {service.short}", f"deployments {service.short}"),),
        is_unknown=True,
    )


def _steps(facts: Facts, found: Standing, from_: int, to: int) -> Iterator[Step]:
    if to == 0:
        yield from stop(found, from_)
    elif to < from_:
        yield ScaleService(found.service, from_, to)
        yield alive(found.service, to)
        if found.service.worker_type:
            yield VerifyNoOrphanedJobs(found.service)
    else:
        yield CheckDatabaseReady()
        yield from _start(found) if from_ == 0 else _check_present(found, from_)
        yield from _grow(facts, found, max(from_, 1), to)


def _start(found: Standing) -> Iterator[Step]:
    """0 → 1: a stopped deployment is started again; a service that is configured with 0 replicas gets 1."""
    if found.state.is_stopped:
        yield from start(found.service, found.current.id, 1)
        return
    yield ScaleService(found.service, 0, 1)
    yield from come_up(found.service, 1)


def _check_present(found: Standing, from_: int) -> Iterator[Step]:
    if found.service.worker_type:
        yield CheckWorkersHealthy(found.service, from_)
    else:
        yield VerifyApiHealth(HEALTH_S)


def _grow(facts: Facts, found: Standing, from_: int, to: int) -> Iterator[Step]:
    for count in range(from_ + 1, to + 1):
        yield ScaleService(found.service, count - 1, count)
        yield alive(found.service, count)
        yield Soak(found.service, facts.soak_s, fall_back_to=count - 1)


def _impact(facts: Facts, service: Service, from_: int, to: int) -> Iterator[str]:
    sessions = "" if isinstance(facts.sessions, Unavailable) else f"up to {facts.sessions * abs(to - from_)} "
    if to == 0:
        yield from stopping(facts.load, [service])
        return
    if to < from_:
        yield f"ends {counted(from_ - to, 'replica')} gracefully and frees {sessions}database connections"
    else:
        yield _growth(from_, to, facts.soak_s)
        yield f"takes {sessions}more database connections{_of_limit(facts.connections)}"
    yield from _headroom(facts.usage)
    yield from backlog(facts.load)


def _growth(from_: int, to: int, soak_s: float) -> str:
    """The added replicas. The first one is not watched: there is no better state to go back to."""
    start = ["starts 1 replica"] if from_ == 0 else []
    more = to - max(from_, 1)
    added = f"adds {more}" if start else f"adds {counted(more, 'replica')}"
    watched = f"watched for {soak_s} s" if more == 1 else f"one at a time, each watched for {soak_s} s"
    return ", then ".join([*start, *([f"{added}, {watched}"] if more else [])])


def _headroom(usage: Usage | Unavailable | None) -> Iterator[str]:
    """The resource use of the busiest replica and its limits, as far as known."""
    if usage is None or isinstance(usage, Unavailable):
        return
    parts = []
    if usage.memory_gb is not None and usage.memory_limit_gb:
        parts.append(f"{usage.memory_gb:.2f} of {usage.memory_limit_gb:.2f} GB memory")
    if usage.cpu is not None and usage.cpu_limit:
        parts.append(f"{usage.cpu:.2f} of {usage.cpu_limit:.2f} vCPU")
    if parts:
        yield f"headroom: the busiest replica uses {' and '.join(parts)}"


def _of_limit(use: ConnectionUse | Unavailable) -> str:
    if isinstance(use, Unavailable):
        return ""
    return f": {use.used} of {use.limit} are in use"


def _warnings(facts: Facts, found: Standing, from_: int, to: int) -> Iterator[str]:
    yield from doubts(facts.load)
    yield from coming_doubts(found.state)
    if to < from_:
        yield from draining_doubts(found.state)
        return
    if found.state.is_stopped:
        yield NEW_VARIABLES
    if isinstance(facts.connections, Unavailable):
        yield f"the database's connections cannot be counted: {facts.connections.why}"
    elif facts.connections.pooler_may_allow_fewer:
        yield "the pooler's own limit is unknown: set DATABASE_CONNECTION_LIMIT to have it counted too"
    if isinstance(facts.sessions, Unavailable):
        yield f"how many connections one more {found.service.short} replica takes is unknown: {facts.sessions.why}"
    beating = len(facts.load.workers([found.service]))
    if found.service.worker_type and facts.load.as_of and beating < from_:
        yield f"{beating} of {from_} workers are alive: the run stops at its first check unless they come back"
