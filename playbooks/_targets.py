"""What a rollback's target means: a commit or a deployment into moves, or what to do instead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from playbooks._candidates import Candidate, Past
from playbooks._contract import NextStep, NoPlan
from playbooks._states import Standing
from services.domain.deployments import Deployment
from services.domain.sha import is_sha, same_sha, short_sha

OFFERED = 3  # the recommended one and two others; a longer list is no help at 3 a.m.


@dataclass(frozen=True)
class Move:
    """One service from where it stands to another deployment."""

    found: Standing
    to: Deployment


@dataclass(frozen=True)
class Target:
    """Where the services go. `word` means the same again: the whole SHA, or the deployment's id.

    `candidate`: what is known of the commit; None for a deployment that was named by its id.
    """

    word: str
    moves: Sequence[Move]
    candidate: Candidate | None = None


def find_target(scope: str, pasts: Sequence[Past], ranked: Sequence[Candidate], to: str) -> Target | NoPlan:
    """`to`: a commit of at least 7 characters, or the id of a deployment of the one service."""
    owner = next((past for past in pasts if any(one.id == to for one in past.deployments)), None)
    return _by_commit(scope, pasts, ranked, to) if owner is None else _by_id(owner, to, alone=len(pasts) == 1)


def offer(scope: str, ranked: Sequence[Candidate]) -> NoPlan:
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


def _by_id(past: Past, to: str, *, alone: bool) -> Target | NoPlan:
    short, target = past.service.short, next(one for one in past.deployments if one.id == to)
    if not alone:
        only = f"rollback {short} to {to}"
        return NoPlan("a deployment belongs to one service", only, (NextStep(f"Only {short}", only),))
    if target.id == past.current.id:
        return _serves_already(short, target.commit_sha)
    return Target(to, [Move(past.found, target)]) if target.can_rollback else _gone(short, target.commit_sha)


def _by_commit(scope: str, pasts: Sequence[Past], ranked: Sequence[Candidate], to: str) -> Target | NoPlan:
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
    known = {one.id: one for past in pasts for one in past.deployments}
    targets = candidate.deployments
    return Target(
        sha, [Move(past.found, known[targets[past.service]]) for past in pasts if past.service in targets], candidate
    )


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


def _serves_already(scope: str, sha: str | None) -> NoPlan:
    check = f"verify {scope}"
    return NoPlan(f"{scope} stands on {short_sha(sha)} already", "nothing to do", (NextStep("Verify it", check),))


def _gone(scope: str, sha: str | None) -> NoPlan:
    why = f"Railway cannot roll back to {short_sha(sha)} any more: its image is gone"
    if sha is None:
        return NoPlan(why, f"deploy a commit: deploy {scope} <sha>")
    return _rebuild(why, scope, sha)
