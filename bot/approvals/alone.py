"""When a change may be started by its requester alone, because nobody answers; pure.

Inside an open SEV1 or SEV2 that does not rest on the requester's word alone, by somebody who could approve it for
others, after the approvers were called and stayed silent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Emergency:
    """An incident and who says that it is one. `by_alert`: an alert opened or joined it; drills do not count.

    acknowledged_by: the ids of everybody who ever acknowledged it.
    """

    incident: Incident
    by_alert: bool = False
    acknowledged_by: frozenset[str] = frozenset()


def covering_incidents(target: Target, incidents: Iterable[Incident]) -> list[Incident]:
    """The open incidents of the environment that the change belongs to, in their order."""
    services = [service.value for service in target.services]
    return [one for one in incidents if one.environment == target.environment and one.covers(services)]


def find_emergency(person: Person | None, emergencies: Iterable[Emergency]) -> Incident | None:
    """The first that somebody or something besides this person vouches for."""
    return next((one.incident for one in emergencies if person and doubt_emergency(one, person) is None), None)


def doubt_emergency(emergency: Emergency, person: Person) -> Refused | None:
    """Why the incident gives this person no right to start alone."""
    incident = emergency.incident
    if not incident.severity.calls_people:
        name = incident.severity.upper()
        return Refused(f"incident {incident.id} is {name}", "In a SEV3, somebody else has to approve it.")
    opener = {incident.opened_by.user_id} if incident.opened_by else set()
    if emergency.by_alert or (opener | emergency.acknowledged_by) - {person.user_id}:
        return None
    why = f"only you say that incident {incident.id} is an emergency: no alert is part of it"
    return Refused(why, "Let somebody else acknowledge it, or approve this change.")


def who_to_call(person: Person | None, target: Target, policy: Policy, people: People) -> Sequence[str]:
    """The approvers of a request inside an incident, whoever asks for it: all but that person."""
    return sorted(able(Right.APPROVE, target, policy, people).users - ({person.user_id} if person else set()))


def why_not_alone(
    person: Person | None,
    target: Target,
    risk: Risk,
    emergencies: Sequence[Emergency],
    policy: Policy,
    people: People,
) -> str | None:
    """Why this person may not start it alone, should none of the approvers answer, as a clause; None: they may."""
    if person is None:
        return "a request from a terminal has no requester"
    if risk is not Risk.HIGH or target.playbook not in VERBS:
        return f"`{target.playbook}` always needs somebody else"
    if not isinstance(judge(Right.APPROVE, person, target, policy, people), Allowed):
        return "operators cannot"
    if find_emergency(person, emergencies) is not None:
        return None
    doubts = (doubt_emergency(one, person) for one in emergencies)
    return next((doubt.why for doubt in doubts if doubt), "there is no open incident")


def may_start_alone(
    run: Run,
    lone: LoneStart | None,
    emergency: Emergency | None,
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
    if emergency is None or emergency.incident.state is IncidentState.RESOLVED:
        return Refused("the incident is over", "Without one, somebody else has to approve it.")
    doubt = doubt_emergency(emergency, person)
    if doubt is not None:
        return doubt
    if now < lone.open_at:
        return Refused("the approvers still have time to answer", f"You may from {date_token(lone.open_at)} on.")
    if run.expires_at <= now + countdown:
        return Refused("this request expires before the countdown would end", "`Ask again` makes a new one.")
    return judge(Right.APPROVE, person, target_of(run), policy, people)
