"""Who may stop a run, say what became of it, and review it; pure. Every refusal says who could."""

from __future__ import annotations

from bot.approvals.decide import is_requester, target_of
from bot.approvals.people import People
from bot.approvals.policy import Policy, Right
from bot.approvals.rights import Allowed, Refused, Verdict, judge, who_could
from bot.views.mentions import mention
from services.domain.reviews import Review
from services.domain.runs import Person, Run, RunState


def may_cancel(run: Run, person: Person, policy: Policy, people: People) -> Verdict:
    """Whether the run may be stopped, at whatever moment."""
    if run.state.is_final:
        return Refused(f"this run has {run.state.value} already", f"`run {run.id}` tells how it ended.")
    if run.cancel_requested_by is not None and run.state is RunState.RUNNING:
        by = mention(run.cancel_requested_by.user_id)
        return Refused(f"{by} has cancelled it already", "It stops when the step under way has ended.")
    stranger = people.stranger(person)
    if stranger is None and is_requester(run, person):
        return Allowed()  # one's own request is taken back without any right
    return may_steer(run, person, policy, people)


def may_resolve(run: Run, person: Person, policy: Policy, people: People) -> Verdict:
    """Whether this person may say what became of an act whose outcome nobody could read back."""
    if run.state is not RunState.UNKNOWN:
        return Refused("nothing about this run is unknown", f"`run {run.id}` shows where it stands.")
    return may_steer(run, person, policy, people)


def may_review(run: Run, review: Review | None, person: Person, policy: Policy, people: People) -> Verdict:
    """Whether this person may say what came of what nobody had approved: an approver, but not who did it."""
    if review is None:
        return Refused("this run was approved before it started", f"`run {run.id}` tells by whom.")
    if review.reviewed_by is not None:
        return Refused(
            f"{mention(review.reviewed_by.user_id)} has reviewed it already", f"`run {run.id}` has the note."
        )
    if not run.state.is_final:
        return Refused("it is not over yet", "Review it when it has ended.")
    doer = frozenset({review.acted_by.user_id})
    if person.user_id in doer:
        could = who_could(Right.APPROVE, target_of(run), policy, people, besides=doer)
        return Refused("who did it does not review it", could)
    return judge(Right.APPROVE, person, target_of(run), policy, people)


def may_steer(run: Run, person: Person, policy: Policy, people: People) -> Verdict:
    """Whether this person may request or approve the same now. Having asked for the run gives no right to steer it."""
    asking = judge(Right.REQUEST, person, target_of(run), policy, people)
    approving = judge(Right.APPROVE, person, target_of(run), policy, people)
    return approving if isinstance(approving, Allowed) else asking
