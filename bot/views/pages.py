"""Pages as direct messages: to the approvers of a request, and to people paged for an incident."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from bot.types import Block
from bot.views.blocks import (
    actions,
    command_button,
    context,
    fit_message,
    message_button,
    section,
    sections,
    shorten_ids,
)
from bot.views.incident import LINE_LIMIT, Content, headline, phone_line
from bot.views.incident import details as incident_details
from bot.views.incident_buttons import owner_buttons
from bot.views.plan import plan_lines
from bot.views.run_buttons import buttons, details
from bot.views.text import FirstLine, channel_name, escape, mention, person
from services.domain.incidents import Incident, IncidentState, JoinedAlert, PageSent
from services.domain.runs import Decision, Run, RunState
from services.domain.text import age, counted

_OVER = {
    RunState.CANCELLED: "⚫ *Cancelled*",
    RunState.EXPIRED: "⚫ *Expired*",
    RunState.VOIDED: "⚫ *Void*",
}


@dataclass(frozen=True)
class PagedApprovers:
    """The paged approvers of a request, as Slack ids. silence: time they have before self-approval.
    why_no_self_approval: the reason as a clause; None if it is possible. unanswered: earlier runs of the requester that
    paged them without an answer; if there are any, no one is paged about this one."""

    users: tuple[str, ...]
    silence: timedelta
    why_no_self_approval: str | None
    unanswered: tuple[int, ...] = ()

    @property
    def may_self_approve(self) -> bool:
        return self.why_no_self_approval is None


def approver_page(run: Run, incident_id: int, *, may_self_approve: bool) -> tuple[str, list[Block]]:
    """The page to an approver, a direct message."""
    who = person(run.requested_by)
    first = FirstLine("🟡 *An approver is needed* ·", run.environment, run.title)
    self_approval = (
        f"If no approver responds, {who} can self-approve it." if may_self_approve else f"{who} can't self-approve it."
    )
    asked = f"run {run.id}, incident {incident_id}, requested by {who}. {self_approval}"
    plan = run.plan
    lines = plan_lines(plan.get("impact", ()), plan.get("warnings", ()), plan.get("undo"))
    blocks = [section(first.shown), *sections([asked, *lines]), *actions([*buttons(run, ()), open_request(run)])]
    return fit_message(f"{first.phone}\n{asked}", shorten_ids(blocks))


def approver_page_over(run: Run, decisions: Sequence[Decision]) -> tuple[str, list[Block]]:
    """The page after the decision is no longer needed."""
    what = f"{escape(run.environment)} · {escape(run.title, limit=500)} (run {run.id})"
    first = f"{_decided(run, decisions)} · {what}. No action is needed."
    return fit_message(first, [section(first), *actions([details(run), open_request(run)])])


def more_requests(run: Run, count: int, approvers: Sequence[str] = ()) -> tuple[str, list[Block]]:
    """One message about further requests that page no one: their number, and `run`, the latest. Edited for each one.

    approvers: Slack ids to mention if it is not a direct message.
    """
    requester = person(run.requested_by)
    who = " ".join([*map(mention, approvers), ""])
    count_words = counted(count, "more request")
    first = f"{who}🟡 *{count_words} by {requester}* · {escape(run.environment)}"
    latest = f"The latest: {escape(run.title, limit=LINE_LIMIT)} (run {run.id})."
    why = f"You are not paged for each one, because earlier requests by {requester} were unanswered."
    buttons = actions([command_button("List the requests", "runs"), open_request(run)])
    return fit_message(f"{first}. {latest}", [section(f"{first}\n{latest} {why}"), *buttons])


def open_request(run: Run) -> Block:
    """Button to the run's own message, once it is posted."""
    return message_button("Open the request", run.message_key)


def paged_line(paged: PagedApprovers) -> str:
    """ "@ann and @ben were paged. You can't self-approve it: operators can't.", in mrkdwn, for the requester."""
    if paged.unanswered:
        *others, last = [f"run {one}" for one in sorted(paged.unanswered)]
        earlier = f"{', '.join(others)} and {last}" if others else last
        return (
            f"No approver was paged or mentioned, because your earlier requests are unanswered: {earlier}. "
            "Approvers get one message about all your further requests. You can't self-approve it."
        )
    *others, last = [mention(user) for user in paged.users] or ["no one"]
    names = f"{', '.join(others)} and {last}" if others else last
    who = f"{names} {'were' if others else 'was'} paged"
    if paged.why_no_self_approval is not None:
        return f"{who}. You can't self-approve it: {paged.why_no_self_approval}."
    return f"{who}. If none of them responds within {age(paged.silence)}, you can self-approve it."


def _decided(run: Run, decisions: Sequence[Decision]) -> str:
    denial = next((one for one in decisions if not one.approve), None)
    if denial is not None:
        return f"⛔ *Denied* by {person(denial.person)}"
    if run.state in _OVER:
        return _OVER[run.state]
    if not decisions:
        return f"🚨 *Self-approved* by {person(run.requested_by)}"
    return f"✅ *Approved* by {' and '.join(person(one.person) for one in decisions)}"


def direct_message(incident: Incident, alerts: Sequence[JoinedAlert], page: PageSent, channel: str) -> Content:
    """The page to one person: the incident, *Acknowledge*, *Escalate*, and a button to the thread."""
    first = headline(incident, alerts)
    lines = [escape(line, limit=LINE_LIMIT) for line in incident_details(incident, alerts)]
    asked = [
        command_button("Acknowledge", f"incident ack {incident.id}", style="primary"),
        command_button("Escalate", f"incident escalate {incident.id}"),
    ]
    where = (
        f"incident {incident.id} · you were paged at level {page.level + 1} · the thread is in {channel_name(channel)}"
    )
    blocks = [section(first), *sections(lines), *actions([*asked, _open_thread(incident)]), context(where)]
    return fit_message(phone_line(incident, alerts), blocks)


def direct_message_after(incident: Incident, alerts: Sequence[JoinedAlert], reader: str) -> Content:
    """The page after it needs no answer any more; with the next steps if `reader`, a Slack user id, is the incident's
    owner."""
    lines, asked = [_state_line(incident, reader)], []
    if is_owner(incident, reader):
        lines += [escape(line, limit=LINE_LIMIT) for line in incident_details(incident, alerts)]
        asked = owner_buttons(incident, alerts)
    elif incident.state is IncidentState.OPEN:
        asked = [command_button("Acknowledge", f"incident ack {incident.id}")]
    blocks = [section(headline(incident, alerts)), *sections(lines), *actions([*asked, _open_thread(incident)])]
    return fit_message(phone_line(incident, alerts), [*blocks, context(f"incident {incident.id}")])


def is_owner(incident: Incident, reader: str) -> bool:
    """True if this Slack user has acknowledged the incident and it is not resolved."""
    by = incident.acknowledged_by
    return incident.state is IncidentState.ACKNOWLEDGED and by is not None and by.user_id == reader


def _state_line(incident: Incident, reader: str) -> str:
    match incident.state:
        case IncidentState.RESOLVED:
            return "Resolved. No action is needed."
        case IncidentState.ACKNOWLEDGED if is_owner(incident, reader):
            return "*You're assigned.*"
        case IncidentState.ACKNOWLEDGED:
            return f"{person(incident.acknowledged_by)} is assigned."
        case IncidentState.OPEN:
            return "No one is assigned yet."


def _open_thread(incident: Incident) -> Block:
    return message_button("Open the thread", incident.message_key)
