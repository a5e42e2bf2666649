"""Build one commit and deploy it (runbook, "Deployment Verification")

When:   a commit is to go live, or an earlier one has to be built again because its image is gone.
Effect: the commit is built and deployed with the variables of now, and proved by the service's own word.
Undo:   roll back to what serves now.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from playbooks._contract import NextStep, NoPlan, Plan, Risk
from playbooks._load import Load, doubts, stopping
from playbooks._locks import Locks, refuse_locked
from playbooks._phases import alive
from playbooks._states import Standing, States, commit_words, draining_doubts, find_standing
from playbooks._steps import AwaitDeployment, DeployCommit, Step, VerifySha
from playbooks._timeouts import BUILD_S, SHA_S
from services.domain.deployments import Deployment
from services.domain.errors import Unavailable
from services.domain.migrations import MigrationStatus
from services.domain.services import Service
from services.domain.sha import same_sha, short_sha

WHOLE_SHA = 40


@dataclass(frozen=True)
class Facts:
    """`deployments`: each service's newest ones, from which a short SHA is completed."""

    environment: str
    now: datetime
    states: States
    deployments: Mapping[Service, Sequence[Deployment] | Unavailable]
    locks: Locks
    migrations: MigrationStatus | Unavailable
    load: Load


def plan(facts: Facts, scope: str, services: Sequence[Service], sha: str) -> Plan | NoPlan:
    """`scope` is the word for the services ("api", "workers", "all"); `sha` has 7 to 40 characters."""
    whole = _complete(facts, sha)
    if isinstance(whole, NoPlan):
        return whole
    refusal = refuse_locked(facts.locks, services, facts.now)
    if refusal is not None:
        return refusal
    founds = _find(facts, scope, services, whole)
    if isinstance(founds, NoPlan):
        return founds
    sources = ", ".join(dict.fromkeys(short_sha(found.current.commit_sha) for found in founds))
    return Plan(
        environment=facts.environment,
        playbook="deploy",
        parameters={"service": scope, "sha": whole},
        steps=tuple(step for found in founds for step in _steps(found, whole)),
        risk=Risk.HIGH,
        title=f"Deploy {scope}: {sources} → {short_sha(whole)}",
        impact=tuple(_impact(facts, founds, whole)),
        warnings=tuple(_warnings(facts, founds)),
        undo="; ".join(_undo(found) for found in founds),
    )


def _complete(facts: Facts, sha: str) -> str | NoPlan:
    """The whole SHA: Railway builds nothing from a part of one, and a part may mean two commits."""
    known = sorted({one.commit_sha for one in _known(facts) if one.commit_sha and same_sha(one.commit_sha, sha)})
    if len(known) > 1:
        return NoPlan(f"{sha} means more than one commit: {', '.join(known)}", "write more characters")
    if known:
        return known[0]
    if len(sha) < WHOLE_SHA:
        return NoPlan(
            f"Railway has never seen a commit {sha}, so its whole SHA is not known",
            f"write all {WHOLE_SHA} characters: git rev-parse {sha}",
        )
    return sha


def _known(facts: Facts) -> Iterator[Deployment]:
    for listed in facts.deployments.values():
        if not isinstance(listed, Unavailable):
            yield from listed


def _find(facts: Facts, scope: str, services: Sequence[Service], sha: str) -> list[Standing] | NoPlan:
    """The services that do not serve the commit yet. The API first: its pre-deploy command migrates, and its health
    check stops a bad commit before the workers get it."""
    founds = []
    for service in sorted(services, key=lambda service: service is not Service.API):
        found = find_standing(facts.states, service)
        if isinstance(found, NoPlan):
            return found
        if found.state.serving is None or found.state.serving.commit_sha != sha:
            founds.append(found)
    if not founds:
        verify = NextStep("Verify it", f"verify {scope}")
        return NoPlan(f"{scope} serves {short_sha(sha)} already", f"to take new variables: redeploy {scope}", (verify,))
    return founds


def _steps(found: Standing, sha: str) -> Iterator[Step]:
    yield DeployCommit(found.service, sha, found.current.id)
    yield AwaitDeployment(found.service, BUILD_S)
    yield VerifySha(found.service, sha, SHA_S)
    count = found.state.replicas_configured
    if found.service.worker_type is None or count:
        yield alive(found.service, count or 1)


def _undo(found: Standing) -> str:
    sha = found.current.commit_sha
    return f"rollback {found.service.short} to {short_sha(sha) if sha else found.current.id}"


def _impact(facts: Facts, founds: Sequence[Standing], sha: str) -> Iterator[str]:
    if not isinstance(facts.migrations, Unavailable) and not facts.migrations.pending:
        yield "no migration is pending"
    target = next((one for one in _known(facts) if one.commit_sha == sha), None)
    for found in founds:
        to = commit_words(target) if target else f"{short_sha(sha)}, which Railway has not built yet"
        yield f"{found.service.short}: {commit_words(found.current)} → {to}"
    yield from stopping(facts.load, [found.service for found in founds], "replaces")
    yield "it is built first, which takes minutes"


def _warnings(facts: Facts, founds: Sequence[Standing]) -> Iterator[str]:
    if isinstance(facts.migrations, Unavailable):
        yield f"whether migrations are pending is not known: {facts.migrations.why}"
    elif facts.migrations.pending:
        pending = ", ".join(facts.migrations.pending)
        yield f"pending migrations: {pending}; the API's deploy applies those of its commit, others come before it"
    for found in founds:
        yield from draining_doubts(found.state)
        latest = found.state.latest
        if latest is not None and latest.status.is_in_progress:
            yield f"a deployment of {short_sha(latest.commit_sha)} is on its way to {found.service.short}"
        if found.state.is_stopped:
            yield f"{found.service.short} is stopped, and a deploy starts it"
    yield from doubts(facts.load)
