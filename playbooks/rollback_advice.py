"""Advice on rollbacks: their targets, whether one would help, and the first remedy for an incident."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from playbooks.last_deploys import worked_for
from playbooks.model import NextStep, NoPlan
from playbooks.rollback_candidates import Candidate, Past, deployed_at
from playbooks.root_causes import Diagnosed, Diagnosis, Kind
from playbooks.schema_gate import broken_words, schema_rollback
from services.domain.deployments import SHORT_ID, Deployment
from services.domain.errors import Unavailable
from services.domain.services import Service, find_service, is_sha, same_sha, short_sha
from services.domain.text import age

if TYPE_CHECKING:
    from playbooks.change_parts import Load, Standing

LATELY = timedelta(hours=2)  # the cause of a problem is rarely older


@dataclass(frozen=True)
class Offer:
    """`candidates`: best first, the first is recommended without a `doubt`. `instead`: a step that helps sooner."""

    candidates: tuple[Candidate, ...]
    doubt: str | None = None
    instead: NextStep | None = None


def advise(scope: str, pasts: Sequence[Past], ranked: Sequence[Candidate], load: Load) -> Offer:
    """The offer for these services. `ranked`: the result of `rank`."""
    doubt, instead = _doubt(scope, pasts, load)
    if doubt is None and ranked and ranked[0].is_possible and ranked[0].is_successful and not ranked[0].is_newer:
        return Offer((replace(ranked[0], recommended=True), *ranked[1:]))
    return Offer(tuple(ranked), doubt, instead)


def _doubt(scope: str, pasts: Sequence[Past], load: Load) -> tuple[str | None, NextStep | None]:
    beats = () if isinstance(load.beats, Unavailable) else load.beats
    if any(isinstance(past.outcomes, Unavailable) for past in pasts):
        return "The database does not answer: a rollback does not fix that", NextStep("Health", "health")
    moments = [moment for past in pasts if (moment := deployed_at(past)) is not None]
    if not any(past.now - moment <= LATELY for past in pasts for moment in moments):
        what = {"all": "any service", "workers": "any worker"}.get(scope, scope)
        return f"No deploy of {what} lately: a rollback is unlikely to help", None
    for past in pasts:
        replicas = past.found.state.replicas_configured
        ran = worked_for(past.service, past.current, replicas, beats, load.answered)
        if ran is not None:
            short = past.service.short
            words = f"A process of {short} died after it had worked for {age(ran)}: restart it first"
            return words, NextStep(f"Restart {short}", f"restart {short}")
    return None, None


def find_cause(diagnosed: Diagnosed, services: Collection[Service]) -> Diagnosis | None:
    """The most urgent cause that concerns these services: a general one or one of theirs; else the first of any."""
    return next((one for one in diagnosed.diagnoses if fits(one, services)), diagnosed.first)


def fits(diagnosis: Diagnosis, services: Collection[Service]) -> bool:
    """True if it concerns one of these services, or all."""
    return diagnosis.cause.service is None or diagnosis.cause.service in services


def choose_remedy(diagnosis: Diagnosis, candidates: Sequence[Candidate]) -> NextStep | None:
    """The button with the remedy; None without one. `candidates`: targets for the cause's service, best first; empty
    while not known.

    A restart does not fix a bad deploy, and a rollback does not restart a killed process.
    """
    step, service = diagnosis.finding.next_step, diagnosis.cause.service
    if step is None or step.command is None:
        return None
    if diagnosis.cause.kind is Kind.DEPLOY and service is not None:
        if not candidates:
            return step
        sha = short_sha(candidates[0].sha)
        return NextStep(f"Roll back to {sha}", f"rollback {service.short} to {sha}")
    return step if step.command.startswith("restart ") else None


OFFERED = 3  # the recommended one and 2 others; a longer list does not help at 3 a.m.


@dataclass(frozen=True)
class Move:
    """The move of one service from its current deployment to another one."""

    found: Standing
    to: Deployment


@dataclass(frozen=True)
class Target:
    """The deployments to go back to. `word` selects the same ones again: the whole SHA, or the deployment's id.

    `candidate`: the facts about the commit; None for a deployment that was named by its id.
    """

    word: str
    moves: Sequence[Move]
    candidate: Candidate | None = None


def find_target(scope: str, pasts: Sequence[Past], ranked: Sequence[Candidate], to: str) -> Target | NoPlan:
    """The target that `to` names: a commit of at least 7 characters, or the id of a deployment of the single service,
    of at least 8."""
    if any(one.commit_sha and same_sha(one.commit_sha, to) for past in pasts for one in past.deployments):
        return _by_commit(scope, pasts, ranked, to)
    named = [(past, one) for past in pasts for one in past.deployments if is_meant(one, to)]
    if len(named) > 1:
        deployments_step = NextStep("Deployments", f"deployments {pasts[0].service.short}")
        return NoPlan(f"{to} means more than one deployment", "write more characters of its id", (deployments_step,))
    if not named:
        return _by_commit(scope, pasts, ranked, to)
    return _by_id(*named[0], ranked, alone=len(pasts) == 1)


def is_meant(deployment: Deployment, to: str) -> bool:
    """True if the text is the deployment's id, or its first characters."""
    return deployment.id == to or (len(to) >= SHORT_ID and deployment.id.startswith(to))


def offer(scope: str, found: Offer) -> NoPlan:
    """The targets, the recommended one first; or the commits that could be built again."""
    possible = [candidate for candidate in found.candidates if candidate.is_possible]
    if not possible:
        return _nowhere(scope, found.candidates)
    best = possible[0]
    advice = "is recommended" if best.recommended else "ran last"
    why = f"choose a target for {scope}: {best.name} {advice}, {best.evidence}"
    return NoPlan(
        f"{found.doubt}. To roll back anyway, {why}" if found.doubt else why,
        f"request it: rollback {scope} to {best.short_word}",
        tuple(_to(scope, candidate) for candidate in possible[:OFFERED]),
    )


def _by_id(past: Past, target: Deployment, ranked: Sequence[Candidate], *, alone: bool) -> Target | NoPlan:
    short = past.service.short
    if not alone:
        only = f"rollback {short} to {target.id}"
        return NoPlan("a deployment belongs to one service", f"request it: {only}", (NextStep(f"Only {short}", only),))
    if target.id == past.current.id:
        return _serves_already(short, target)
    if not target.can_rollback:
        return _gone(short, target)
    candidate = None if target.commit_sha else next((one for one in ranked if one.word == target.id), None)
    return Target(target.id, [Move(past.found, target)], candidate)


def _by_commit(scope: str, pasts: Sequence[Past], ranked: Sequence[Candidate], to: str) -> Target | NoPlan:
    sha = _find_commit(scope, pasts, to)
    if isinstance(sha, NoPlan):
        return sha
    if all(past.current.commit_sha == sha for past in pasts):
        return _serves_already(scope, pasts[0].current)
    candidate = next((one for one in ranked if one.sha == sha), None)
    if candidate is None:
        lacking = [past.service.short for past in pasts if not any(one.commit_sha == sha for one in past.deployments)]
        return _rebuild(f"{', '.join(lacking) or scope} never ran {short_sha(sha)}", scope, sha)
    if not candidate.can_roll_back:
        return _rebuild(_gone_words(short_sha(sha)), scope, sha)
    known = {one.id: one for past in pasts for one in past.deployments}
    targets = candidate.deployments
    return Target(
        sha, [Move(past.found, known[targets[past.service]]) for past in pasts if past.service in targets], candidate
    )


def _find_commit(scope: str, pasts: Sequence[Past], to: str) -> str | NoPlan:
    """The whole SHA that the prefix stands for."""
    known = sorted({one.commit_sha for past in pasts for one in past.deployments if one.commit_sha})
    matching = [sha for sha in known if same_sha(sha, to)]
    deployments_step = NextStep("Deployments", f"deployments {pasts[0].service.short}")
    if len(matching) == 1:
        return matching[0]
    if matching:
        return NoPlan(
            f"{to} means more than one commit: {', '.join(matching)}", "write more characters", (deployments_step,)
        )
    if is_sha(to.lower()):
        return _rebuild(f"{scope} has no deployment of {short_sha(to)} among those that Railway lists", scope, to)
    return NoPlan(
        f"{scope} has no deployment with this id",
        "name a commit or a deployment that Railway lists",
        (deployments_step,),
    )


def _nowhere(scope: str, ranked: Sequence[Candidate]) -> NoPlan:
    if not ranked:
        return NoPlan(
            f"Railway lists no earlier deployment of {scope}",
            f"build a good commit: deploy {scope} <sha>; it takes minutes",
            (NextStep("What was deployed", f"deployments {_one_of(scope)}"),),
        )
    broken = next((candidate for candidate in ranked if candidate.broken_by), None)
    if broken is not None:
        return refuse_broken(scope, broken)
    why = f"Railway has no image of an earlier deployment of {scope} any more"
    sha = next((candidate.sha for candidate in ranked if candidate.sha), None)
    return _rebuild(why, scope, sha) if sha else _deploy_one(why, scope)


def refuse_broken(scope: str, candidate: Candidate) -> NoPlan:
    """Refuse code that doesn't work with the current schema, and point to the prepared rollback of the schema, which
    brings back code that does."""
    back = schema_rollback(candidate.broken_by)
    return NoPlan(
        broken_words(candidate.name, candidate.broken_by),
        f"roll back the schema together with its code: {back}; if no rollback is prepared, "
        f"repair with a new commit: deploy {scope} <sha>",
        (NextStep("Roll back the schema", back), NextStep("Migrations", "migrations")),
    )


def _deploy_one(why: str, scope: str) -> NoPlan:
    step = NextStep("What was deployed", f"deployments {_one_of(scope)}")
    return NoPlan(why, f"deploy a commit: deploy {scope} <sha>", (step,))


def _one_of(scope: str) -> str:
    """A service of the scope: deployments can't be listed for `workers` or `all`."""
    return scope if find_service(scope) else Service.API.short


def _rebuild(why: str, scope: str, sha: str) -> NoPlan:
    """The commit can be built again, which is slower and uses the current variables."""
    step = NextStep(f"Rebuild {short_sha(sha)}", f"deploy {scope} {sha}")
    return NoPlan(
        why, f"build the commit again: {step.command}; it takes minutes and uses the current variables", (step,)
    )


def _to(scope: str, candidate: Candidate) -> NextStep:
    verb = "Return to" if candidate.is_newer else "Roll back to"
    return NextStep(f"{verb} {candidate.short_word}", f"rollback {scope} to {candidate.short_word}")


def _serves_already(scope: str, current: Deployment) -> NoPlan:
    check = f"verify {scope}"
    return NoPlan(f"{scope} already runs {current.name}", "nothing to do", (NextStep("Verify it", check),))


def _gone(scope: str, deployment: Deployment) -> NoPlan:
    why = _gone_words(deployment.name)
    if deployment.commit_sha is None:
        return _deploy_one(why, scope)
    return _rebuild(why, scope, deployment.commit_sha)


def _gone_words(name: str) -> str:
    return f"Railway cannot roll back to {name} any more: its image is gone"
