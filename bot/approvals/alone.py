"""When a change may be started by its requester alone, because nobody answers; pure.

Inside an open incident, by somebody who could approve it for others, after the approvers were called and stayed silent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from bot.approvals.decide import is_requester, target_of
from bot.approvals.people import People
from bot.approvals.policy import Policy, Right, Target
from bot.approvals.rights import Allowed, Refused, Verdict, able, judge
from bot.views.text import date_token
from playbooks._contract import Risk
from services.domain.approvals import Decision
from services.domain.incidents import Incident, IncidentState
from services.domain.lone_starts import LoneStart
from services.domain.runs import Person, Run, RunState

VERBS = frozenset({"rollback", "restart", "scale"})


def covering_incident(target: Target, incidents: Iterable[Incident]) -> Incident | None:
    """The oldest open incident of the environment that the change belongs to."""
    services = [service.value for service in target.services]
    fitting = (one for one in incidents if one.environment == target.environment and one.covers(services))
    return next(fitting, None)


def who_to_call(
    person: Person | None, target: Target, risk: Risk, incident: Incident | None, policy: Policy, people: People
) -> Sequence[str] | None:
    """The approvers to call, so that this person may start it alone should none answer; None: they never may."""
    if person is None or incident is None or risk is not Risk.HIGH or target.playbook not in VERBS:
        return None
    if not isinstance(judge(Right.APPROVE, person, target, policy, people), Allowed):
        return None
    return sorted(able(Right.APPROVE, target, policy, people).users - {person.user_id})


def may_start_alone(
    run: Run,
    lone: LoneStart | None,
    incident: Incident | None,
    person: Person,
    *,
    decisions: Sequence[Decision],
    now: datetime,
    countdown: timedelta,
    policy: Policy,
    people: People,
) -> Verdict:
    """Whether this person may begin the countdown, or, with a countdown of nothing, whether it may end in a start."""
    if lone is None or not is_requester(run, person):
        return Refused("nobody may start this alone", "Somebody else has to approve it.")
    if run.state is not RunState.AWAITING_APPROVAL or decisions:
        return Refused(f"this request is {run.state.value} already", f"`run {run.id}` tells of it.")
    if incident is None or incident.state is IncidentState.RESOLVED:
        return Refused("the incident is over", "Without one, somebody else has to approve it.")
    if now < lone.open_at:
        return Refused("the approvers still have time to answer", f"You may from {date_token(lone.open_at)} on.")
    if run.expires_at <= now + countdown:
        return Refused("this request expires before the countdown would end", "`Ask again` makes a new one.")
    return judge(Right.APPROVE, person, target_of(run), policy, people)
