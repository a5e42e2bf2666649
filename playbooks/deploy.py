"""Build one commit and deploy it (runbook, "Deployment Verification")

When:   a commit should go live, or an earlier one has to be built again because its image is gone.
Effect: the commit is built and deployed with the current variables, and verified by the service's own report.
Undo:   roll back to the deployment that serves now.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from playbooks.change_parts import (
    BUILD_S,
    SHA_S,
    Load,
    Locks,
    States,
    coming_doubts,
    commit_words,
    doubts,
    draining_doubts,
    find_state,
    refuse_locked,
    starts_stopped,
    stopping,
    unavailable,
)
from playbooks.model import NextStep, NoPlan, Risk
from playbooks.plan import Plan
from playbooks.revert import find_taken_back, revert_lines
from playbooks.schema_gate import (
    MIGRATIONS_UNKNOWN,
    Schema,
    effect_lines,
    find_breaking,
    gate_warnings,
    is_destructive,
    older_code_warnings,
)
from playbooks.steps import (
    AwaitDeployment,
    DeployCommit,
    Step,
    VerifySha,
    alive,
)
from services.domain.database import MigrationStatus
from services.domain.deployments import Deployment, ServiceState
from services.domain.errors import Unavailable
from services.domain.services import WHOLE_SHA, Service, same_sha, short_sha

STEPS = (NextStep("What is deployed", "sha"),)


@dataclass(frozen=True)
class Facts:
    """`deployments`: each service's newest ones, used to complete a short SHA.

    `schema`: the effects of the pending migrations. `examined_of`: the commit whose migration files were compared,
    which is the bot's; None if it is not known. `since`: the applied migrations of the operated system that came after
    a service left the commit, and those that the bot has no files of; `since_schema`: their effects.
    """

    environment: str
    now: datetime
    states: States
    deployments: Mapping[Service, Sequence[Deployment] | Unavailable]
    locks: Locks
    migrations: MigrationStatus | Unavailable
    load: Load
    schema: Schema
    examined_of: str | None = None
    since: tuple[str, ...] = ()
    since_schema: Schema = field(default_factory=dict)

    @property
    def pending(self) -> tuple[str, ...]:
        return () if isinstance(self.migrations, Unavailable) else self.migrations.pending


def plan(facts: Facts, scope: str, services: Sequence[Service], sha: str) -> Plan | NoPlan:
    """A plan to deploy a commit. `scope`: the services, as "api", "workers" or "all". `sha`: 7 to 40 characters."""
    whole = _complete(facts, sha)
    if isinstance(whole, NoPlan):
        return whole
    refusal = refuse_locked(facts.locks, services, facts.now)
    if refusal is not None:
        return refusal
    states = _find(facts, scope, services, whole)
    if isinstance(states, NoPlan):
        return states
    currents = [state.current for state in states]
    sources = ", ".join(dict.fromkeys(short_sha(one.commit_sha) if one else "nothing" for one in currents))
    taken_back = find_taken_back(facts.deployments, states, whole)
    verb = "Revert" if taken_back else "Deploy"
    return Plan(
        environment=facts.environment,
        playbook="deploy",
        parameters={"service": scope, "sha": whole},
        steps=tuple(step for state in states for step in _steps(state, whole)),
        risk=Risk.CRITICAL if _is_critical(facts, states) else Risk.HIGH,
        title=f"{verb} {scope}: {sources} → {short_sha(whole)}",
        impact=(*revert_lines(taken_back), *_impact(facts, states, whole)),
        warnings=tuple(_warnings(facts, states, whole)),
        undo=_undo(facts, states),
    )


def _complete(facts: Facts, sha: str) -> str | NoPlan:
    """The whole SHA: Railway can't build from a short one, which may also stand for two commits."""
    known = sorted({one.commit_sha for one in _known(facts) if one.commit_sha and same_sha(one.commit_sha, sha)})
    if len(known) > 1:
        return NoPlan(f"{sha} means more than one commit: {', '.join(known)}", "write more characters", STEPS)
    if known:
        return known[0]
    if len(sha) < WHOLE_SHA and (unread := next(iter(_unread(facts, facts.deployments).values()), None)):
        return unavailable(unread)
    if len(sha) < WHOLE_SHA:
        return NoPlan(
            f"Railway has never seen a commit {sha}, so its full SHA is unknown",
            f"write all {WHOLE_SHA} characters: git rev-parse {sha}",
            STEPS,
        )
    return sha


def _known(facts: Facts) -> Iterator[Deployment]:
    for listed in facts.deployments.values():
        if not isinstance(listed, Unavailable):
            yield from listed


def _unread(facts: Facts, services: Iterable[Service]) -> dict[Service, Unavailable]:
    """The services whose deployments Railway does not list."""
    listed = {service: facts.deployments.get(service) for service in services}
    return {service: one for service, one in listed.items() if isinstance(one, Unavailable)}


def _find(facts: Facts, scope: str, services: Sequence[Service], sha: str) -> list[ServiceState] | NoPlan:
    """The services that do not serve the commit yet. The API first: its pre-deploy command migrates, and its health
    check stops a bad commit before the workers get it."""
    states = []
    for service in sorted(services, key=lambda service: not service.is_api):
        state = find_state(facts.states, service)
        if isinstance(state, NoPlan):
            return state
        if state.serving is None or state.serving.commit_sha != sha:
            states.append(state)
    if not states:
        verify = NextStep("Verify it", f"verify {scope}")
        return NoPlan(f"{scope} already runs {short_sha(sha)}", f"to apply new variables: redeploy {scope}", (verify,))
    return states


def _is_critical(facts: Facts, states: Sequence[ServiceState]) -> bool:
    """True if it destroys something, or deploys code that doesn't work without objects destroyed since."""
    if _migrates(states) and is_destructive(facts.pending, facts.schema):
        return True
    if isinstance(facts.since_schema, Unavailable):
        return is_destructive(facts.since, facts.since_schema)
    return bool(find_breaking(facts.since, facts.since_schema))


def _migrates(states: Sequence[ServiceState]) -> bool:
    """True if the API is deployed: its pre-deploy command applies migrations."""
    return any(state.service.is_api for state in states)


def _steps(state: ServiceState, sha: str) -> Iterator[Step]:
    yield DeployCommit(state.service, sha, state.current.id if state.current else None)
    yield AwaitDeployment(state.service, BUILD_S)
    yield VerifySha(state.service, sha, SHA_S)
    if state.service.worker_type is None or state.replicas_configured:
        yield alive(state.service, state.replicas_configured or 1)


def _undo(facts: Facts, states: Sequence[ServiceState]) -> str | None:
    """The rollbacks to the current deployments; None for services that were never deployed, and if the old code doesn't
    work with the new schema."""
    if _migrates(states) and find_breaking(facts.pending, facts.schema):
        return None
    backs = [f"rollback {state.service.short} to {_name(state.current)}" for state in states if state.current]
    return "; ".join(backs) or None


def _name(deployment: Deployment) -> str:
    return short_sha(deployment.commit_sha) if deployment.commit_sha else deployment.id


def _impact(facts: Facts, states: Sequence[ServiceState], sha: str) -> Iterator[str]:
    if not isinstance(facts.migrations, Unavailable) and facts.migrations.is_migrated:
        yield from effect_lines(facts.pending, facts.schema)
        if not facts.pending and not _may_bring_others(facts, sha):
            yield "no migration is pending"
    target = next((one for one in _known(facts) if one.commit_sha == sha), None)
    for state in states:
        from_ = commit_words(state.current) if state.current else "nothing"
        not_built = f"{short_sha(sha)}, which Railway has not built yet: whether it is older is unknown"
        unlisted = short_sha(sha) if _unread(facts, [state.service]) else not_built
        to = commit_words(target) if target else unlisted
        yield f"{state.service.short}: {from_} → {to}"
    yield from stopping(facts.load, [state.service for state in states], "replaces")
    yield "it is built first, which takes minutes"


def _may_bring_others(facts: Facts, sha: str) -> bool:
    """True if the commit may have migrations that the bot has no files of; one that ran before has applied its own."""
    is_ours = facts.examined_of is not None and same_sha(facts.examined_of, sha)
    return not is_ours and all(one.commit_sha != sha for one in _known(facts))


def _warnings(facts: Facts, states: Sequence[ServiceState], sha: str) -> Iterator[str]:
    if unread := _unread(facts, [state.service for state in states]):
        names, why = " and ".join(one.short for one in unread), next(iter(unread.values())).why
        yield (
            f"{names}: {'its' if len(unread) == 1 else 'their'} deployments are unknown ({why}), so whether this takes "
            f"commits back, and which migrations came after {short_sha(sha)}, was not examined"
        )
    if isinstance(facts.migrations, Unavailable):
        yield f"{MIGRATIONS_UNKNOWN}: {facts.migrations.why}"
    elif not facts.migrations.is_migrated:
        yield "this system does not report whether migrations are pending"
    else:
        yield from _migration_warnings(facts, states, sha)
    for state in states:
        yield from draining_doubts(state)
        yield from coming_doubts(state, "this replaces it")
        if state.is_stopped:
            yield starts_stopped(state.service, "deploy")
    yield from doubts(facts.load)


def _migration_warnings(facts: Facts, states: Sequence[ServiceState], sha: str) -> Iterator[str]:
    if facts.pending:
        pending = ", ".join(facts.pending)
        yield f"pending migrations: {pending}; deploying the API applies its commit's, apply the others first"
    yield from gate_warnings(facts.pending, facts.schema)
    yield from older_code_warnings(short_sha(sha), facts.since, facts.since_schema)
    if _migrates(states) and _may_bring_others(facts, sha):
        known = f"those of {short_sha(facts.examined_of)}" if facts.examined_of else "the bot's own"
        yield f"migrations that only {short_sha(sha)} has were not examined: the files compared are {known}"
