"""Bolt with our acknowledgement, listeners and error handler; and the bot's identity in Slack.

Bolt polls every 10 ms for an `ack()` in a listener; here the acknowledgement is ready when the listener starts
(docs/benchmarks.md). Bolt acknowledges events by itself. A view's submission waits for its listener, which may refuse
the input; that check is pure and as fast. Payloads are cleaned here of characters that can't be stored.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.context.ack.async_ack import AsyncAck

from bot.slack.dropped_events import DroppedEvents
from bot.slack.gate import Gate, GatedApp
from bot.slack.handlers import Listeners
from bot.slack.request_origin import read_request_origin
from bot.slack.respond import deliver
from bot.views.errors import error_answer
from services.clients.slack import SlackClient
from services.clients.slack_lookups import Identity
from services.domain.errors import OperatorError, SourceError
from services.domain.secrets import Secret
from services.domain.slack_refusals import SlackRefusedError
from services.domain.text import cleaned
from services.process import describe_error

_IMMEDIATE = frozenset({"block_actions", "interactive_message", "message_action", "shortcut"})


async def acknowledge(body: dict[str, Any], ack: AsyncAck, next: Callable[[], Awaitable[None]]) -> None:  # noqa: A002
    """Global middleware of Bolt, which passes the arguments by name: clean the payload and acknowledge it."""
    body.update(cleaned(dict(body)))
    if "command" in body or body.get("type") in _IMMEDIATE:
        await ack()
    await next()


logger = logging.getLogger(__name__)

RETRY_S = 5.0


class BotIdentity:
    """The bot's identity in Slack. `identity`: None until Slack has reported it."""

    def __init__(self, slack: SlackClient, token: Secret) -> None:
        self.identity: Identity | None = None
        self._slack = slack
        self._token = token

    @property
    def workspace(self) -> str | None:
        """The bot's team id; None until Slack has reported it."""
        return self.identity.team_id if self.identity else None

    async def find_out(self) -> None:
        """Ask Slack, and retry while it can't be reached. Raises OperatorError for a token that Slack refuses."""
        while self.identity is None:
            try:
                self.identity = await self._slack.identify()
            except SourceError as error:
                if isinstance(error, SlackRefusedError) and not error.retryable:
                    raise OperatorError(
                        "The bot cannot start",
                        why=f"Slack refuses SLACK_BOT_TOKEN ({error.code})",
                        what_next="Install the app into the workspace (`dragonfly manifest` prints what it needs), and "
                        "copy its Bot User OAuth Token.",
                    ) from None
                logger.warning("Slack: %s; retrying in %g s", error.why, RETRY_S)
                await asyncio.sleep(RETRY_S)
        logger.info("in Slack as %s", self.identity.user_id)

    def authorization(self) -> AuthorizeResult:
        """Authorization that Bolt needs for each payload. Known since the start, so none waits for auth.test."""
        known = self.identity or Identity("", "", "")
        return AuthorizeResult(
            enterprise_id=None,
            team_id=known.team_id,
            bot_user_id=known.user_id,
            bot_id=known.bot_id,
            bot_token=self._token.reveal(),
        )


def make_bolt(
    listeners: Listeners, bot_identity: BotIdentity, slack: SlackClient, *, gate: Gate, dropped_events: DroppedEvents
) -> AsyncApp:
    """Make the Bolt app, which takes payloads from Socket Mode and from HTTP."""
    quiet = logging.getLogger("slack_bolt.app")
    quiet.setLevel(logging.ERROR)  # its warnings are about intended settings

    async def authorize() -> AuthorizeResult:  # Bolt would take a method's `self` for one of its arguments
        return bot_identity.authorization()

    # The signature guard checks signatures: it knows two secrets, and runs before Bolt parses.
    # Without a name, Bolt reads the source of its whole call stack to find one.
    bolt = AsyncApp(name="dragonfly", logger=quiet, authorize=authorize, request_verification_enabled=False)
    bolt.use(acknowledge)
    bolt.use(dropped_events.take)
    listeners.register(GatedApp(bolt, gate, lambda error, body: show_error(slack, error, body), listeners.acknowledged))

    @bolt.error
    async def handle(error: Exception, body: dict[str, Any]) -> None:
        await show_error(slack, error, body)

    return bolt


async def show_error(slack: SlackClient, error: Exception, body: dict[str, Any]) -> None:
    """Show the error to the requester. An unexpected error is logged once, without the payload."""
    reference = None
    if not isinstance(error, OperatorError | SourceError):
        reference = secrets.token_hex(4)
        logger.error("unexpected error, reference %s: %s", reference, describe_error(error))
    request_origin = read_request_origin(body)
    if request_origin is None:
        return
    answer = error_answer(error, reference=reference)
    try:
        await deliver(slack, answer, request_origin, key=None)
    except SourceError as failure:
        logger.warning("an error could not be shown: %s", failure.why)
