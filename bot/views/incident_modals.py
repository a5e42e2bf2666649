"""The modals of incidents: open one, perhaps from a message, and say what one was."""

from __future__ import annotations

from collections.abc import Mapping

from bot.commands._contract import Block
from bot.views.modals import PRESET, Choice, modal, option, text_input
from bot.views.text import plain
from services.domain.incidents import IncidentSeverity

OPEN, RESOLVE = "incident.open", "incident.resolve"
ESCALATE_THIS = "incident.escalate_this"  # the message shortcut
TITLE_LIMIT = 300
_SEVERITIES = {
    IncidentSeverity.SEV1: "SEV1: customers or money are affected now",
    IncidentSeverity.SEV2: "SEV2: part of the system does not work",
    IncidentSeverity.SEV3: "SEV3: it can wait for the day, nobody is called",
}


def open_modal(metadata: Mapping[str, object], *, title: str = "") -> Block:
    """What is wrong, and how bad it is. `title`: untrusted words to begin with, cut to one line."""
    what = text_input("What is wrong?", "Its title: everybody in the channel reads it.", limit=TITLE_LIMIT)
    begun = plain(title, limit=TITLE_LIMIT)
    if begun:
        what = what | {"element": what["element"] | {"initial_value": begun}}
    options = [option(Choice(severity.value, words)) for severity, words in _SEVERITIES.items()]
    radio: Block = {"type": "radio_buttons", "action_id": PRESET, "options": options, "initial_option": options[1]}
    label = {"type": "plain_text", "text": "How bad is it?"}
    severity: Block = {"type": "input", "block_id": PRESET, "label": label, "element": radio}
    return modal("Open an incident", [what, severity], callback_id=OPEN, submit="Open it", metadata=metadata)


def resolve_modal(incident_id: int, metadata: Mapping[str, object]) -> Block:
    """What it was. Submitting it ends the incident."""
    ask = text_input("What was it, and what ended it?", "Everybody reads it; the postmortem begins with it.")
    known = {"incident": incident_id, **metadata}
    return modal(f"Resolve incident {incident_id}", [ask], callback_id=RESOLVE, submit="Resolve", metadata=known)
