"""Go back to an earlier deployment: its image and its variables (runbook, "Code Rollback")

When:   a deploy made things worse.
Effect: auto-deploys are frozen, the service goes back, is proved by its own word, and stays locked against deploys.
Undo:   roll back to what serves now; `unlock` lifts lock and freeze.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from playbooks._candidates import Candidate, Past, rank
from playbooks._contract import NextStep, NoPlan, Plan, Risk
from playbooks._load import Load, doubts, stopping
from playbooks._phases import alive
from playbooks._states import Standing, States, commit_words, draining_doubts, find_standing, unavailable
from playbooks._steps import (
    AwaitDeployment,
    FreezeAutoDeploy,
    LockService,
    RollBackDeployment,
    Step,
    VerifySha,
)
from playbooks._timeouts import DEPLOY_S, SHA_S
from services.domain.deployments import Deployment
from services.domain.errors import Unavailable
from services.domain.jobs import JobOutcomes
from services.domain.migrations import MigrationStatus
from services.domain.services import Service
from services.domain.sha import is_sha, same_sha, short_sha
from services.domain.words import counted

OFFERED = 3  # buttons below the recommended one are rather a list


@dataclass(frozen=True)
class Facts:
    """`deployments`: each service's newest ones. `outcomes`: `{deployment id: how jobs ended while it served}`.

    Nothing but Railway is needed: what the database does not tell is a warning (DESIGN §5).
    """

    environment: str
    now: datetime
    states: States
    deployments: Mapping[Service, Sequence[Deployment] | Unavailable]
    outcomes: Mapping[str, JobOutcomes] | Unavailable
    migrations: MigrationStatus | Unavailable
    load: Load


@dataclass(frozen=True)
class _Move:
    """One service from where it stands to another deployment."""

    found: Standing
    to: Deployment


def rank_candidates(facts: Facts, services: Sequence[Service]) -> tuple[Candidate, ...] | NoPlan:
    """Where these services can go back to together, best first; NoPlan when Railway does not tell."""
    pasts = _pasts(facts, services)
    return pasts if isinstance(pasts, NoPlan) else rank(pasts, facts.migrations)


def plan(facts: Facts, scope: str, services: Sequence[Service], to: str | None = None) -> Plan | NoPlan:
    """`scope` is the word for the services ("api", "workers", "all"); workers come first.

    `to`: a commit of at least 7 characters, or the id of a deployment of the one service. Without it: the offer.
    """
    pasts = _pasts(facts, services)
    if isinstance(pasts, NoPlan):
        return pasts
    ranked = rank(pasts, facts.migrations)
    if to is None:
        return _offer(scope, ranked)
    moves = _by_id(facts, pasts, to)
    if isinstance(moves, list):
        return _plan(facts, scope, services, moves, to=to)
    moves = moves or _by_commit(facts, scope, pasts, ranked, to)
    if isinstance(moves, NoPlan):
        return moves
    sha = moves[0].to.commit_sha or to
    return _plan(facts, scope, services, moves, to=sha, candidate=next(one for one in ranked if one.sha == sha))


def _pasts(facts: Facts, services: Sequence[Service]) -> list[Past] | NoPlan:
    pasts = []
    for service in services:
        found = find_standing(facts.states, service)
        if isinstance(found, NoPlan):
            return found
        deployments = facts.deployments.get(service, Unavailable("Railway", "not asked"))
        if isinstance(deployments, Unavailable):
            return unavailable(deployments)
        pasts.append(Past(service, deployments, found.current, facts.outcomes, facts.now))
    return pasts


def _offer(scope: str, ranked: Sequence[Candidate]) -> NoPlan:
    """Where it could go back to, the recommended one first; or the commits that could be built again."""
    possible = [candidate for candidate in ranked if candidate.can_roll_back]
    if not possible:
        return _nowhere(scope, ranked)
    best = possible[0]
    return NoPlan(
        f"pick where {scope} goes back to: {short_sha(best.sha)} is recommended, {best.evidence}",
        f"rollback {scope} to {short_sha(best.sha)}",
        tuple(_to(scope, candidate.sha) for candidate in possible[:OFFERED]),
    )


def _nowhere(scope: str, ranked: Sequence[Candidate]) -> NoPlan:
    if not ranked:
        return NoPlan(
            f"Railway lists no earlier commit of {scope}",
            f"build a good commit: deploy {scope} <sha>; it takes minutes",
        )
    return _rebuild(f"Railway has no image of an earlier deployment of {scope} any more", scope, ranked[0].sha)


def _rebuild(why: str, scope: str, sha: str) -> NoPlan:
    """The commit can be built again, which is slower and takes the variables of now."""
    step = NextStep(f"Rebuild {short_sha(sha)}", f"deploy {scope} {sha}")
    return NoPlan(why, f"build the commit again: {step.command}; it takes minutes and the variables of now", (step,))


def _to(scope: str, sha: str) -> NextStep:
    return NextStep(f"Roll back to {short_sha(sha)}", f"rollback {scope} to {short_sha(sha)}")


def _by_id(facts: Facts, pasts: Sequence[Past], to: str) -> list[_Move] | NoPlan | None:
    """None when no deployment has this id."""
    past = next((past for past in pasts if any(one.id == to for one in past.deployments)), None)
    if past is None:
        return None
    if len(pasts) > 1:
        one = f"rollback {past.service.short} to {to}"
        return NoPlan("a deployment belongs to one service", one, (NextStep(f"Only {past.service.short}", one),))
    target = next(one for one in past.deployments if one.id == to)
    if target.id == past.current.id:
        return _serves_already(past.service.short, target.commit_sha)
    if not target.can_rollback:
        return _gone(past.service.short, target.commit_sha)
    found = find_standing(facts.states, past.service)
    return found if isinstance(found, NoPlan) else [_Move(found, target)]


def _by_commit(
    facts: Facts, scope: str, pasts: Sequence[Past], ranked: Sequence[Candidate], to: str
) -> list[_Move] | NoPlan:
    sha = _find_commit(scope, pasts, to)
    if isinstance(sha, NoPlan):
        return sha
    if all(past.current.commit_sha == sha for past in pasts):
        return _serves_already(scope, sha)
    candidate = next((one for one in ranked if one.sha == sha), None)
    if candidate is None:
        lacking = [past.service.short for past in pasts if not any(one.commit_sha == sha for one in past.deployments)]
        return _rebuild(f"{', '.join(lacking) or scope} never served {short_sha(sha)}", scope, sha)
    if not candidate.can_roll_back:
        return _gone(scope, sha)
    return list(_moves(facts, pasts, candidate))


def _moves(facts: Facts, pasts: Sequence[Past], candidate: Candidate) -> Iterator[_Move]:
    for past in pasts:
        found = find_standing(facts.states, past.service)
        target = next((one for one in past.deployments if one.id == candidate.deployments.get(past.service)), None)
        if target is not None and not isinstance(found, NoPlan):
            yield _Move(found, target)


def _find_commit(scope: str, pasts: Sequence[Past], to: str) -> str | NoPlan:
    """The whole SHA that the prefix means."""
    known = sorted({one.commit_sha for past in pasts for one in past.deployments if one.commit_sha})
    matching = [sha for sha in known if same_sha(sha, to)]
    look = NextStep("Deployments", f"deployments {pasts[0].service.short}")
    if len(matching) == 1:
        return matching[0]
    if matching:
        return NoPlan(f"{to} means more than one commit: {', '.join(matching)}", "write more characters", (look,))
    if is_sha(to.lower()):
        return _rebuild(f"{scope} has no deployment of {short_sha(to)} among those that Railway lists", scope, to)
    return NoPlan(
        f"{scope} has no deployment with this id", "name a commit or a deployment that Railway lists", (look,)
    )


def _serves_already(scope: str, sha: str | None) -> NoPlan:
    check = f"verify {scope}"
    return NoPlan(f"{scope} stands on {short_sha(sha)} already", "nothing to do", (NextStep("Verify it", check),))


def _gone(scope: str, sha: str | None) -> NoPlan:
    why = f"Railway cannot roll back to {short_sha(sha)} any more: its image is gone"
    if sha is None:
        return NoPlan(why, f"deploy a commit: deploy {scope} <sha>")
    return _rebuild(why, scope, sha)


def _plan(
    facts: Facts,
    scope: str,
    services: Sequence[Service],
    moves: Sequence[_Move],
    *,
    to: str,
    candidate: Candidate | None = None,
) -> Plan:
    sources = ", ".join(dict.fromkeys(short_sha(move.found.current.commit_sha) for move in moves))
    return Plan(
        environment=facts.environment,
        playbook="rollback",
        parameters={"service": scope, "to": to},
        steps=tuple(_steps(services, moves)),
        risk=Risk.HIGH,
        title=f"Roll back {scope}: {sources} → {short_sha(moves[0].to.commit_sha)}",
        impact=tuple(_impact(facts, moves, candidate)),
        warnings=tuple(_warnings(facts, moves, candidate)),
        undo="; ".join(_undo(move) for move in moves),
    )


def _steps(services: Sequence[Service], moves: Sequence[_Move]) -> Iterator[Step]:
    yield from (FreezeAutoDeploy(move.found.service) for move in moves)
    for move in moves:
        yield from _move_steps(move)
    if len(services) > 1 and moves[0].to.commit_sha:
        yield from (VerifySha(service, moves[0].to.commit_sha, SHA_S) for service in services)


def _move_steps(move: _Move) -> Iterator[Step]:
    """Locked as soon as it has gone back: should the proof fail, no deploy may sneak in before a person looked."""
    service, sha = move.found.service, move.to.commit_sha
    yield RollBackDeployment(service, move.found.current.id, move.to.id, sha or "")
    yield AwaitDeployment(service, DEPLOY_S)
    yield LockService(service, f"rolled back from {short_sha(move.found.current.commit_sha)} to {short_sha(sha)}")
    if sha:
        yield VerifySha(service, sha, SHA_S)
    count = _replicas_afterwards(move.found)
    if service.worker_type is None or count:
        yield alive(service, count or 1)


def _replicas_afterwards(found: Standing) -> int | None:
    """A rollback starts a stopped service again, with the configured replicas."""
    return found.state.replicas_configured


def _undo(move: _Move) -> str:
    current = move.found.current
    differs = current.commit_sha and current.commit_sha != move.to.commit_sha
    return f"rollback {move.found.service.short} to {short_sha(current.commit_sha) if differs else current.id}"


def _impact(facts: Facts, moves: Sequence[_Move], candidate: Candidate | None) -> Iterator[str]:
    for move in moves:
        yield f"{move.found.service.short}: {commit_words(move.found.current)} → {commit_words(move.to)}"
    if candidate is not None:
        yield f"{short_sha(candidate.sha)} {candidate.evidence}"
    yield from stopping(facts.load, [move.found.service for move in moves], "restarts")
    yield "the old variables come back too; Railway does not tell which have changed since"
    yield "pushes to main are not deployed, and deploys are refused, until `unlock`"


def _warnings(facts: Facts, moves: Sequence[_Move], candidate: Candidate | None) -> Iterator[str]:
    yield from _evidence_doubts(facts, candidate)
    for move in moves:
        yield from _move_doubts(move)
    yield from doubts(facts.load)


def _evidence_doubts(facts: Facts, candidate: Candidate | None) -> Iterator[str]:
    if isinstance(facts.migrations, Unavailable):
        yield f"the migrations cannot be read: {facts.migrations.why}; the schema may be too new for the old code"
    elif candidate is not None and candidate.migrations_since:
        since = counted(candidate.migrations_since, "migration")
        yield f"{since} applied since {short_sha(candidate.sha)} served: the old code meets a newer schema"
    if isinstance(facts.outcomes, Unavailable):
        yield f"how its jobs went is not known: {facts.outcomes.why}"
    if candidate is not None and not candidate.is_proven:
        yield f"{short_sha(candidate.sha)} is not proven: {candidate.evidence}"


def _move_doubts(move: _Move) -> Iterator[str]:
    short, state = move.found.service.short, move.found.state
    yield from draining_doubts(state)
    if not move.to.commit_sha:
        yield f"Railway does not say which commit the deployment of {short} is: it cannot be verified"
    if state.is_stopped:
        yield f"{short} is stopped, and a rollback starts it"
    if state.latest is not None and state.latest.status.is_in_progress:
        yield f"a deployment of {short_sha(state.latest.commit_sha)} is on its way to {short}: this replaces it"
    if move.found.service.worker_type and not _replicas_afterwards(move.found):
        yield f"Railway does not say how many replicas {short} has, so its heartbeats are not counted afterwards"
