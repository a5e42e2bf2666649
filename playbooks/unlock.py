"""Let a service be deployed to again

When:   after a rollback, once the cause is mended.
Effect: the service's lock and the frozen auto-deploy are lifted together: the next push to main goes live.
Undo:   none; the next rollback locks again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from playbooks._contract import NoPlan, Plan, Risk
from playbooks._locks import Locks
from playbooks._states import unavailable
from playbooks._steps import Step, UnfreezeAutoDeploy, UnlockService
from services.domain.errors import Unavailable
from services.domain.services import Service
from services.domain.words import age


@dataclass(frozen=True)
class Facts:
    environment: str
    now: datetime
    locks: Locks


def plan(facts: Facts, service: Service, reason: str) -> Plan | NoPlan:
    """Without a lock only the freeze is lifted: a rollback that failed half-way may have left it alone."""
    if isinstance(facts.locks, Unavailable):
        return unavailable(facts.locks)
    lock = facts.locks.get(service)
    unfreeze: tuple[Step, ...] = (UnfreezeAutoDeploy(service),)
    impact = (
        f"locked by {lock.owner} {age(facts.now - lock.locked_at)} ago: {lock.reason}" if lock else "it is not locked"
    )
    return Plan(
        environment=facts.environment,
        playbook="unlock",
        parameters={"service": service.short, "reason": reason},
        steps=(*unfreeze, UnlockService(service)) if lock else unfreeze,
        risk=Risk.LOW,
        title=f"Unlock {service.short}: {reason}",
        impact=(impact, f"the next push to main is deployed to {service.short} again"),
        warnings=() if lock else ("auto-deploys are switched on also if somebody had switched them off on purpose",),
    )
