"""Stop the workers at once (runbook, "Emergency: Disable Workers")

When:   workers are causing damage. It needs no approval; it is announced and reviewed afterwards.
Effect: every worker gets its SIGTERM now, hands back or finishes its job, and stays stopped.
Undo:   scale each service back to its former count.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from playbooks.change_parts import (
    Load,
    Standing,
    States,
    backlog,
    coming_doubts,
    doubts,
    draining_doubts,
    find_standing,
    stop_timeout_s,
    stopping,
)
from playbooks.model import NextStep, NoPlan, Risk
from playbooks.plan import Plan
from playbooks.steps import AwaitStopped, Step, StopService, VerifyNoOrphanedJobs
from services.domain.deployments import ServiceState, find_state, list_others
from services.domain.errors import Unavailable
from services.domain.services import Service
from services.domain.systems import RUNBOOK, SYSTEMS, System, system_with
from services.domain.text import age


@dataclass(frozen=True)
class Facts:
    """Only Railway is required. `dashboard`: the page of the project, in case Railway does not answer us.

    `outdated`: why the states are `age` old; None if Railway has just reported them. `is_recognized`: True if the
    system is known; otherwise it is `system_among` the services in Railway.
    """

    environment: str
    states: States
    load: Load
    dashboard: str | None = None
    outdated: Unavailable | None = None
    age: timedelta = timedelta()
    is_recognized: bool = True


def system_among(states: States) -> System:
    """The system to use while it is not known: the one whose services Railway reports, plus each other known worker
    that Railway reports.

    If they fit no system: our own, plus the workers of every system.
    """
    fitting = _fitting(states)
    base, shown = fitting or RUNBOOK, () if isinstance(states, Unavailable) else states
    others = {
        one.service: one
        for system in SYSTEMS
        for one in system.operated
        if one.service.worker_type is not None
        and one.service not in base.services
        and (fitting is None or one.service in shown)
    }
    return replace(base, operated=(*base.operated, *others.values()))


def _fitting(states: States) -> System | None:
    """The system whose services Railway reports; None without one, or if a service of another one was not reported."""
    if isinstance(states, Unavailable):
        return None
    fitting = system_with([service for service, state in states.items() if state.unknown is None])
    return None if fitting is None or _unreported(states) - set(fitting.services) else fitting


def _unreported(states: Mapping[Service, ServiceState]) -> set[Service]:
    return {service for service, state in states.items() if state.unknown is not None}


def plan(facts: Facts, services: Sequence[Service] | None = None, reason: str = "") -> Plan | NoPlan:
    """A plan to stop one worker service, or all."""
    services = services or facts.load.system.workers
    if isinstance(facts.states, Unavailable):
        return _by_hand(facts.states, services, facts)
    founds = list(_running(facts.states, services, is_certain=facts.outdated is None))
    missing = _missing(facts.states, services, facts.load.system)
    scope = services[0].short if len(services) == 1 else "workers"
    if not founds and facts.outdated is not None:
        return _by_hand(facts.outdated, services, facts)
    if not founds and missing:
        return _by_hand(missing, list(missing), facts)
    if not founds:
        return _nothing(scope, facts.states, facts.load.system)
    return Plan(
        environment=facts.environment,
        playbook="stop-workers",
        parameters={"service": scope} | ({"reason": reason} if reason else {}),
        steps=tuple(_steps(founds)),
        risk=Risk.BREAK_GLASS,
        title=f"Stop {scope}" + (f": {reason}" if reason else ""),
        impact=(*stopping(facts.load, [found.service for found in founds]), *backlog(facts.load)),
        warnings=tuple(_warnings(facts, founds, missing)),
        undo="; ".join(f"scale {found.service.short} {_count(found)}" for found in founds),
    )


def _nothing(scope: str, states: States, system: System) -> NoPlan:
    what_next = "nothing to stop" + _not_looked_at(states, system)
    return NoPlan(f"{scope}: nothing runs", what_next, (NextStep("Look at the workers", "heartbeats"),))


def _not_looked_at(states: States, system: System) -> str:
    others = () if isinstance(states, Unavailable) else list_others(states, system)
    return f"; not checked: {', '.join(others)}" if others else ""


def _by_hand(cause: Unavailable | Mapping[Service, str], services: Sequence[Service], facts: Facts) -> NoPlan:
    first, *others = [_name_in_railway(service, facts.load.system) for service in services]
    if isinstance(cause, Unavailable):
        why = f"Railway does not answer: {cause.why}"
    else:
        each = "; ".join(f"{service.short} ({why})" for service, why in cause.items())
        why = f"Railway did not report whether it runs: {each}"
    same = f", and the same for {' and '.join(others)}" if others else ""
    return NoPlan(
        why,
        "stop them by hand: Railway's dashboard → the service → its active deployment → Remove; or on a terminal "
        f"railway down --service {first}{same}" + _not_looked_at(facts.states, facts.load.system),
        (NextStep("Open Railway", url=facts.dashboard),) if facts.dashboard else (),
        is_unknown=True,
    )


def _name_in_railway(service: Service, system: System) -> str:
    operated = system.find(service)
    return operated.name_in_railway if operated else service.value


def _missing(states: States, services: Sequence[Service], system: System) -> Mapping[Service, str]:
    """`{service: why}` for services that may run without Railway showing it."""
    found = {service: find_state(states, service) for service in services}
    return {
        service: f"it shows no {_name_in_railway(service, system)}" if state is None else state.why
        for service, state in found.items()
        if state is None or isinstance(state, Unavailable)
    }


def _running(states: States, services: Sequence[Service], *, is_certain: bool) -> Iterator[Standing]:
    """The services that run, or may run. Without `is_certain`, a service that was stopped then may run by now."""
    for service in services:
        found = find_standing(states, service)
        if isinstance(found, Standing) and not (found.state.is_stopped and is_certain):
            yield found


def _steps(founds: Sequence[Standing]) -> Iterator[Step]:
    """Stop all of them before waiting for the first."""
    yield from (StopService(found.service, found.current.id, _count(found)) for found in founds)
    yield from (AwaitStopped(found.service, stop_timeout_s(found.state.draining_seconds)) for found in founds)
    yield from (VerifyNoOrphanedJobs(found.service) for found in founds)


def _count(found: Standing) -> int:
    """The former replicas, for the undo; at least one ran."""
    return found.state.replicas_configured or max(found.current.running_instances, 1)


def _warnings(facts: Facts, founds: Sequence[Standing], missing: Mapping[Service, str]) -> Iterator[str]:
    for service, why in missing.items():
        yield f"not stopped: {service.short}, Railway did not report it ({why})"
    if not isinstance(facts.states, Unavailable) and (others := list_others(facts.states, facts.load.system)):
        yield f"does not cover other services of this Railway environment: {', '.join(others)}"
    if not facts.is_recognized:
        yield f"the database has not shown which system it holds; {_guess(facts.states)}. Set OPERATED_SYSTEM"
    if facts.outdated is not None:
        yield f"Railway was not read ({facts.outdated.why}); this plan shows its answer of {age(facts.age)} ago"
    for found in founds:
        yield from draining_doubts(found.state)
        yield from coming_doubts(found.state, "it would start it again, so cancel it in Railway")
    yield "a push to main starts them again"
    yield from doubts(facts.load)


def _guess(states: States) -> str:
    fitting = _fitting(states)
    if fitting is not None:
        return f"by its services it is {fitting.name}"
    is_partial = not isinstance(states, Unavailable) and _unreported(states)
    doubt = "Railway did not report every service" if is_partial else "the services in Railway fit none"
    return f"{doubt}, so it is unknown: every known worker that Railway shows can be stopped"
