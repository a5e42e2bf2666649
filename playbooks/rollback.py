"""Go back to an earlier deployment: its image and its variables (runbook, "Code Rollback")

When:   a deploy made things worse.
Effect: auto-deploys are frozen, the service goes back, is verified by its own report, and stays locked against
        deploys.
Undo:   roll back to the deployment that serves now; `unlock` lifts lock and freeze.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from playbooks.change_parts import (
    SHA_S,
    Load,
    Standing,
    States,
    coming_doubts,
    commit_words,
    doubts,
    draining_doubts,
    find_standing,
    starts_stopped,
    stopping,
    unavailable,
)
from playbooks.model import NoPlan, Risk
from playbooks.plan import Plan
from playbooks.rollback_advice import Move, Offer, Target, advise, find_target, offer, refuse_broken
from playbooks.rollback_candidates import Candidate, Past, applied_since, rank
from playbooks.schema_gate import Schema, newer_schema_lines
from playbooks.steps import (
    DEPLOY_S,
    AwaitDeployment,
    FreezeAutoDeploy,
    LockService,
    RollBackDeployment,
    Step,
    VerifySha,
    alive,
)
from services.domain.database import MigrationStatus
from services.domain.deployments import Deployment, VariableChange
from services.domain.errors import Unavailable
from services.domain.jobs import JobOutcomes
from services.domain.services import Service, short_sha


@dataclass(frozen=True)
class Facts:
    """`deployments`: each service's newest ones. `outcomes`: `{deployment id: how jobs ended while it served}`.
    `variable_changes`: each service's, as far as Railway's history goes. `schema`: the effects of the applied
    migrations of the operated system.

    Only Railway is required: facts that the database does not report become a warning.
    """

    environment: str
    now: datetime
    states: States
    deployments: Mapping[Service, Sequence[Deployment] | Unavailable]
    outcomes: Mapping[str, JobOutcomes] | Unavailable
    migrations: MigrationStatus | Unavailable
    load: Load
    variable_changes: Mapping[Service, Sequence[VariableChange] | Unavailable]
    schema: Schema


def find_offer(facts: Facts, scope: str, services: Sequence[Service]) -> Offer | NoPlan:
    """The deployments that these services can go back to together, and whether that helps; NoPlan if Railway does not
    report them."""
    pasts = _pasts(facts, services)
    if isinstance(pasts, NoPlan):
        return pasts
    return advise(scope, pasts, rank(pasts, facts.migrations, facts.schema), facts.load)


def plan(facts: Facts, scope: str, services: Sequence[Service], to: str | None = None) -> Plan | NoPlan:
    """A plan to roll back. `scope` is the word for the services ("api", "workers", "all"); workers come first.

    `to`: a commit of at least 7 characters, or the id of a deployment of the single service, of at least 8. Without it:
    the offer.
    """
    pasts = _pasts(facts, services)
    if isinstance(pasts, NoPlan):
        return pasts
    ranked = rank(pasts, facts.migrations, facts.schema)
    if to is None:
        return offer(scope, advise(scope, pasts, ranked, facts.load))
    target = find_target(scope, pasts, ranked, to)
    if isinstance(target, NoPlan):
        return target
    broken = _find_broken(ranked, target)
    if broken is not None:
        return refuse_broken(scope, broken)
    moves = target.moves
    sources = ", ".join(dict.fromkeys(move.found.current.name for move in moves))
    is_newer = target.candidate is not None and target.candidate.is_newer
    return Plan(
        environment=facts.environment,
        playbook="rollback",
        parameters={"service": scope, "to": target.word},
        steps=tuple(_steps(services, moves)),
        risk=Risk.HIGH,
        title=f"{'Return' if is_newer else 'Roll back'} {scope}: {sources} → {moves[0].to.name}",
        impact=tuple(_impact(facts, target)),
        warnings=tuple(_warnings(facts, target)),
        undo="; ".join(_undo(move) for move in moves),
    )


def _find_broken(ranked: Sequence[Candidate], target: Target) -> Candidate | None:
    """The target, by its commit if a deployment was named, if its code doesn't work with the schema now; else None."""
    commits = {move.to.commit_sha for move in target.moves}
    known = (one for one in ranked if one == target.candidate or (one.sha is not None and one.sha in commits))
    return next((one for one in known if one.broken_by), None)


def _pasts(facts: Facts, services: Sequence[Service]) -> list[Past] | NoPlan:
    pasts = []
    for service in services:
        found = find_standing(facts.states, service)
        if isinstance(found, NoPlan):
            return found
        deployments = facts.deployments.get(service, Unavailable("Railway", "not asked"))
        if isinstance(deployments, Unavailable):
            return unavailable(deployments)
        pasts.append(Past(found, deployments, facts.outcomes, facts.now))
    return pasts


def _steps(services: Sequence[Service], moves: Sequence[Move]) -> Iterator[Step]:
    yield from (FreezeAutoDeploy(move.found.service) for move in moves)
    for move in moves:
        yield from _move_steps(move)
    if len(services) > 1 and moves[0].to.commit_sha:
        yield from (VerifySha(service, moves[0].to.commit_sha, SHA_S) for service in services)


def _move_steps(move: Move) -> Iterator[Step]:
    """Roll one service back, and lock it at once: if verification fails, no deploy may follow before a person looks."""
    service, sha = move.found.service, move.to.commit_sha
    yield RollBackDeployment(service, move.found.current.id, move.to.id, sha or "")
    yield AwaitDeployment(service, DEPLOY_S)
    yield LockService(service, f"rolled back from {move.found.current.name} to {move.to.name}")
    if sha:
        yield VerifySha(service, sha, SHA_S)
    count = _replicas_afterwards(move.found)
    if service.worker_type is None or count:
        yield alive(service, count or 1)


def _replicas_afterwards(found: Standing) -> int | None:
    """The configured replicas: a rollback starts a stopped service again, with these."""
    return found.state.replicas_configured


def _undo(move: Move) -> str:
    current = move.found.current
    differs = current.commit_sha and current.commit_sha != move.to.commit_sha
    return f"rollback {move.found.service.short} to {short_sha(current.commit_sha) if differs else current.id}"


def _impact(facts: Facts, target: Target) -> Iterator[str]:
    for move in target.moves:
        yield f"{move.found.service.short}: {commit_words(move.found.current)} → {commit_words(move.to)}"
    if target.candidate is not None and target.candidate.is_proven:
        yield f"{target.candidate.name} {target.candidate.evidence}"
    yield from stopping(facts.load, [move.found.service for move in target.moves], "restarts")
    yield f"the old variables come back too; {_changed_since(facts, target)}"
    yield "pushes to main are not deployed, and deploys are refused, until unlock"


def _changed_since(facts: Facts, target: Target) -> str:
    """The names of the variables that have changed since the targets were deployed, as far as known."""
    names: set[str] = set()
    for move in target.moves:
        changes = facts.variable_changes.get(move.found.service, Unavailable("Railway", "not asked"))
        if isinstance(changes, Unavailable):
            return f"which of them have changed since is unknown: {changes.why}"
        names.update(name for change in changes if change.changed_at > move.to.created_at for name in change.names)
    if not names:
        return "Railway shows no changes to them since"
    return f"changed since, as far as Railway's history goes: {', '.join(sorted(names))}"


def _warnings(facts: Facts, target: Target) -> Iterator[str]:
    yield from _evidence_doubts(facts, target.candidate)
    for move in target.moves:
        yield from _move_doubts(move)
    yield from doubts(facts.load)


def _evidence_doubts(facts: Facts, candidate: Candidate | None) -> Iterator[str]:
    if isinstance(facts.migrations, Unavailable):
        yield f"the migrations cannot be read: {facts.migrations.why}; the schema may be too new for the old code"
    elif not facts.migrations.is_migrated:
        yield "this system does not report when it was migrated; the schema may be too new for the old code"
    elif candidate is not None and candidate.migrations_since:
        examined = _examined_since(facts, facts.migrations, candidate)
        yield from newer_schema_lines(candidate.name, candidate.migrations_since, examined, facts.schema)
    if isinstance(facts.outcomes, Unavailable):
        yield f"the outcomes of its jobs are unknown: {facts.outcomes.why}"
    if candidate is not None and not candidate.is_proven:
        yield f"{candidate.name} is not proven: {candidate.evidence}"


def _examined_since(facts: Facts, migrations: MigrationStatus, candidate: Candidate) -> list[str]:
    """The migrations of the operated system since then, and those of which the bot has no file."""
    since = applied_since(candidate.left_at, migrations)
    ours = None if isinstance(facts.schema, Unavailable) else facts.schema.keys()
    return [one.title for one in since if ours is None or one.title in ours or one.version in migrations.unknown]


def _move_doubts(move: Move) -> Iterator[str]:
    short, state = move.found.service.short, move.found.state
    yield from draining_doubts(state)
    if not move.to.commit_sha:
        yield f"{move.to.name} of {short} has no commit: so it cannot be verified"
    if state.is_stopped:
        yield starts_stopped(move.found.service, "rollback")
    yield from coming_doubts(state, "this replaces it")
    if move.found.service.worker_type and not _replicas_afterwards(move.found):
        yield f"Railway does not report how many replicas {short} has, so its heartbeats are not counted afterwards"
