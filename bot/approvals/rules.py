"""The rules for requesting, approving, denying and cancelling a change, and for the number of approvals; pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bot.approvals.access import Allowed, Refused, Verdict, able, judge, still_holds, who_could
from bot.config.policy import Policy, Right, Severities, Target
from bot.people import People
from bot.views.text import mention
from playbooks.freeze import EXCEPTED, EXCEPTION
from playbooks.model import Risk
from services.domain.errors import Unavailable
from services.domain.people import Person
from services.domain.promotion import PROOF
from services.domain.runs import UNDECIDED, Decision, Review, Run, RunState
from services.domain.services import WHOLE_SHA, Service, is_sha, short_sha
from services.domain.text import counted

NOT_READ = Unavailable("database", "the open incidents were not read")  # for rules with a severity
NOT_TYPED = frozenset({PROOF, EXCEPTION, EXCEPTED})  # parameters that approvers read in the plan


@dataclass(frozen=True)
class Needs:
    """The conditions of a request: the number of approvals, the requester's confirmation, a phrase that approvers
    type."""

    approvals: int
    confirmation: bool = False
    typed: bool = False

    @property
    def first_state(self) -> RunState:
        """The state in which such a request is filed."""
        if self.approvals:
            return RunState.AWAITING_APPROVAL
        return RunState.PLANNED if self.confirmation else RunState.APPROVED


def is_known(person: Person | None) -> bool:
    """True if the requester is known. A terminal identifies no one, and a machine's token may be in anyone's hands."""
    return person is not None and not person.is_machine


def needs(risk: Risk, *, has_requester: bool, is_exception: bool = False) -> Needs:
    """Return what a request of this risk needs.

    A request without a known requester can't be confirmed, and needs one more approver. So does an exception from a
    freeze.
    """
    more = (0 if has_requester else 1) + (1 if is_exception else 0)
    match risk:
        case Risk.LOW:
            return Needs(more, confirmation=not more)
        case Risk.HIGH:
            return Needs(1 + more)
        case Risk.CRITICAL:
            return Needs(2 + more, typed=True)
        case Risk.BREAK_GLASS:
            return Needs(0)


def may_request(
    person: Person | None,
    target: Target,
    risk: Risk,
    policy: Policy,
    people: People,
    *,
    is_exception: bool = False,
) -> Verdict:
    """Judge whether this request may be filed: the requester has the right, and enough others could approve it.

    `person` is None on the terminal. A terminal or a machine can't request a break-glass change.
    """
    if not is_known(person) and risk is Risk.BREAK_GLASS:
        where = "the terminal" if person is None else "a machine's token"
        return Refused(f"{where} does not identify who is responsible", "Type it in Slack, where it runs immediately.")
    asked = Allowed() if person is None else judge(Right.REQUEST, person, target, policy, people)
    if isinstance(asked, Refused):
        return asked
    needed = needs(risk, has_requester=is_known(person), is_exception=is_exception)
    later = replace(target, at=None, incidents=None)  # they may answer later
    lacking = _lacking(needed, person, later, risk, policy, people)
    if lacking == 0:
        return asked
    besides = _excluded(person, risk)
    wanted = counted(needed.approvals, "approver")
    why = f"it needs {wanted}, and {lacking} of them {'is' if lacking == 1 else 'are'} missing"
    return Refused(why, who_could(Right.APPROVE, target, policy, people, besides=besides))


def approvers_lacking(person: Person | None, target: Target, risk: Risk, policy: Policy, people: People) -> int:
    """Number of approvers that are missing for a request of this person; 0 while the members of a group are unknown.
    They have to be able to answer at the target's moment, if it has one."""
    return _lacking(needs(risk, has_requester=is_known(person)), person, target, risk, policy, people)


def _lacking(needed: Needs, person: Person | None, target: Target, risk: Risk, policy: Policy, people: People) -> int:
    found = able(Right.APPROVE, replace(target, any_moment=True), policy, people)
    return 0 if found.unread else max(needed.approvals - len(found.users - _excluded(person, risk)), 0)


def may_confirm(
    run: Run,
    person: Person,
    now: datetime,
    policy: Policy,
    people: People,
    incidents: Severities | Unavailable = NOT_READ,
) -> Verdict:
    """Judge a confirmation: of a low-risk request, by its requester, while they still have the right to request it."""
    over = _why_closed(run, now)
    if over is not None:
        return over
    if run.state is not RunState.PLANNED:
        return Refused("this request needs an approval, not a confirmation", who_could_approve(run, policy, people))
    if not is_requester(run, person):
        return Refused("only the requester can confirm it", _requester_could(run))
    return judge(Right.REQUEST, person, target_of(run, at=now, incidents=incidents), policy, people)


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
    incidents: Severities | Unavailable = NOT_READ,
) -> Verdict:
    """Judge whether this person may approve or deny now. The requester may always deny, which withdraws the request.

    `typed`: what the person typed; a critical change is not approved without its phrase.
    """
    refused = _why_closed(run, now) or _why_not_accepted(run, person, approve=approve, policy=policy, people=people)
    if refused is not None:
        return refused
    deciders = frozenset(decision.person.user_id for decision in decisions)
    if person.user_id in deciders:
        return Refused("you have already decided", who_could_approve(run, policy, people, besides=deciders))
    if not approve and is_requester(run, person) and people.stranger(person) is None:
        return Allowed()
    verdict = judge(Right.APPROVE, person, target_of(run, at=now, incidents=incidents), policy, people)
    if approve and isinstance(verdict, Allowed) and run.risk == Risk.CRITICAL and not is_typed(run, typed):
        return Refused("the typed phrase does not match", f"Type `{confirmation_phrase(run)}` to approve it.")
    return verdict


def approvals_missing(run: Run, decisions: Iterable[Decision], policy: Policy, people: People) -> int:
    """Number of people who still have to approve this exact plan. Approvers who have lost the right do not count."""
    counted = {
        decision.person.user_id
        for decision in decisions
        if decision.approve and decision.plan_hash == run.plan_hash and _counts(run, decision, policy, people)
    }
    return max(run.approvals_needed - len(counted), 0)


def who_could_approve(run: Run, policy: Policy, people: People, *, besides: frozenset[str] = frozenset()) -> str:
    """Return a sentence that names who could approve the run."""
    excluded = _excluded(run.requested_by, Risk(run.risk))
    return who_could(Right.APPROVE, target_of(run), policy, people, besides=besides | excluded)


def confirmation_phrase(run: Run) -> str:
    """The phrase that each approver of a critical change types: "rollback-db 20251201000900 prod", "deploy api 8d02b64e
    prod"."""
    typed = (value for name, value in sorted(run.parameters.items()) if name not in NOT_TYPED)
    values = [value for value in typed if value != "yes"]  # a flag names nothing
    named = [short_sha(value) if is_sha(value) and len(value) == WHOLE_SHA else value for value in values]
    return " ".join((run.playbook, *named, run.environment))


def is_typed(run: Run, typed: str) -> bool:
    """True if the person typed the phrase; case and spaces do not matter."""
    return typed.casefold().split() == confirmation_phrase(run).casefold().split()


def is_requester(run: Run, person: Person) -> bool:
    """True if the person has the requester's user id, whatever the workspace."""
    return run.requested_by is not None and run.requested_by.user_id == person.user_id


def target_of(run: Run, *, at: datetime | None = None, incidents: Severities | Unavailable | None = None) -> Target:
    """Return what the run changes. `at`: when a person decides on it; `incidents`: those open then; None if they do not
    matter. The channel is left out: it was judged when the run was requested."""
    services = frozenset(Service(name) for name in run.services)
    return Target(
        *(run.playbook, services, run.environment),
        at=at,
        parameters=run.parameters,
        any_moment=True,
        incidents=incidents,
    )


def _why_closed(run: Run, now: datetime) -> Refused | None:
    """Return why the request can't be decided any more; None if it can."""
    if run.state not in UNDECIDED:
        return Refused(f"this request is closed: it is {run.state.value}", f"See `run {run.id}`.")
    if run.expires_at <= now:
        return Refused("this request has expired", "`Request again` files a new one based on the current state.")
    return None


def _why_not_accepted(run: Run, person: Person, *, approve: bool, policy: Policy, people: People) -> Refused | None:
    """Return why this person's decision can't be accepted here; None if it can."""
    if run.state is RunState.PLANNED:
        word = "approved" if approve else "denied"
        return Refused(f"this request can't be {word}: the requester confirms it", _requester_could(run))
    if approve and person.user_id in _excluded(run.requested_by, Risk(run.risk)):
        return Refused("you can't approve your own request", who_could_approve(run, policy, people))
    return None


def _counts(run: Run, decision: Decision, policy: Policy, people: People) -> bool:
    """True if the approval still counts, judged at the time at which it was given."""
    person = decision.person
    if person.user_id in _excluded(run.requested_by, Risk(run.risk)):
        return False
    return still_holds(Right.APPROVE, person, target_of(run, at=decision.decided_at), policy, people)


def _excluded(requester: Person | None, risk: Risk) -> frozenset[str]:
    """Users who do not count as approvers: the requester, except for a critical change, which needs two anyway."""
    return frozenset() if requester is None or risk is Risk.CRITICAL else frozenset({requester.user_id})


def _requester_could(run: Run) -> str:
    return f"{mention(run.requested_by.user_id)} can." if run.requested_by else f"See `run {run.id}`."


def may_cancel(run: Run, person: Person, policy: Policy, people: People) -> Verdict:
    """Judge whether this person may cancel the run, in whatever state it is."""
    if run.state.is_final:
        return Refused(f"this run has already ended ({run.state.value})", f"See `run {run.id}`.")
    if run.cancel_requested_by is not None and run.state is RunState.RUNNING:
        by = mention(run.cancel_requested_by.user_id)
        return Refused(f"{by} has already cancelled it", "It stops after the current step.")
    stranger = people.stranger(person)
    if stranger is None and is_requester(run, person):
        return Allowed()  # withdrawing one's own request needs no right
    return may_control(run, person, policy, people)


def may_resolve(run: Run, person: Person, policy: Policy, people: People) -> Verdict:
    """Judge whether this person may resolve a step whose outcome could not be read back."""
    if run.state is not RunState.UNKNOWN:
        return Refused("no step of this run is unknown", f"`run {run.id}` shows where it stands.")
    return may_control(run, person, policy, people)


def may_review(run: Run, review: Review | None, person: Person, policy: Policy, people: People) -> Verdict:
    """Judge whether this person may review a run without approval: an approver, but not the person who ran it."""
    if review is None:
        return Refused("this run was approved before it started", f"`run {run.id}` shows by whom.")
    if review.reviewed_by is not None:
        return Refused(
            f"{mention(review.reviewed_by.user_id)} has already reviewed it", f"`run {run.id}` shows the note."
        )
    if not run.state.is_final:
        return Refused("it has not ended yet", "Review it after it ends.")
    doer = frozenset({review.acted_by.user_id})
    if person.user_id in doer:
        could = who_could(Right.APPROVE, target_of(run), policy, people, besides=doer)
        return Refused("you can't review your own run", could)
    return judge(Right.APPROVE, person, target_of(run), policy, people)


def may_control(run: Run, person: Person, policy: Policy, people: People) -> Verdict:
    """Judge whether this person may request or approve the same change now. Being the requester alone is not enough."""
    asking = judge(Right.REQUEST, person, target_of(run), policy, people)
    approving = judge(Right.APPROVE, person, target_of(run), policy, people)
    return approving if isinstance(approving, Allowed) else asking
