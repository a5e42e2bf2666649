"""Unlock a service, so that it can be deployed to again

When:   after a rollback, once the cause is fixed.
Effect: the service's locks and the frozen auto-deploy are lifted together: the next push to main goes live.
Undo:   none; the next rollback locks again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from playbooks.change_parts import Locks, unavailable
from playbooks.freeze import Freezes
from playbooks.model import NextStep, NoPlan, Risk
from playbooks.plan import Plan
from playbooks.steps import UnfreezeAutoDeploy, UnlockService
from services.domain.errors import Unavailable
from services.domain.freezes import LOCK, Freeze, Lock
from services.domain.services import Service
from services.domain.text import dated_time


@dataclass(frozen=True)
class Facts:
    """`auto_deploy`: True if a push to main deploys the service. `freezes`: all current ones; the locks among them are
    lifted too."""

    environment: str
    now: datetime
    locks: Locks
    auto_deploy: bool | Unavailable
    freezes: Freezes = ()


def plan(facts: Facts, service: Service, reason: str) -> Plan | NoPlan:
    """A plan to unlock a service. Without a lock it only turns auto-deploy on: a rollback that failed halfway may have
    left it off."""
    if isinstance(facts.locks, Unavailable):
        return unavailable(facts.locks)
    if isinstance(facts.freezes, Unavailable):
        return unavailable(facts.freezes)
    lock = facts.locks.get(service)
    by_people = [one for one in facts.freezes if one.kind == LOCK and one.service == service]
    if lock is None and not by_people and isinstance(facts.auto_deploy, Unavailable):
        return unavailable(facts.auto_deploy)
    if lock is None and not by_people and facts.auto_deploy is True:
        next_steps = (NextStep(f"Deployments of {service.short}", f"deployments {service.short}"),)
        return NoPlan(f"{service.short} is not locked, and a push to main deploys it", "nothing to do", next_steps)
    return Plan(
        environment=facts.environment,
        playbook="unlock",
        parameters={"service": service.short, "reason": reason},
        steps=(UnfreezeAutoDeploy(service), *([UnlockService(service)] if lock or by_people else [])),
        risk=Risk.LOW,
        title=f"Unlock {service.short}: {reason}",
        impact=(*_held(lock, by_people, facts.now), f"the next push to main is deployed to {service.short} again"),
        warnings=() if lock or by_people else ("auto-deploys may have been switched off on purpose",),
    )


def _held(lock: Lock | None, by_people: Sequence[Freeze], now: datetime) -> Iterator[str]:
    if lock is None and not by_people:
        yield "it is not locked, but its auto-deploys are switched off"
    if lock is not None:
        yield f"locked by {lock.by} at {dated_time(lock.locked_at, now)}: {lock.reason}"
    for one in by_people:
        yield f"locked by {one.by} at {dated_time(one.created_at, now)}: {one.reason}"
