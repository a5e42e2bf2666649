"""Who asked and where the answer goes, read from each kind of payload; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bot.commands._contract import Actor, Request, Surface
from bot.interactions.submissions import read_metadata
from bot.slack_edge.keys import delivery_key

Payload = Mapping[str, Any]


@dataclass(frozen=True)
class Asker:
    """Where a person asked. `response_url` is there for commands and for actions in messages; `home`: the Home tab.

    `delivery`: the key that a redelivery repeats. `opened_ts`: the thread in which a modal was opened; it is asked for
    there, though nothing can be answered there that somebody would see.
    """

    surface: Surface
    actor: Actor
    channel_id: str | None = None
    thread_ts: str | None = None
    response_url: str | None = None
    delivery: str | None = None
    opened_ts: str | None = None

    @property
    def home(self) -> bool:
        return self.surface is Surface.BUTTON and self.channel_id is None

    @property
    def request(self) -> Request:
        thread = self.thread_ts or self.opened_ts
        return Request((), self.surface, self.actor, self.channel_id, thread, delivery=self.delivery)


def read_asker(body: Payload) -> Asker | None:
    """None when the payload names nobody (most events)."""
    asker = _read(body)
    return asker and replace(asker, delivery=delivery_key(body))


def _read(body: Payload) -> Asker | None:
    if "command" in body:
        return _of_command(body)
    if "event" in body:
        return _of_event(body)
    if "user" in body:
        return _of_interaction(body)
    return None


def named_teams(body: Payload) -> tuple[str, ...]:
    """Every workspace that the payload names for whoever acted, the most telling first.

    In a shared channel the outer `team_id` is ours also for somebody of another company. None at all with an
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
    asker = read_asker(body)
    channel = item.get("channel") or (asker.channel_id if asker else None)
    return str(channel) if channel else None


def _of_command(body: Payload) -> Asker:
    return Asker(Surface.SLASH, _actor(body["user_id"], body), body["channel_id"], None, body.get("response_url"))


def _actor(user_id: str, body: Payload) -> Actor:
    """With an empty team where the payload names none: then the account's own counts."""
    return Actor(user_id, next(iter(named_teams(body)), ""))


def _of_event(body: Payload) -> Asker | None:
    event = body["event"]
    if "user" not in event:
        return None
    actor = _actor(event["user"], body)
    if event.get("type") == "app_home_opened":  # it names a channel too, the one of the Messages tab
        return Asker(Surface.BUTTON, actor)
    thread = event.get("thread_ts") or event.get("ts")  # an answer to a mention opens or continues its thread
    return Asker(Surface.MENTION, actor, event.get("channel"), thread)


def _of_interaction(body: Payload) -> Asker:
    user, container = body["user"], body.get("container") or {}
    channel = (body.get("channel") or {}).get("id") or container.get("channel_id") or _opened_in(body, "channel")
    thread = container.get("thread_ts")
    if not thread and not container.get("is_ephemeral"):
        thread = container.get("message_ts")  # an answer to a button belongs below its message
    opened = _opened_in(body, "thread")
    response_url = body.get("response_url")
    return Asker(Surface.BUTTON, _actor(user["id"], body), channel, thread, response_url, opened_ts=opened)


def _opened_in(body: Payload, part: str) -> str | None:
    """The channel, or the thread, in which one of our modals was opened: Slack does not say it at its submission."""
    found = read_metadata(body.get("view") or {}).get(part)
    return str(found) if found else None
