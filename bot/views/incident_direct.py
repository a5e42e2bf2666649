"""What one person reads of an incident in a direct message: while they are called, and once somebody has it."""

from __future__ import annotations

from collections.abc import Sequence

from bot.commands._contract import Block
from bot.views.blocks import actions, command_button, context, message_button, section, sections
from bot.views.incident import LINE_LIMIT, Content, details, headline, phone_line
from bot.views.incident_buttons import owner_buttons
from bot.views.mentions import channel_name, person
from bot.views.message import fit_message
from bot.views.text import escape
from services.domain.incidents import Incident, IncidentState, JoinedAlert, PageSent


def direct_message(incident: Incident, alerts: Sequence[JoinedAlert], page: PageSent, channel: str) -> Content:
    """To one person: what is wrong, the two buttons that who was just woken needs, and the way to the thread."""
    first = headline(incident, alerts)
    lines = [escape(line, limit=LINE_LIMIT) for line in details(incident, alerts)]
    asked = [
        command_button("Acknowledge", f"incident ack {incident.id}", style="primary"),
        command_button("Escalate", f"incident escalate {incident.id}"),
    ]
    where = (
        f"incident {incident.id} · you are called at level {page.level + 1} · the thread is in {channel_name(channel)}"
    )
    blocks = [section(first), *sections(lines), *actions([*asked, _open_thread(incident)]), context(where)]
    return fit_message(phone_line(incident, alerts), blocks)


def direct_message_after(incident: Incident, alerts: Sequence[JoinedAlert], reader: str) -> Content:
    """The same message once its reader, a Slack user id, need not answer it any more: to work on for whoever has it."""
    lines, asked = [_stands(incident, reader)], []
    if is_owner(incident, reader):
        lines += [escape(line, limit=LINE_LIMIT) for line in details(incident, alerts)]
        asked = owner_buttons(incident, alerts)
    elif incident.state is IncidentState.OPEN:
        asked = [command_button("Acknowledge", f"incident ack {incident.id}")]
    blocks = [section(headline(incident, alerts)), *sections(lines), *actions([*asked, _open_thread(incident)])]
    return fit_message(phone_line(incident, alerts), [*blocks, context(f"incident {incident.id}")])


def is_owner(incident: Incident, reader: str) -> bool:
    """Whether this Slack user has acknowledged it, and it is not resolved."""
    by = incident.acknowledged_by
    return incident.state is IncidentState.ACKNOWLEDGED and by is not None and by.user_id == reader


def _stands(incident: Incident, reader: str) -> str:
    match incident.state:
        case IncidentState.RESOLVED:
            return "It is resolved: nothing is left to do."
        case IncidentState.ACKNOWLEDGED if is_owner(incident, reader):
            return "*You have it.*"
        case IncidentState.ACKNOWLEDGED:
            return f"{person(incident.acknowledged_by)} has it."
        case IncidentState.OPEN:
            return "Nobody has it."


def _open_thread(incident: Incident) -> Block:
    return message_button("Open the thread", incident.message_key)
