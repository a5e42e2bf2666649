"""Redeploy the serving deployment with its current variables (runbook, "Quick Reference")

When:   a variable was changed, or a service started incorrectly.
Effect: a new deployment of the same commit; the old one serves until the new one is up.
Undo:   roll back to the deployment that serves now, which brings its variables back too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from playbooks.change_parts import (
    BUILD_S,
    SHA_S,
    Load,
    Locks,
    Standing,
    States,
    doubts,
    draining_doubts,
    find_standing,
    refuse_locked,
    stopping,
)
from playbooks.model import NextStep, NoPlan, Risk
from playbooks.plan import Plan
from playbooks.steps import (
    AwaitDeployment,
    RedeployDeployment,
    Step,
    VerifySha,
    alive,
)
from services.domain.services import Service, short_sha


@dataclass(frozen=True)
class Facts:
    environment: str
    now: datetime
    states: States
    locks: Locks
    load: Load


def plan(facts: Facts, service: Service) -> Plan | NoPlan:
    """A plan to redeploy the serving deployment, not the latest one, which may have failed."""
    found = find_standing(facts.states, service)
    if isinstance(found, NoPlan):
        return found
    refusal = refuse_locked(facts.locks, [service], facts.now) or _refuse(found)
    if refusal is not None:
        return refusal
    return Plan(
        environment=facts.environment,
        playbook="redeploy",
        parameters={"service": service.short},
        steps=tuple(_steps(found)),
        risk=Risk.HIGH,
        title=f"Redeploy {service.short} at {found.current.name}",
        impact=("the same commit with its current variables", *stopping(facts.load, [service], "replaces")),
        warnings=(*draining_doubts(found.state), *_doubts(found), *doubts(facts.load)),
        undo=f"rollback {service.short} to {found.current.id}",
    )


def _refuse(found: Standing) -> NoPlan | None:
    short = found.service.short
    if found.state.is_stopped:
        start = f"scale {short} 1"
        return NoPlan(f"{short} is stopped", f"start it: {start}", (NextStep(f"Start {short}", start),))
    if found.state.serving is None:
        back = f"rollback {short}"
        return NoPlan(
            f"{short} has no deployment to redeploy: the latest is {found.current.status.value}",
            f"return to one that worked: {back}",
            (NextStep("Show rollback targets", back),),
        )
    return None


def _steps(found: Standing) -> Iterator[Step]:
    yield RedeployDeployment(found.service, found.current.id)
    yield AwaitDeployment(found.service, BUILD_S)
    if found.current.commit_sha:
        yield VerifySha(found.service, found.current.commit_sha, SHA_S)
    count = found.state.replicas_configured
    if found.service.worker_type is None or count:
        yield alive(found.service, count or 1)


def _doubts(found: Standing) -> Iterator[str]:
    latest = found.state.latest
    if latest is not None and latest.id != found.current.id:
        sha, status = short_sha(latest.commit_sha), latest.status.value
        yield f"the latest deployment, of {sha}, is {status}; this repeats the one that runs"
    if not found.current.commit_sha:
        yield "Railway does not report its commit, so it cannot be verified"
