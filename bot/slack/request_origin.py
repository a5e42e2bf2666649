"""Reads the origin of a request from Slack's payload: person, workspace, conversation, delivery, mention. Pure."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from bot.slack.payloads import Payload, read_metadata
from bot.types import Actor, Request, Surface


def delivery_key(body: Payload) -> str | None:
    """Return a key that only a redelivery of the payload repeats; None if the payload has nothing to identify it.

    A message is one command, even if several events report it: after an edit, Slack sends the mention again with
    another event id. Other events have an id. Commands, shortcuts and views have a trigger id. Actions are identified
    by the time of the click, because a trigger id may be renewed.
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
    """True if a person wrote a direct message to the bot; other messages are not for it."""
    is_there = event.get("type") == "message" and event.get("channel_type") == "im"
    return is_there and not event.get("bot_id") and event.get("subtype") not in NOT_SPEECH


def _action_key(body: Payload, action: Payload) -> str:
    container = body.get("container") or {}
    where = container.get("message_ts") or container.get("view_id") or ""
    user = (body.get("user") or {}).get("id")
    parts = (body.get("team", {}) or {}).get("id"), user, where, action.get("action_ts"), action.get("action_id")
    # Hashed: an action id may have 255 characters, and the key's content is private.
    return "action:" + hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()


@dataclass(frozen=True)
class RequestOrigin:
    """Origin of a request. `response_url`: given for commands and for actions in messages. `home`: the Home tab.

    `in_thread`: the pressed button is in a thread's reply, so the person reads that thread. `delivery`: key that a
    redelivery repeats. `opened_ts`: thread in which a modal was opened; the request belongs to it, but its answer is
    not posted there, where it would be missed. `received_at`: time.monotonic().
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
    """Read the origin; None if the payload names no person (most events)."""
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
    """All workspaces that the payload names for the actor, most specific first.

    In a shared channel, the outer `team_id` is ours even for a person from another company. Empty for an
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
    """The conversation that the payload refers to, even if no answer goes there."""
    event = body.get("event") or {}
    if event.get("type") == "app_home_opened":  # its channel is the Messages tab, not the Home tab
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
    """The actor; team "" if the payload names none, and then the account's own team counts."""
    return Actor(user_id, next(iter(named_teams(body)), ""))


def _of_event(body: Payload) -> RequestOrigin | None:
    event = body["event"]
    if "user" not in event:
        return None
    actor = _actor(event["user"], body)
    if event.get("type") == "app_home_opened":  # its channel is the Messages tab
        return RequestOrigin(Surface.BUTTON, actor)
    # A mention is answered in its thread; a direct message in the conversation itself.
    thread = event.get("thread_ts") or (None if is_direct_message(event) else event.get("ts"))
    return RequestOrigin(Surface.MENTION, actor, event.get("channel"), thread)


def _of_interaction(body: Payload) -> RequestOrigin:
    user, container = body["user"], body.get("container") or {}
    channel = (body.get("channel") or {}).get("id") or container.get("channel_id") or _opened_in(body, "channel")
    thread, message = container.get("thread_ts"), container.get("message_ts")
    in_thread = thread not in (None, message)
    if not thread and not container.get("is_ephemeral"):
        thread = message  # a button's answer goes below its message
    opened = _opened_in(body, "thread")
    response_url = body.get("response_url")
    actor = _actor(user["id"], body)
    return RequestOrigin(Surface.BUTTON, actor, channel, thread, response_url, opened_ts=opened, in_thread=in_thread)


def _opened_in(body: Payload, part: str) -> str | None:
    """The channel or thread in which a modal was opened, from its metadata; Slack does not report it."""
    found = read_metadata(body.get("view") or {}).get(part)
    return str(found) if found else None


# {subtype of messages that no person wrote: reason}. People write all others: `thread_broadcast` (also sent to the
# channel), `me_message` (/me), `file_share`, and any that Slack adds.
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
    """A message to the bot. `line`: the text after its mention. `before`: the text before it, which is never run."""

    line: str
    before: str = ""
    is_edit: bool = False


def read_mention(event: Payload, bot_user: str | None) -> Mention | None:
    """Read the message to the bot with this user id; None if no person wrote it. Without an id, any mention counts.

    A message that a program wrote has a `bot_id`, regardless of its subtype.
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
