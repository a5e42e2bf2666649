"""Who may ask, confirm, approve and deny, and how many have to agree; pure. Every refusal says who could."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.approvals.people import People
from bot.approvals.policy import Policy, Right, Target
from bot.approvals.rights import Allowed, Refused, Verdict, able, judge, still_holds, who_could
from bot.views.mentions import mention
from playbooks._contract import Risk
from services.domain.approvals import Decision
from services.domain.runs import UNDECIDED, Person, Run, RunState
from services.domain.services import Service


@dataclass(frozen=True)
class Needs:
    """What has to come together: so many approvals, the requester's own confirmation, a phrase typed by each."""

    approvals: int
    confirmation: bool = False
    typed: bool = False

    @property
    def first_state(self) -> RunState:
        """Where a request that needs this begins."""
        if self.approvals:
            return RunState.AWAITING_APPROVAL
        return RunState.PLANNED if self.confirmation else RunState.APPROVED


def needs(risk: Risk, *, has_requester: bool) -> Needs:
    """A request from the terminal has no requester: nobody confirms it, and it takes one approver more."""
    more = 0 if has_requester else 1
    match risk:
        case Risk.LOW:
            return Needs(more, confirmation=has_requester)
        case Risk.HIGH:
            return Needs(1 + more)
        case Risk.CRITICAL:
            return Needs(2 + more, typed=True)
        case Risk.BREAK_GLASS:
            return Needs(0)


def may_request(person: Person | None, target: Target, risk: Risk, policy: Policy, people: People) -> Verdict:
    """Whether this request may be filed: by somebody who may, and so that enough others could approve it.

    `person` is None on the terminal, which files for others to approve and breaks no glass.
    """
    if person is None and risk is Risk.BREAK_GLASS:
        return Refused("the terminal knows nobody who answers for it", "Type it in Slack, where it runs at once.")
    asked = Allowed() if person is None else judge(Right.REQUEST, person, target, policy, people)
    if isinstance(asked, Refused):
        return asked
    lacking = approvers_lacking(person, target, risk, policy, people)
    if lacking == 0:
        return asked
    besides = _excluded(person, risk)
    why = f"it needs {needs(risk, has_requester=person is not None).approvals} to approve it, and {lacking} are lacking"
    return Refused(why, who_could(Right.APPROVE, target, policy, people, besides=besides))


def approvers_lacking(person: Person | None, target: Target, risk: Risk, policy: Policy, people: People) -> int:
    """How many approvers too few there are for a request of this person; 0 while some group is not known."""
    found = able(Right.APPROVE, target, policy, people)
    wanted = needs(risk, has_requester=person is not None).approvals
    return 0 if found.unread else max(wanted - len(found.users - _excluded(person, risk)), 0)


def may_confirm(run: Run, person: Person, now: datetime, policy: Policy, people: People) -> Verdict:
    """Low risk: only who asked confirms, and only while they may still ask."""
    over = _over(run, now)
    if over is not None:
        return over
    if run.state is not RunState.PLANNED:
        return Refused("this request is not confirmed but approved", who_could_approve(run, policy, people))
    if not is_requester(run, person):
        return Refused("only who asked confirms it", _requester_could(run))
    return judge(Right.REQUEST, person, target_of(run), policy, people)


def may_decide(
    run: Run,
    person: Person,
    *,
    approve: bool,
    typed: str,
    decisions: Sequence[Decision],
    now: datetime,
    policy: Policy,
    people: People,
) -> Verdict:
    """Whether this person may approve or deny now. Who asked may always deny: that takes the request back.

    `typed` is what the person typed; something critical is not approved without its phrase.
    """
    refused = _over(run, now) or _not_yours(run, person, approve=approve, policy=policy, people=people)
    if refused is not None:
        return refused
    deciders = frozenset(decision.person.user_id for decision in decisions)
    if person.user_id in deciders:
        return Refused("you have decided already", who_could_approve(run, policy, people, besides=deciders))
    if not approve and is_requester(run, person) and people.stranger(person) is None:
        return Allowed()
    verdict = judge(Right.APPROVE, person, target_of(run), policy, people)
    if approve and isinstance(verdict, Allowed) and run.risk == Risk.CRITICAL and not is_typed(run, typed):
        return Refused("what was typed is not the phrase", f"Type `{confirmation_phrase(run)}` to approve it.")
    return verdict


def approvals_missing(run: Run, decisions: Iterable[Decision], policy: Policy, people: People) -> int:
    """How many more have to approve this very plan. Who may not approve any more does not count any more."""
    counted = {
        decision.person.user_id
        for decision in decisions
        if decision.approve and decision.plan_hash == run.plan_hash and _counts(run, decision.person, policy, people)
    }
    return max(run.approvals_needed - len(counted), 0)


def who_could_approve(run: Run, policy: Policy, people: People, *, besides: frozenset[str] = frozenset()) -> str:
    """A sentence that names who could."""
    excluded = _excluded(run.requested_by, Risk(run.risk))
    return who_could(Right.APPROVE, target_of(run), policy, people, besides=besides | excluded)


def confirmation_phrase(run: Run) -> str:
    """What each approver types before something critical is approved: "rollback-db 20251201000900 prod"."""
    named = [value for _, value in sorted(run.parameters.items()) if value != "yes"]  # a flag names nothing
    return " ".join((run.playbook, *named, run.environment))


def is_typed(run: Run, typed: str) -> bool:
    """Whether somebody typed the phrase; case and spaces do not matter."""
    return typed.casefold().split() == confirmation_phrase(run).casefold().split()


def is_requester(run: Run, person: Person) -> bool:
    """By the id alone: whoever shares it with the requester is not somebody else."""
    return run.requested_by is not None and run.requested_by.user_id == person.user_id


def target_of(run: Run) -> Target:
    """What the run changes."""
    return Target(run.playbook, frozenset(Service(name) for name in run.services), run.environment)


def _over(run: Run, now: datetime) -> Refused | None:
    """Why nobody can decide on it any more."""
    if run.state not in UNDECIDED:
        return Refused(
            f"nobody decides on this request any more: it is {run.state.value}", f"`run {run.id}` tells of it."
        )
    if run.expires_at <= now:
        return Refused("this request has expired", "`Ask again` makes a new one from what is so now.")
    return None


def _not_yours(run: Run, person: Person, *, approve: bool, policy: Policy, people: People) -> Refused | None:
    """Why this person's approval is not the one that is waited for."""
    if run.state is RunState.PLANNED:
        word = "approved" if approve else "denied"
        return Refused(f"this request is not {word} but confirmed by who asked", _requester_could(run))
    if approve and person.user_id in _excluded(run.requested_by, Risk(run.risk)):
        return Refused("who asks does not approve", who_could_approve(run, policy, people))
    return None


def _counts(run: Run, person: Person, policy: Policy, people: People) -> bool:
    if person.user_id in _excluded(run.requested_by, Risk(run.risk)):
        return False
    return still_holds(Right.APPROVE, person, target_of(run), policy, people)


def _excluded(requester: Person | None, risk: Risk) -> frozenset[str]:
    """Who does not count as an approver: the requester, but for something critical, where two have to agree anyway."""
    return frozenset() if requester is None or risk is Risk.CRITICAL else frozenset({requester.user_id})


def _requester_could(run: Run) -> str:
    return f"{mention(run.requested_by.user_id)} could." if run.requested_by else f"`run {run.id}` tells of it."
