"""Reads Slack payloads: origin, deduplication key, mention, button, menu, modal; pure."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from bot.changes import DRY_RUN
from bot.commands.arguments import read_number
from bot.commands.parsing import split_words
from bot.commands.registry import find
from bot.commands.stop_workers import NAME as STOP_WORKERS
from bot.commands.stop_workers import split
from bot.types import Actor, Block, Request, Surface
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
    """The line that a pressed button asks to run; None when the action is something else or damaged."""
    value = _chosen(action)
    if not str(action.get("action_id", "")).startswith(f"{COMMAND_ACTION}."):
        return None
    return value if isinstance(value, str) and 0 < len(value) <= VALUE_LIMIT else None


def _chosen(action: Mapping[str, object]) -> object:
    """A button's own value, or that of the item which was chosen in a menu."""
    option = action.get("selected_option")
    return option.get("value") if isinstance(option, Mapping) else action.get("value")


OPEN, RESOLVE, NOTE = "incident open", "incident resolve", "oncall note"


@dataclass(frozen=True)
class Prompt:
    """`line`: what to type instead, its places in angle brackets. `choices`: whole lines to press instead."""

    modal: Block
    line: str
    choices: tuple[Choice, ...] = ()


def prompt_for(line: str, surface: Surface, *, channel: str, thread: str | None = None) -> Prompt | None:
    """What to ask; None for a line that needs none. Only a command and a click can open one.

    `channel`, `thread`: where it is asked, which a submission does not report it.
    """
    place: dict[str, object] = {"channel": channel, **({"thread": thread} if thread else {})}
    try:
        verb, words = find(split_words(line, surface))
        return None if DRY_RUN in words else _prompt(verb.name, words, place)
    except UsageError:
        return None  # the command itself reports what is wrong with the line


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


How = Literal["done", "retry", "abort"]  # what a person says of a step that is unknown

PREFIX = "run."


@dataclass(frozen=True)
class RunClick:
    """`verb` is the button's action id, `how` what follows `run.resolve.`."""

    verb: str
    run_id: int
    how: How | None = None


def read_click(action: Mapping[str, Any]) -> RunClick | None:
    """None when the action is something else or damaged."""
    verb, run_id = str(action.get("action_id", "")), read_number(str(action.get("value", "")))
    if not verb.startswith(PREFIX) or run_id is None:
        return None
    if verb.startswith(f"{RUN_BUTTONS_RESOLVE}."):
        how = next((one for one in get_args(How) if verb == f"{RUN_BUTTONS_RESOLVE}.{one}"), None)
        return RunClick(RUN_BUTTONS_RESOLVE, run_id, how) if how else None
    return RunClick(verb, run_id)


Payload = Mapping[str, Any]

CONFIRMED = "masked_seen"  # block and metadata: what the writer was shown that would be kept
_OF_A_VIEW = ("type", "callback_id", "title", "submit", "close")

# What each modal's metadata has to name.
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

# The error when the text of such a modal is empty.
_WANTED = {
    DENY: "Give a reason. It is shown to everyone in the run's message.",
    REVIEW: "Describe what you found. It is shown to everyone in the run's message.",
    ALONE: "Give a reason. It is shown to everyone and reviewed afterwards.",
    modals.OPEN: "Describe it in a few words. It is shown to everyone.",
    modals.RESOLVE: "Describe it in a few words. It is shown to everyone.",
    modals.ASK: "Write a question.",
    modals.NOTE: "Write a line for the next shift. It is shown to everyone.",
    modals.TODO: "Describe what is to be done. It is shown to everyone.",
}


@dataclass(frozen=True)
class Submission:
    """`metadata` is what the modal was opened with; `answer` the text or option, `preset` the choice beside it.
    `owner`: a Slack user id; `due`: a day as 2026-01-09; both may be empty.

    `words` is the text that everyone may read, without sensitive data.
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
        """The preset, then the own words."""
        return ": ".join(filter(None, [self.preset, self.words]))[:REASON_LIMIT]


def read_submission(view: Payload) -> Submission | None:
    """None for a modal that is none of ours, or is damaged."""
    kind, metadata = str(view.get("callback_id", "")), read_metadata(view)
    needs = _NEEDS.get(kind)
    if needs is None or needs not in metadata:
        return None
    values = view.get("state", {}).get("values", {})
    answer, preset, owner, due = (_entered(values, name) for name in (ANSWER, PRESET, modals.OWNER, modals.DUE))
    return Submission(kind, metadata, answer, preset, owner, due)


NAMES_WITHIN_S = 1.0  # of people whom a dialog names; Slack gives 3 s to open it


def quoted_words(message: Mapping[str, Any], limit: int, origin: MessageOrigin, name_of: Callable[[str], str]) -> str:
    """What a message says, to begin a dialog with: masked, without our own mark, people by their names where known."""
    words = origin.without_mark(str(message.get("text", ""))[:limit])
    return mrkdwn_text(mask_message(words), name_of)


def read_metadata(view: Payload) -> Mapping[str, Any]:
    """What `bot.views.modals` wrote into the modal; empty when there is nothing."""
    try:
        metadata = json.loads(view.get("private_metadata") or "{}")
    except ValueError:
        return {}
    return metadata if isinstance(metadata, dict) else {}


def find_mistakes(submission: Submission) -> dict[str, str]:
    """`{block id: what is wrong}` as Slack shows it below the input; empty when all is well."""
    if submission.kind == APPROVE_TYPED and submission.answer.split() != str(submission.metadata["phrase"]).split():
        return {ANSWER: f"Type exactly: {submission.metadata['phrase']}"}
    if submission.kind in _WANTED and not submission.answer.strip():
        return {ANSWER: _WANTED[submission.kind]}
    return {}


def view_to_look_at(view: Payload, submission: Submission) -> Block | None:
    """The modal again with what would be kept of the text, so that its writer sees it first.

    None when nothing is taken out of it, or when its writer has seen that already. An emergency stop does not wait.
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
    """A modal that is shown again begins with what was typed."""
    if block.get("block_id") != ANSWER:
        return dict(block)
    return {**block, "element": {**block["element"], "initial_value": answer}}


def _entered(values: Payload, name: str) -> str:
    """The text, the option's value, the person or the day of the input of this block and action id."""
    state = values.get(name, {}).get(name, {})
    option = state.get("selected_option") or {}
    found = (state.get("value"), option.get("value"), state.get("selected_user"), state.get("selected_date"))
    return str(next(filter(None, found), ""))


def delivery_key(body: Payload) -> str | None:
    """A key that a redelivery repeats and nothing else has; None for a payload that cannot be distinguished.

    A message is one command, whatever events tell of it: after an edit Slack mentions us again, with another event id.
    Other events carry an id. Commands, shortcuts and views carry a trigger, actions the moment of the click: a trigger
    may be renewed, the click's moment is what stays.
    """
    if message := _mention_key(body.get("event") or {}):
        return message
    if event_id := body.get("event_id"):
        return f"event:{event_id}"
    if actions := body.get("actions"):
        return _action_key(body, actions[0])
    if trigger := body.get("trigger_id"):
        return f"trigger:{trigger}"
    return None


def _mention_key(event: Payload) -> str | None:
    channel, ts = event.get("channel"), event.get("ts")
    if not (event.get("type") == "app_mention" or is_direct_message(event)) or not channel or not ts:
        return None
    edited = event.get("edited") or {}
    return f"edit:{channel}:{ts}:{edited.get('ts')}" if edited else f"message:{channel}:{ts}"


def is_direct_message(event: Payload) -> bool:
    """Whether a person wrote to the bot itself; other messages that we get to see are not for us."""
    is_there = event.get("type") == "message" and event.get("channel_type") == "im"
    return is_there and not event.get("bot_id") and event.get("subtype") not in NOT_SPEECH


def _action_key(body: Payload, action: Payload) -> str:
    container = body.get("container") or {}
    where = container.get("message_ts") or container.get("view_id") or ""
    user = (body.get("user") or {}).get("id")
    parts = (body.get("team", {}) or {}).get("id"), user, where, action.get("action_ts"), action.get("action_id")
    # Hashed: an action id may be 255 characters, and a key's content is private.
    return "action:" + hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()


@dataclass(frozen=True)
class RequestOrigin:
    """Where a person asked. `response_url` is there for commands and for actions in messages; `home`: the Home tab.

    `in_thread`: the message whose button was pressed is a reply in a thread, so the person looks at that thread.
    `delivery`: the key that a redelivery repeats. `opened_ts`: the thread in which a modal was opened; it is asked for
    there, though no answer there would be seen. `received_at`: time.monotonic().
    """

    surface: Surface
    actor: Actor
    channel_id: str | None = None
    thread_ts: str | None = None
    response_url: str | None = None
    delivery: str | None = None
    opened_ts: str | None = None
    in_thread: bool = False
    received_at: float = field(default_factory=time.monotonic, compare=False)

    @property
    def home(self) -> bool:
        return self.surface is Surface.BUTTON and self.channel_id is None

    @property
    def request(self) -> Request:
        thread = self.thread_ts or self.opened_ts
        return Request((), self.surface, self.actor, self.channel_id, thread, delivery=self.delivery)


def read_request_origin(body: Payload) -> RequestOrigin | None:
    """None when the payload names no person (most events)."""
    request_origin = _read(body)
    return request_origin and replace(request_origin, delivery=delivery_key(body))


def _read(body: Payload) -> RequestOrigin | None:
    if "command" in body:
        return _of_command(body)
    if "event" in body:
        return _of_event(body)
    if "user" in body:
        return _of_interaction(body)
    return None


def named_teams(body: Payload) -> tuple[str, ...]:
    """Every workspace that the payload names for the actor, the most specific first.

    In a shared channel the outer `team_id` is ours also for a person from another company. None at all with an
    organization-wide installation.
    """
    event, user = body.get("event") or {}, body.get("user") or {}
    named = (
        event.get("user_team"),
        event.get("source_team"),
        user.get("team_id") if isinstance(user, Mapping) else None,
        event.get("team"),
        (body.get("team") or {}).get("id"),
        body.get("team_id"),
    )
    return tuple(dict.fromkeys(str(team) for team in named if team))


def read_channel(body: Payload) -> str | None:
    """The conversation that the payload is about, also where nothing is answered there."""
    event = body.get("event") or {}
    if event.get("type") == "app_home_opened":  # the Messages tab, which it is not about
        return None
    item = event.get("item") or {}
    request_origin = read_request_origin(body)
    channel = item.get("channel") or (request_origin.channel_id if request_origin else None)
    return str(channel) if channel else None


def _of_command(body: Payload) -> RequestOrigin:
    return RequestOrigin(
        Surface.SLASH, _actor(body["user_id"], body), body["channel_id"], None, body.get("response_url")
    )


def _actor(user_id: str, body: Payload) -> Actor:
    """With an empty team where the payload names none: then the account's own counts."""
    return Actor(user_id, next(iter(named_teams(body)), ""))


def _of_event(body: Payload) -> RequestOrigin | None:
    event = body["event"]
    if "user" not in event:
        return None
    actor = _actor(event["user"], body)
    if event.get("type") == "app_home_opened":  # it names a channel too, the one of the Messages tab
        return RequestOrigin(Surface.BUTTON, actor)
    # An answer to a mention opens or continues its thread; one to a direct message stands below it.
    thread = event.get("thread_ts") or (None if is_direct_message(event) else event.get("ts"))
    return RequestOrigin(Surface.MENTION, actor, event.get("channel"), thread)


def _of_interaction(body: Payload) -> RequestOrigin:
    user, container = body["user"], body.get("container") or {}
    channel = (body.get("channel") or {}).get("id") or container.get("channel_id") or _opened_in(body, "channel")
    thread, message = container.get("thread_ts"), container.get("message_ts")
    in_thread = thread not in (None, message)
    if not thread and not container.get("is_ephemeral"):
        thread = message  # an answer to a button belongs below its message
    opened = _opened_in(body, "thread")
    response_url = body.get("response_url")
    actor = _actor(user["id"], body)
    return RequestOrigin(Surface.BUTTON, actor, channel, thread, response_url, opened_ts=opened, in_thread=in_thread)


def _opened_in(body: Payload, part: str) -> str | None:
    """The channel, or the thread, in which one of our modals was opened: Slack does not report it at its submission."""
    found = read_metadata(body.get("view") or {}).get(part)
    return str(found) if found else None


# Subtypes of a message without a speaker, and why each is one. A subtype that is not here has a speaker:
# `thread_broadcast` (also sent to the channel), `me_message` (/me), `file_share`, and whatever Slack adds next.
NOT_SPEECH: Mapping[str, str] = {
    "bot_message": "written by a program: two bots that mention each other would never stop",
    "assistant_app_thread": "Slack's opening of an assistant's thread",
    "reminder_add": "Slack reports that a reminder was set",
    "reminder_delete": "Slack reports that a reminder was deleted",
    "message_changed": "reports an edit: a message is one command, read when it was posted",
    "message_deleted": "reports that a message was deleted",
    "message_replied": "reports a reply, which has an event of its own",
    "reply_broadcast": "the former notice of a broadcast reply, which has an event of its own",
    "tombstone": "what is left of a deleted message",
    "ekm_access_denied": "Slack's placeholder for a message that can't be read",
    **dict.fromkeys(("pinned_item", "unpinned_item"), "Slack reports a pin, and quotes the pinned message"),
    **dict.fromkeys(("bot_add", "bot_remove", "bot_enable", "bot_disable"), "Slack reports an integration"),
    **dict.fromkeys(("file_comment", "file_mention"), "Slack reports a comment on a file elsewhere"),
    **dict.fromkeys(("document_mention", "channel_canvas_updated"), "Slack reports a canvas"),
    **dict.fromkeys(("huddle_thread", "sh_room_created"), "Slack reports a call"),
    **{
        f"{kind}_{change}": "Slack reports a change of a conversation, whose topic or name may mention the bot"
        for kind in ("channel", "group")
        for change in (
            *("join", "leave", "topic", "purpose", "name", "archive", "unarchive"),
            *("posting_permissions", "convert_to_private", "convert_to_public"),
        )
    },
}

_MENTION = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^>]*)?>")


@dataclass(frozen=True)
class Mention:
    """`line`: the words after the bot's own mention. `before`: those before it, which are never run."""

    line: str
    before: str = ""
    is_edit: bool = False


def read_mention(event: Payload, bot_user: str | None) -> Mention | None:
    """The words addressed to the bot with this user id; None when the message has no speaker. Without an id, any
    mention counts.

    A message that a program wrote carries `bot_id`, whatever its subtype.
    """
    if event.get("bot_id") or event.get("subtype") in NOT_SPEECH:
        return None
    text = str(event.get("text") or "")
    own = [found for found in _MENTION.finditer(text) if bot_user in (None, "", found[1])]
    is_edit = bool(event.get("edited"))
    if not own:
        return Mention(text, is_edit=is_edit)
    before, after = text[: own[0].start()], text[own[0].end() :]
    return Mention(after.replace(own[0][0], " "), before, is_edit)
