"""The modals, one decision each. Submissions are read by block id and action id.

`private_metadata` has the data that the submission needs: JSON, at most 3,000 characters.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.types import Block
from bot.views.blocks import EMPTY, context, section, sections
from bot.views.plan import plan_lines
from bot.views.text import code, date_token, escape, label_text, plain
from services.domain.incidents import Incident, IncidentSeverity
from services.domain.runs import Run

DENY, APPROVE_TYPED, CHOOSE_TARGET, STOP_WORKERS = "run.deny", "run.approve.typed", "rollback.choose", "workers.stop"
REVIEW, ALONE = "run.review", "run.alone"
ANSWER = "answer"  # block id and action id of a modal's only text input or menu
PRESET = "preset"  # block id and action id of the additional choice
TITLE_LIMIT, OPTION_LIMIT, MAX_OPTIONS = 24, 75, 100
REASON_LIMIT = 300
PHRASE_LIMIT = 200
PRESETS = (
    "Jobs are damaging data",
    "Jobs fail one after the other",
    "The database is overloaded",
    "A wrong version was deployed",
)


@dataclass(frozen=True)
class Choice:
    """One option of a modal. `value`: sent back by Slack. `description`: a reason to choose it."""

    value: str
    label: str
    description: str = ""


def loading_modal(title: str, words: str = "Reading …") -> Block:
    """A modal that opens within Slack's 3 s after a click; `views.update` adds the content."""
    return modal(title, [section(words)])


def failed_modal(title: str, why: str) -> Block:
    """Replaces a loading modal if its content can't be read. `why`: mrkdwn."""
    return modal(title, [section(why)])


def deny_modal(metadata: Mapping[str, object]) -> Block:
    """Ask for the reason of a denial, which is shown in the run's message."""
    ask = text_input("Why not?", "Shown to everyone in the run's message.")
    return modal("Deny the request", [ask], callback_id=DENY, submit="Deny", metadata=metadata)


def review_modal(metadata: Mapping[str, object]) -> Block:
    """Ask for the result of a review, which is shown in the run's message."""
    ask = text_input("What did you find?", "Was it right, what was the result, what is left to do? Shown to everyone.")
    return modal("Review", [ask], callback_id=REVIEW, submit="Close the review", metadata=metadata)


def self_approval_modal(metadata: Mapping[str, object]) -> Block:
    """Ask for the reason of a self-approval, which is public; approvers may veto it during the countdown."""
    ask = text_input("Why can't it wait?", "Shown to everyone. Approvers can veto it until the countdown ends.")
    return modal("Self-approve", [ask], callback_id=ALONE, submit="Start", metadata=metadata)


def typed_modal(run: Run, phrase: str, metadata: Mapping[str, object]) -> Block:
    """Approval of a critical run: shows the whole plan, and asks for the phrase to be typed."""
    plan = run.plan
    starts = [f"Starts {date_token(run.start_at)}, if nothing has changed by then."] if run.start_at else []
    blocks = [
        section("\n".join([f"*{escape(run.title, limit=500)}*", *starts])),
        *sections(plan_lines(plan.get("impact", ()), plan.get("warnings", ()), plan.get("undo"))),
        section(f"To approve it, type {code(phrase, limit=PHRASE_LIMIT)}."),
        text_input("Type it here", "", limit=PHRASE_LIMIT),
    ]
    return modal("Approve, critical", blocks, callback_id=APPROVE_TYPED, submit="Approve", metadata=metadata)


def target_modal(service: str, choices: Sequence[Choice], metadata: Mapping[str, object]) -> Block:
    """Choice of a rollback's target; the best candidate is first and preselected."""
    options = [option(choice) for choice in choices[:MAX_OPTIONS]]
    select: Block = {"type": "static_select", "action_id": ANSWER, "options": options, "initial_option": options[0]}
    label = _plain(f"Roll {service} back to", 200)
    ask: Block = {"type": "input", "block_id": ANSWER, "label": label, "element": select}
    note = context("Ranked by how each commit did in production. Nothing happens until it is approved.")
    return modal("Another target", [ask, note], callback_id=CHOOSE_TARGET, submit="Request it", metadata=metadata)


def stop_workers_modal(service: str, metadata: Mapping[str, object]) -> Block:
    """Ask for the reason of an emergency stop: a preset and optional words. Submitting it stops the workers."""
    options = [option(Choice(words, words)) for words in PRESETS]
    radio: Block = {"type": "radio_buttons", "action_id": PRESET, "options": options, "initial_option": options[0]}
    why: Block = {
        "type": "input",
        "block_id": PRESET,
        "label": {"type": "plain_text", "text": "Why?"},
        "element": radio,
    }
    blocks = [
        section(
            f"Stops *{escape(service)}* immediately, without approval. Announced to everyone, reviewed afterwards."
        ),
        why,
        text_input("Anything to add?", "", optional=True),
    ]
    return modal("Stop workers", blocks, callback_id=STOP_WORKERS, submit="Stop now", metadata=metadata)


def modal(
    title: str,
    blocks: Sequence[Block],
    *,
    callback_id: str | None = None,
    submit: str | None = None,
    metadata: Mapping[str, object] | None = None,
) -> Block:
    """Make a view. A modal with inputs has a `callback_id` and `submit`, the label of its button."""
    view: Block = {"type": "modal", "title": _plain(title, TITLE_LIMIT), "close": _plain("Not now", TITLE_LIMIT)}
    view |= {"callback_id": callback_id} if callback_id else {}
    view |= {"submit": _plain(submit, TITLE_LIMIT)} if submit else {}
    view |= {"private_metadata": json.dumps(metadata)} if metadata else {}
    return view | {"blocks": list(blocks)}


def text_input(label: str, hint: str, *, optional: bool = False, limit: int = REASON_LIMIT) -> Block:
    """The modal's only text input."""
    element: Block = {"type": "plain_text_input", "action_id": ANSWER, "max_length": limit}
    block: Block = {"type": "input", "block_id": ANSWER, "label": _plain(label, 200), "element": element}
    block |= {"optional": True} if optional else {}
    return block | ({"hint": _plain(hint, 200)} if hint else {})


def option(choice: Choice) -> Block:
    """One option of a menu or radio group."""
    made: Block = {"text": _plain(choice.label, OPTION_LIMIT), "value": choice.value}
    return made | ({"description": _plain(choice.description, OPTION_LIMIT)} if choice.description else {})


def _plain(text: str, limit: int) -> Block:
    return {"type": "plain_text", "text": label_text(text, limit=limit) or EMPTY}


OPEN, RESOLVE, DRAFT = "incident.open", "incident.resolve", "incident.draft"
ASK = "ask"
NOTE = "oncall.note"
TODO, OWNER, DUE = "incident.todo", "owner", "due"
ESCALATE_THIS, ADD_TODO = "incident.escalate_this", "incident.add_todo"  # the message shortcuts
INCIDENT_TITLE_LIMIT, TODO_LIMIT = 300, 500
_SEVERITIES = {
    IncidentSeverity.SEV1: "SEV1: customers or money are affected now",
    IncidentSeverity.SEV2: "SEV2: part of the system does not work",
    IncidentSeverity.SEV3: "SEV3: it can wait for business hours, no one is paged",
}


def open_modal(metadata: Mapping[str, object], *, title: str = "") -> Block:
    """Open an incident: title and severity. `title`: untrusted initial text, cut to one line."""
    what = text_input("What is wrong?", "The title. Everyone in the channel sees it.", limit=INCIDENT_TITLE_LIMIT)
    begun = plain(title, limit=INCIDENT_TITLE_LIMIT)
    if begun:
        what = what | {"element": what["element"] | {"initial_value": begun}}
    options = [option(Choice(severity.value, words)) for severity, words in _SEVERITIES.items()]
    radio: Block = {"type": "radio_buttons", "action_id": PRESET, "options": options, "initial_option": options[1]}
    label = {"type": "plain_text", "text": "How bad is it?"}
    severity: Block = {"type": "input", "block_id": PRESET, "label": label, "element": radio}
    return modal("Open an incident", [what, severity], callback_id=OPEN, submit="Open it", metadata=metadata)


def resolve_modal(incident_id: int, metadata: Mapping[str, object]) -> Block:
    """Ask for the cause. Submitting it resolves the incident."""
    ask = text_input("What was the cause, and what fixed it?", "Shown to everyone, and at the top of the postmortem.")
    known = {"incident": incident_id, **metadata}
    return modal(f"Resolve incident {incident_id}", [ask], callback_id=RESOLVE, submit="Resolve", metadata=known)


def todo_modal(incidents: Sequence[Incident], metadata: Mapping[str, object], *, text: str = "") -> Block:
    """Add a follow-up to one incident, or to one chosen from several. `text`: untrusted initial text."""
    what = text_input("What needs to be done?", "Shown to everyone in the incident's thread.", limit=TODO_LIMIT)
    begun = plain(text, limit=TODO_LIMIT)
    what = what | {"element": what["element"] | {"multiline": True, **({"initial_value": begun} if begun else {})}}
    who = _optional("Who?", OWNER, {"type": "users_select"}, "Optional.")
    due = _optional("By when?", DUE, {"type": "datepicker"}, "The end of that day, in your time zone. Optional.")
    title = f"Follow-up: incident {incidents[0].id}" if len(incidents) == 1 else "Add a follow-up"
    blocks = [*_incident_choice(incidents), what, who, due]
    return modal(title, blocks, callback_id=TODO, submit="Add it", metadata=metadata)


def _incident_choice(incidents: Sequence[Incident]) -> list[Block]:
    """A menu of several incidents, or the title of the only one."""
    if len(incidents) == 1:
        return [section(f"*{escape(incidents[0].title, limit=INCIDENT_TITLE_LIMIT)}*")]
    options = [option(Choice(str(one.id), f"{one.id}: {one.title}")) for one in incidents[:MAX_OPTIONS]]
    select: Block = {"type": "static_select", "action_id": PRESET, "options": options}
    return [{"type": "input", "block_id": PRESET, "label": _plain("Which incident?", 200), "element": select}]


def _optional(label: str, name: str, element: Block, hint: str) -> Block:
    known: Block = {"type": "input", "block_id": name, "label": _plain(label, 200), "hint": _plain(hint, 200)}
    return known | {"optional": True, "element": element | {"action_id": name}}


def note_modal(metadata: Mapping[str, object]) -> Block:
    """Add a line below the handover note."""
    ask = text_input("What does the next shift need to know?", "Shown to everyone, below the handover note.")
    return modal("Add a line", [ask], callback_id=NOTE, submit="Add it", metadata=metadata)


def ask_modal(metadata: Mapping[str, object]) -> Block:
    """Ask a question; opened from an incident's message, it is about that incident."""
    ask = text_input("What do you want to know?", "Answered in the thread. Nothing is changed.")
    return modal("Ask", [ask], callback_id=ASK, submit="Ask", metadata=metadata)


def draft_modal(incident_id: int, text: str, origin: str, metadata: Mapping[str, object]) -> Block:
    """Edit the draft of a postmortem. Submitting it exports the file to the place where it was opened. `origin`: our
    own sentence that says who wrote the draft."""
    ask = text_input("What happened (DRAFT)", "Goes into the postmortem, which everyone there can read.", limit=3000)
    element = ask["element"] | {"multiline": True, "initial_value": text[:3000]}
    known = {"incident": incident_id, **metadata}
    edited = ask | {"element": element}
    blocks = [section(f"*DRAFT.* {escape(origin)}"), edited]
    return modal("Draft postmortem", blocks, callback_id=DRAFT, submit="Export", metadata=known)
