"""Reads buttons, menus and modals from Slack's payloads. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from bot.changes import DRY_RUN
from bot.commands.arguments import read_number
from bot.commands.parsing import split_words
from bot.commands.registry import find
from bot.commands.stop_workers import NAME as STOP_WORKERS
from bot.commands.stop_workers import split
from bot.types import Block, Surface
from bot.views import modals
from bot.views.blocks import COMMAND_ACTION, VALUE_LIMIT
from bot.views.modals import (
    ALONE,
    ANSWER,
    APPROVE_TYPED,
    CHOOSE_TARGET,
    DENY,
    PRESET,
    PRESETS,
    REASON_LIMIT,
    REVIEW,
    stop_workers_modal,
)
from bot.views.modals import STOP_WORKERS as MODALS_STOP_WORKERS
from bot.views.notes import is_changed, kept_as
from bot.views.run_buttons import RESOLVE as RUN_BUTTONS_RESOLVE
from bot.views.terminal import mrkdwn_text
from services.domain.errors import Choice, UsageError
from services.domain.masking import mask_message
from services.domain.message_origin import MessageOrigin


def command_line(action: Mapping[str, object]) -> str | None:
    """The command line of a pressed button or chosen item; None if the action is something else or damaged."""
    value = _chosen(action)
    if not str(action.get("action_id", "")).startswith(f"{COMMAND_ACTION}."):
        return None
    return value if isinstance(value, str) and 0 < len(value) <= VALUE_LIMIT else None


def _chosen(action: Mapping[str, object]) -> object:
    """The value of a button, or of the item chosen in a menu."""
    option = action.get("selected_option")
    return option.get("value") if isinstance(option, Mapping) else action.get("value")


OPEN, RESOLVE, NOTE = "incident open", "incident resolve", "oncall note"


@dataclass(frozen=True)
class Prompt:
    """A modal to open. `line`: the command to type instead, with placeholders. `choices`: whole lines as buttons."""

    modal: Block
    line: str
    choices: tuple[Choice, ...] = ()


def prompt_for(line: str, surface: Surface, *, channel: str, thread: str | None = None) -> Prompt | None:
    """The modal that asks for the missing words of a line; None if none is needed. For commands and clicks only.

    `channel`, `thread`: place of the request, which a submission does not report.
    """
    place: dict[str, object] = {"channel": channel, **({"thread": thread} if thread else {})}
    try:
        verb, words = find(split_words(line, surface))
        return None if DRY_RUN in words else _prompt(verb.name, words, place)
    except UsageError:
        return None  # the command itself reports the fault


def _prompt(name: str, words: tuple[str, ...], metadata: dict[str, object]) -> Prompt | None:
    if name == STOP_WORKERS:
        service, reason = split(words)
        return None if reason else _stop_workers(service, metadata)
    if name == OPEN and not words:
        return Prompt(modals.open_modal(metadata), f"{OPEN} <what is wrong>")
    if name == "ask" and not words:
        return Prompt(modals.ask_modal(metadata), "ask <question>")
    if name == NOTE and len(words) <= 1:
        return Prompt(modals.note_modal({**metadata, "rotation": " ".join(words)}), f"{NOTE} <rotation> <text>")
    if name == RESOLVE and len(words) == 1 and (number := read_number(words[0])) is not None:
        return Prompt(modals.resolve_modal(number, metadata), f"{RESOLVE} {number} <cause>")
    return None


def _stop_workers(service: str, metadata: dict[str, object]) -> Prompt:
    name = STOP_WORKERS
    choices = tuple(Choice(f"{name} {service} {preset}", preset) for preset in PRESETS)
    return Prompt(stop_workers_modal(service, metadata | {"service": service}), f"{name} {service} <reason>", choices)


How = Literal["done", "retry", "abort"]  # a person's resolution of an unknown step

PREFIX = "run."


@dataclass(frozen=True)
class RunClick:
    """A click on a run's button. `verb`: its action id. `how`: the part after `run.resolve.`."""

    verb: str
    run_id: int
    how: How | None = None


def read_click(action: Mapping[str, Any]) -> RunClick | None:
    """Read a click on a run's button; None if the action is something else or damaged."""
    verb, run_id = str(action.get("action_id", "")), read_number(str(action.get("value", "")))
    if not verb.startswith(PREFIX) or run_id is None:
        return None
    if verb.startswith(f"{RUN_BUTTONS_RESOLVE}."):
        how = next((one for one in get_args(How) if verb == f"{RUN_BUTTONS_RESOLVE}.{one}"), None)
        return RunClick(RUN_BUTTONS_RESOLVE, run_id, how) if how else None
    return RunClick(verb, run_id)


Payload = Mapping[str, Any]

CONFIRMED = "masked_seen"  # block id and metadata key: the masked text that the writer has seen
_OF_A_VIEW = ("type", "callback_id", "title", "submit", "close")

# {modal: required key of its metadata}
_NEEDS = {
    DENY: "run",
    REVIEW: "run",
    ALONE: "run",
    APPROVE_TYPED: "run",
    CHOOSE_TARGET: "service",
    MODALS_STOP_WORKERS: "service",
    modals.OPEN: "channel",
    modals.RESOLVE: "incident",
    modals.DRAFT: "incident",
    modals.ASK: "channel",
    modals.NOTE: "rotation",
    modals.TODO: "channel",
}

# {modal: the error if its text is empty}
_WANTED = {
    DENY: "Give a reason. It is shown to everyone in the run's message.",
    REVIEW: "Describe what you found. It is shown to everyone in the run's message.",
    ALONE: "Give a reason. It is shown to everyone and reviewed afterwards.",
    modals.OPEN: "Describe it in a few words. It is shown to everyone.",
    modals.RESOLVE: "Describe it in a few words. It is shown to everyone.",
    modals.ASK: "Write a question.",
    modals.NOTE: "Write a line for the next shift. It is shown to everyone.",
    modals.TODO: "Describe what needs to be done. It is shown to everyone.",
}


@dataclass(frozen=True)
class Submission:
    """A submitted modal. `metadata`: given when it was opened. `answer`: the text or option. `preset`: the additional
    choice. `owner`: a Slack user id; `due`: a day as 2026-01-09; both may be empty.

    `words`: the text with sensitive data masked, which everyone may read.
    """

    kind: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    answer: str = ""
    preset: str = ""
    owner: str = ""
    due: str = ""

    @property
    def run_id(self) -> int:
        return int(self.metadata["run"])

    @property
    def words(self) -> str:
        return mask_message(self.answer)

    @property
    def reason(self) -> str:
        """The preset, then the person's own words."""
        return ": ".join(filter(None, [self.preset, self.words]))[:REASON_LIMIT]


def read_submission(view: Payload) -> Submission | None:
    """Read a submission; None for an unknown or damaged modal."""
    kind, metadata = str(view.get("callback_id", "")), read_metadata(view)
    needs = _NEEDS.get(kind)
    if needs is None or needs not in metadata:
        return None
    values = view.get("state", {}).get("values", {})
    answer, preset, owner, due = (_input_value(values, name) for name in (ANSWER, PRESET, modals.OWNER, modals.DUE))
    return Submission(kind, metadata, answer, preset, owner, due)


NAMES_WITHIN_S = 1.0  # for names in a dialog, which must open within 3 s


def quoted_words(message: Mapping[str, Any], limit: int, origin: MessageOrigin, name_of: Callable[[str], str]) -> str:
    """A message's text for a dialog: masked, without the bot's mark, with people's names where known."""
    words = origin.without_mark(str(message.get("text", ""))[:limit])
    return mrkdwn_text(mask_message(words), name_of)


def read_metadata(view: Payload) -> Mapping[str, Any]:
    """Metadata that `bot.views.modals` wrote into the modal; empty if there is none."""
    try:
        metadata = json.loads(view.get("private_metadata") or "{}")
    except ValueError:
        return {}
    return metadata if isinstance(metadata, dict) else {}


def find_mistakes(submission: Submission) -> dict[str, str]:
    """Return `{block id: error}`, which Slack shows below the input; empty if there are no mistakes."""
    if submission.kind == APPROVE_TYPED and submission.answer.split() != str(submission.metadata["phrase"]).split():
        return {ANSWER: f"Type exactly: {submission.metadata['phrase']}"}
    if submission.kind in _WANTED and not submission.answer.strip():
        return {ANSWER: _WANTED[submission.kind]}
    return {}


def view_to_look_at(view: Payload, submission: Submission) -> Block | None:
    """Return the modal with the masked text added, so that its writer sees it before it is stored.

    None if nothing is masked, or if the writer has seen that already. An emergency stop does not wait for this.
    """
    confirmed = hashlib.sha256(submission.words.encode()).hexdigest()[:12]
    is_asked = submission.kind in _WANTED and is_changed(submission.answer)
    if not is_asked or submission.metadata.get(CONFIRMED) == confirmed:
        return None
    own = [block for block in view["blocks"] if block.get("block_id") != CONFIRMED]
    blocks = [
        kept_as(submission.answer) | {"block_id": CONFIRMED},
        *(_with_answer(one, submission.answer) for one in own),
    ]
    metadata = json.dumps({**submission.metadata, CONFIRMED: confirmed})
    again = {name: view[name] for name in _OF_A_VIEW if view.get(name)}
    return again | {"blocks": blocks, "private_metadata": metadata}


def _with_answer(block: Payload, answer: str) -> Block:
    """The block with the typed text as its initial value."""
    if block.get("block_id") != ANSWER:
        return dict(block)
    return {**block, "element": {**block["element"], "initial_value": answer}}


def _input_value(values: Payload, name: str) -> str:
    """The text, option, person or day of the input with this block id and action id; empty if there is none."""
    state = values.get(name, {}).get(name, {})
    option = state.get("selected_option") or {}
    found = (state.get("value"), option.get("value"), state.get("selected_user"), state.get("selected_date"))
    return str(next(filter(None, found), ""))
