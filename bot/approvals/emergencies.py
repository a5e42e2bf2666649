"""The conditions of emergency self-approval; pure.

It needs an open SEV1 or SEV2 that does not rest on the requester's word alone, a requester who could approve the change
for others, and approvers who were paged and did not answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.approvals.access import Allowed, Refused, Verdict, able, judge
from bot.approvals.rules import NOT_READ, is_requester, target_of
from bot.changes import CHANGES
from bot.config.policy import Policy, Right, Severities, Target
from bot.people import People
from bot.views.text import date_token
from playbooks.model import Risk
from services.domain.alerts import is_drill
from services.domain.errors import Unavailable
from services.domain.incidents import Incident, IncidentSeverity, IncidentState
from services.domain.people import Person
from services.domain.runs import Decision, Run, RunState, SelfApproval

ALERT = ""  # `Confirmation.by` of an alert
LATER = "a run that starts later always needs another approver"  # by then the emergency may be over


@dataclass(frozen=True)
class Confirmation:
    """An alert that joined an incident, or a person who acknowledged it or changed its severity. `by`: the person's id.
    `severity`: the new one; `before`: the old one, None if a former version did not store it."""

    by: str
    severity: IncidentSeverity | None = None
    before: IncidentSeverity | None = None


@dataclass(frozen=True)
class Emergency:
    """An open incident and its confirmations, oldest first; alerts of drills confirm nothing."""

    incident: Incident
    confirmations: Sequence[Confirmation] = ()

    @property
    def is_drill(self) -> bool:
        fingerprint = self.incident.fingerprint
        is_real = any(one.by == ALERT for one in self.confirmations)
        return fingerprint is not None and is_drill(fingerprint) and not is_real

    def severity_for(self, person: Person) -> IncidentSeverity | None:
        """Severity without what this person alone reports; None if no alert and no other person reports the incident.

        A severity that the person set counts once an alert or another person confirms the incident after that.
        """
        opener = self.incident.opened_by
        others = {one.by for one in self.confirmations} | ({opener.user_id} if opener else set())
        if not others - {person.user_id}:
            return None
        changes = [one for one in self.confirmations if one.severity]
        stated = confirmed = changes[0].before if changes else self.incident.severity
        for one in self.confirmations:
            stated = one.severity or stated
            confirmed = confirmed if one.by == person.user_id else stated
        return confirmed


def covering_emergencies(target: Target, emergencies: Iterable[Emergency]) -> list[Emergency]:
    """List the open incidents of the environment that cover the change, in the order given."""
    services = [service.value for service in target.services]
    return [
        one for one in emergencies if one.incident.environment == target.environment and one.incident.covers(services)
    ]


def find_emergency(person: Person | None, emergencies: Iterable[Emergency]) -> Incident | None:
    """Return the first incident that an alert or another person confirms."""
    return next((one.incident for one in emergencies if person and doubt_emergency(one, person) is None), None)


def doubt_emergency(emergency: Emergency, person: Person) -> Refused | None:
    """Return why the incident does not let this person self-approve; None if it does."""
    incident, severity = emergency.incident, emergency.severity_for(person)
    if emergency.is_drill:
        return Refused(f"incident {incident.id} is a drill", "In a drill, an approver has to approve it.")
    if not incident.severity.pages_people:
        name = incident.severity.upper()
        return Refused(f"incident {incident.id} is {name}", "In a SEV3, an approver has to approve it.")
    if severity is not None and severity.pages_people:
        return None
    why = f"no alert and no other person confirms that incident {incident.id} is an emergency"
    return Refused(why, "Ask another person to acknowledge it, or to approve this change.")


def whom_to_page(person: Person | None, target: Target, policy: Policy, people: People) -> Sequence[str]:
    """The approvers to page about a request in an incident: all except the requester."""
    return sorted(able(Right.APPROVE, target, policy, people).users - ({person.user_id} if person else set()))


def why_no_self_approval(
    person: Person | None,
    target: Target,
    risk: Risk,
    emergencies: Sequence[Emergency],
    policy: Policy,
    people: People,
    *,
    is_exception: bool = False,
    starts_later: bool = False,
) -> str | None:
    """Return, as a clause, why this person can't self-approve if no approver answers; None if they can."""
    if person is None:
        return "a request from a terminal has no requester"
    if is_exception:
        return "an exception from a freeze always needs its approvers"
    if starts_later:
        return LATER
    change = CHANGES.get(target.playbook)
    if risk is not Risk.HIGH or change is None or not change.self_approval:
        return f"`{target.playbook}` always needs another approver"
    if not isinstance(judge(Right.APPROVE, person, target, policy, people), Allowed):
        return "only approvers can"
    if find_emergency(person, emergencies) is not None:
        return None
    doubts = (doubt_emergency(one, person) for one in emergencies)
    return next((doubt.why for doubt in doubts if doubt), "there is no open incident")


def may_self_approve(
    run: Run,
    pending_self_approval: SelfApproval | None,
    emergency: Emergency | None,
    person: Person,
    *,
    decisions: Sequence[Decision],
    now: datetime,
    countdown: timedelta,
    policy: Policy,
    people: People,
    incidents: Severities | Unavailable = NOT_READ,
) -> Verdict:
    """Judge whether this person may begin the countdown or, with a countdown of 0, whether the run may start at its
    end."""
    if pending_self_approval is None or not is_requester(run, person):
        return Refused("this run can't be self-approved", "Another approver has to approve it.")
    if run.start_at is not None:
        return Refused(LATER, "Another approver has to approve it.")
    if run.state is not RunState.AWAITING_APPROVAL or decisions:
        return Refused(f"this request is already {run.state.value}", f"See `run {run.id}`.")
    if emergency is None or emergency.incident.state is IncidentState.RESOLVED:
        return Refused("the incident is resolved", "Without an open incident, another approver has to approve it.")
    doubt = doubt_emergency(emergency, person)
    if doubt is not None:
        return doubt
    if now < pending_self_approval.open_at:
        return Refused(
            "the approvers still have time to respond",
            f"You can self-approve it from {date_token(pending_self_approval.open_at)}.",
        )
    if run.expires_at <= now + countdown:
        return Refused("this request expires before the countdown would end", "`Request again` files a new one.")
    return judge(Right.APPROVE, person, target_of(run, at=now, incidents=incidents), policy, people)
