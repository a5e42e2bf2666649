"""What a payload lets the app do for a while: trigger ids open one modal, response URLs answer a few times."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

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
    """Where an answer to one interaction goes. `message_ts` is the message that the interaction came from."""

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
        """The user who pressed; a trigger works once and for a short time. Raises TicketError."""
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
        """Counts one use. Raises TicketError."""
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
