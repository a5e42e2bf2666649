"""Incidents as answers: the list, the timeline of one, and the outcome of a request."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from bot.types import Answer, Block
from bot.views.blocks import actions, command_button, context, fit_message, section, sections
from bot.views.incident import headline
from bot.views.text import DATE_AND_TIME, date_token, escape, person
from playbooks.model import Status
from services.domain.alerts import read_page_line
from services.domain.incidents import Incident, IncidentEvent, IncidentState, JoinedAlert
from services.domain.services import find_service
from services.domain.text import age, counted

if TYPE_CHECKING:
    from services.domain.incidents import IncidentRecord


LINE_LIMIT = 300
SHOWN_EVENTS = 60  # events of a timeline in Slack; `incident export` has all


def done_answer(incident: Incident, words: str) -> Answer:
    """The answer for the person who acted. `words`: our own plain sentence."""
    number = "" if f"ncident {incident.id}" in words else f" · incident {incident.id}"
    first = f"✅ {escape(words.removesuffix('.'))}{number}"
    return Answer(*fit_message(first, [section(first)]), incident_data(incident), private=True)


def joined_answer(
    incident: Incident, title: str, alerts: Sequence[JoinedAlert] = (), *, is_repeated: bool = False
) -> Answer:
    """The answer for a person whose report an open incident already covers. `title`: their words, plain text.
    `is_repeated`: it was added to their existing line in the thread."""
    where = "your earlier line in its thread" if is_repeated else "its thread"
    first = f"ℹ️ *Incident {incident.id} already covers this.* Your report was added to {where}."  # noqa: RUF001
    service = next((found.short for name in incident.services if (found := find_service(name))), "")
    another = f"incident open --new {incident.severity} {service} {title}"
    take = [command_button("Acknowledge", f"incident ack {incident.id}", style="primary")]
    buttons = [
        *(take if incident.state is IncidentState.OPEN else []),
        command_button("Timeline", f"incident timeline {incident.id}"),
        command_button("Open another", another),
    ]
    blocks = [section(first), section(incident_line(incident, alerts)), *actions(buttons)]
    return Answer(*fit_message(first, blocks), incident_data(incident), private=True)


def incidents_answer(incidents: Sequence[Incident], alerts: Sequence[JoinedAlert] = (), *, now: datetime) -> Answer:
    """Unresolved incidents with their buttons, then resolved ones, newest first. `alerts`: of the unresolved ones."""
    unresolved = [one for one in incidents if one.state is not IncidentState.RESOLVED]
    resolved = [one for one in incidents if one.state is IncidentState.RESOLVED]
    first = f"🔴 *{counted(len(unresolved), 'incident')} open*" if unresolved else "✅ *No open incidents*"
    blocks: list[Block] = [section(first), *(incident_block(one, alerts) for one in unresolved)]
    blocks += sections(_ended(incident, now) for incident in resolved)
    text = "\n".join([first, *(incident_line(one, alerts) for one in unresolved)])
    data = [incident_data(incident) for incident in incidents]
    status = Status.FAIL if unresolved else Status.OK
    return Answer(*fit_message(text, blocks), data, status, private=True)


def incident_block(incident: Incident, alerts: Sequence[JoinedAlert] = ()) -> Block:
    """An unresolved incident, with a button for its timeline."""
    button = command_button("Timeline", f"incident timeline {incident.id}")
    return section(incident_line(incident, alerts), accessory=button)


def incident_line(incident: Incident, alerts: Sequence[JoinedAlert] = ()) -> str:
    """ "🔴 *No ingest* since today 09:02 · prod · incident 7, SEV1", in mrkdwn: the first line of its root message.
    `alerts`: may include those of other incidents."""
    own = [one for one in alerts if one.incident_id == incident.id]
    return f"{headline(incident, own, DATE_AND_TIME)} · incident {incident.id}, {incident.severity.upper()}"


def timeline_answer(record: IncidentRecord) -> Answer:
    """The timeline, oldest first; in Slack only the newest entries of a long one."""
    incident, events = record.incident, record.events
    first = f"{headline(incident, record.alerts)} · incident {incident.id}"
    left_out = len(events) - SHOWN_EVENTS
    notes = [f"… {counted(left_out, 'earlier line')} in `incident export {incident.id}`"] if left_out > 0 else []
    lines = [event_line(event) for event in events[-SHOWN_EVENTS:]]
    buttons = [command_button("Postmortem", f"incident export {incident.id}")]
    marking = "Add a :pushpin: reaction to a message in the thread to include it here."
    blocks = [section(first), *sections([*notes, *lines]), *actions(buttons), context(marking)]
    data = incident_data(incident) | {"events": [_event_data(event) for event in events]}
    return Answer(*fit_message("\n".join([first, *lines]), blocks), data, private=True)


def event_line(event: IncidentEvent) -> str:
    """One line of the timeline, in mrkdwn."""
    who = f"{person(event.by)} " if event.by else ""
    marked = "📌 " if event.ts else ""
    return f"{date_token(event.happened_at, '{time_secs}')} {marked}{who}{escape(event_words(event), limit=LINE_LIMIT)}"


def event_words(event: IncidentEvent) -> str:
    """The event as plain text. Earlier versions stored an alert's whole line; only its title is shown."""
    before, mark, line = event.text.partition(": PAGE ")
    title = read_page_line(line).title
    return f"{before}: {title}" if mark and title and not event.ts else event.words


def incident_data(incident: Incident) -> dict[str, object]:
    """Data of an incident for `--json`."""
    owner = incident.acknowledged_by
    return {
        "id": incident.id,
        "state": incident.state.value,
        "severity": incident.severity.value,
        "title": incident.title,
        "services": list(incident.services),
        "since": incident.since,
        "opened_at": incident.opened_at,
        "acknowledged_by": owner.user_id if owner else None,
        "first_acknowledged_at": incident.first_acknowledged_at,
        "cleared_at": incident.cleared_at,
        "resolved_at": incident.resolved_at,
        "cause": incident.cause,
    }


def _ended(incident: Incident, now: datetime) -> str:
    ended = incident.resolved_at or now
    cause = f": {escape(incident.cause, limit=LINE_LIMIT)}" if incident.cause else ""
    title = escape(incident.title, limit=LINE_LIMIT)
    return f"✅ incident {incident.id} · {title}{cause} · {date_token(ended)}, lasted {age(ended - incident.since)}"


def _event_data(event: IncidentEvent) -> dict[str, object]:
    return {
        "at": event.happened_at,
        "kind": event.kind,
        "by": event.by.user_id if event.by else None,
        "text": event.text,
    }
