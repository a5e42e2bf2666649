"""Modals, in a stack per person as in Slack, and each person's Home tab."""

import secrets
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from services.sandbox.slack.messages import Change, ChangeKind, Changes
from services.sandbox.slack.model import Json, View

MAX_STACK = 3


class ViewStore:
    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._stacks: dict[str, list[View]] = defaultdict(list)
        self._homes: dict[str, View] = {}

    def stack_for(self, user: str) -> list[View]:
        return list(self._stacks.get(user, ()))

    def home_for(self, user: str) -> View | None:
        return self._homes.get(user)

    @property
    def homes(self) -> dict[str, View]:
        return self._homes

    def find(self, view_id: str) -> View | None:
        open_views = [view for stack in self._stacks.values() for view in stack]
        return next((view for view in [*open_views, *self._homes.values()] if view.id == view_id), None)

    def find_external(self, external_id: str) -> View | None:
        views = [view for stack in self._stacks.values() for view in stack]
        return next((view for view in views if view.content.get("external_id") == external_id), None)

    def open(self, user: str, content: Json) -> View:
        """Show a modal in place of any that this person had open."""
        view_id = new_view_id()
        view = View(view_id, user, new_hash(), content, root_id=view_id)
        self._stacks[user] = [view]
        self._publish(view)
        return view

    def push(self, user: str, content: Json) -> View | None:
        """Put a modal on this person's stack; None if the stack is full."""
        stack = self._stacks[user]
        if not stack:
            return self.open(user, content)
        if len(stack) >= MAX_STACK:
            return None
        view = View(new_view_id(), user, new_hash(), content, root_id=stack[0].id, previous_id=stack[-1].id)
        stack.append(view)
        self._publish(view)
        return view

    def update(self, view: View, content: Json) -> None:
        """Replace the content. Inputs whose block and action ids stay keep what was typed."""
        view.change(content)
        view.hash = new_hash()
        view.errors = {}
        self._publish(view)

    def refuse(self, view: View, errors: dict[str, str]) -> None:
        view.errors = errors
        self._publish(view)

    def pop(self, view: View) -> None:
        stack = self._stacks[view.user]
        if view in stack:
            del stack[stack.index(view) :]
        self._publish(view)

    def clear(self, user: str) -> list[View]:
        """Close all modals of a person; return them, front first."""
        closed = self._stacks.pop(user, [])[::-1]
        for view in closed[:1]:
            self._publish(view)
        return closed

    def publish(self, user: str, content: Json) -> View:
        view = self._homes.get(user)
        if view is None:
            view_id = new_view_id()
            view = self._homes[user] = View(view_id, user, new_hash(), content, root_id=view_id)
        else:
            view.change(content)
            view.hash = new_hash()
        self._changes.publish(Change(ChangeKind.HOME, user=user))
        return view

    def _publish(self, view: View) -> None:
        self._changes.publish(Change(ChangeKind.VIEW, user=view.user))


def new_view_id() -> str:
    return "V" + secrets.token_hex(5).upper()


def new_hash() -> str:
    return f"{secrets.randbelow(10**10)}.{secrets.token_hex(4)}"


TRIGGER_LIFETIME_S = 3.0
RESPONSE_LIFETIME_S = 30 * 60.0
MAX_RESPONSES = 5
MAX_KEPT = 5_000


T = TypeVar("T")


@dataclass
class Trigger:
    user: str
    expires_at: float
    is_used: bool = False


@dataclass
class ResponseTicket:
    """The target of answers to one interaction. `message_ts`: the message that the interaction came from."""

    user: str
    channel: str
    expires_at: float
    message_ts: str | None = None
    thread_ts: str | None = None
    uses_left: int = MAX_RESPONSES


class TicketError(Exception):
    """Carries Slack's error code."""


class Tickets:
    def __init__(self, clock: Callable[[], float]) -> None:
        self.trigger_lifetime_s = TRIGGER_LIFETIME_S
        self._clock = clock
        self._triggers: dict[str, Trigger] = {}
        self._responses: dict[str, ResponseTicket] = {}

    def new_trigger(self, user: str) -> str:
        trigger_id = f"{secrets.randbelow(10**12)}.{secrets.randbelow(10**12)}.{secrets.token_hex(16)}"
        _keep(self._triggers, trigger_id, Trigger(user, self._clock() + self.trigger_lifetime_s))
        return trigger_id

    def use_trigger(self, trigger_id: str) -> str:
        """Return the user who pressed; a trigger works once and for a short time. Raises TicketError."""
        trigger = self._triggers.get(trigger_id)
        if trigger is None:
            raise TicketError("invalid_trigger_id")
        if trigger.is_used:
            raise TicketError("exchanged_trigger_id")
        if self._clock() > trigger.expires_at:
            raise TicketError("expired_trigger_id")
        trigger.is_used = True
        return trigger.user

    def new_response(
        self, user: str, channel: str, *, message_ts: str | None = None, thread_ts: str | None = None
    ) -> str:
        """A token for a response URL."""
        token = secrets.token_urlsafe(18)
        expires_at = self._clock() + RESPONSE_LIFETIME_S
        _keep(self._responses, token, ResponseTicket(user, channel, expires_at, message_ts, thread_ts))
        return token

    def use_response(self, token: str) -> ResponseTicket:
        """Count one use and return the ticket. Raises TicketError."""
        ticket = self._responses.get(token)
        if ticket is None or self._clock() > ticket.expires_at:
            raise TicketError("expired_url")
        if ticket.uses_left <= 0:
            raise TicketError("used_url")
        ticket.uses_left -= 1
        return ticket


def _keep(kept: dict[str, T], key: str, value: T) -> None:
    kept[key] = value
    while len(kept) > MAX_KEPT:
        del kept[next(iter(kept))]
