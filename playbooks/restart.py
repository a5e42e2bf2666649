"""Restart a service: the same deployment, no build (runbook, "Common Issues")

When:   a service hangs, or a heartbeat is stale; `--through-zero` is the runbook's "scale to 0, wait, scale to 1".
Effect: the serving deployment's processes end gracefully and start again; running jobs are finished or handed back.
Undo:   none needed, nothing is changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from playbooks.change_parts import (
    NEW_VARIABLES,
    UNSET_DRAINING_S,
    Load,
    Standing,
    States,
    coming_doubts,
    doubts,
    draining_doubts,
    find_standing,
    replicas_words,
    stop,
    stopping,
)
from playbooks.model import NextStep, NoPlan, Risk
from playbooks.plan import Plan
from playbooks.steps import (
    DEPLOY_S,
    AwaitDeployment,
    RestartDeployment,
    Step,
    VerifyNoOrphanedJobs,
    alive,
    start,
)
from services.domain.services import Service


@dataclass(frozen=True)
class Facts:
    environment: str
    states: States
    load: Load


def plan(facts: Facts, service: Service, *, through_zero: bool = False) -> Plan | NoPlan:
    """A plan to restart a service. `through_zero`: stop every replica and wait for the last one to end before the first
    starts; workers only."""
    found = find_standing(facts.states, service)
    if isinstance(found, NoPlan):
        return found
    refusal = _refuse(found, through_zero=through_zero)
    if refusal is not None:
        return refusal
    way = " through zero" if through_zero else ""
    return Plan(
        environment=facts.environment,
        playbook="restart",
        parameters={"service": service.short} | ({"through_zero": "yes"} if through_zero else {}),
        steps=tuple(_through_zero(found) if through_zero else _restart(found)),
        risk=Risk.LOW,
        title=f"Restart {service.short}{way} at {found.current.name}",
        impact=tuple(_impact(facts, found)),
        warnings=(*doubts(facts.load), *_warnings(found), *([NEW_VARIABLES] if through_zero else [])),
    )


def _refuse(found: Standing, *, through_zero: bool) -> NoPlan | None:
    short, state = found.service.short, found.state
    if state.replicas_wanted == 0:
        start = f"scale {short} 1"
        return NoPlan(f"{short} is stopped; there is nothing to restart", f"start it: {start}", (_run(start),))
    if through_zero and found.service.worker_type is None:
        again = f"restart {short}"
        return NoPlan("the API can't be scaled to zero", "restart it without --through-zero", (_run(again),))
    if through_zero and state.replicas_wanted is None:
        again = f"restart {short}"
        return NoPlan(
            f"Railway does not report how many replicas {short} has, so they could not be restored",
            "restart it without --through-zero",
            (_run(again),),
            is_unknown=True,
        )
    return None


def _restart(found: Standing) -> Iterator[Step]:
    yield RestartDeployment(found.service, found.current.id)
    yield AwaitDeployment(found.service, DEPLOY_S + (found.state.draining_seconds or UNSET_DRAINING_S))
    yield from _well(found)


def _through_zero(found: Standing) -> Iterator[Step]:
    count = found.state.replicas_wanted or 1
    yield from stop(found, count)
    yield from start(found.service, found.current.id, count)


def _well(found: Standing) -> Iterator[Step]:
    count = found.state.replicas_wanted
    if found.service.worker_type is None or count is not None:
        yield alive(found.service, count or 1)
    if found.service.worker_type:
        yield VerifyNoOrphanedJobs(found.service)


def _impact(facts: Facts, found: Standing) -> Iterator[str]:
    yield f"{replicas_words(found.state.replicas_wanted)}, the same code"
    yield from stopping(facts.load, [found.service], "restarts")


def _warnings(found: Standing) -> Iterator[str]:
    yield from draining_doubts(found.state)
    yield from coming_doubts(found.state)
    if found.state.serving is None:
        yield f"{found.service.short} does not run now: its deployment is {found.current.status.value}"
    if found.state.replicas_wanted is None:
        yield "Railway does not report how many replicas there are, so the heartbeats are not counted afterwards"


def _run(command: str) -> NextStep:
    return NextStep(command[:1].upper() + command[1:], command)
