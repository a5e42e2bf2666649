"""Bolt, with our acknowledgement, our listeners, and the only place that shows errors."""

from __future__ import annotations

import logging
import secrets
from typing import Any

from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult

from bot.slack_edge.acknowledge import acknowledge
from bot.slack_edge.answering import deliver
from bot.slack_edge.asker import read_asker
from bot.slack_edge.gate import Gate, GatedApp
from bot.slack_edge.listeners import Listeners
from bot.slack_edge.ourselves import Ourselves
from bot.slack_edge.rate_limited import RateLimited
from bot.views.errors import error_answer
from services.domain.errors import OperatorError, SourceError
from services.process.log import describe_error
from services.slack.client import SlackClient

logger = logging.getLogger(__name__)


def make_bolt(
    listeners: Listeners, ourselves: Ourselves, slack: SlackClient, *, gate: Gate, rate_limited: RateLimited
) -> AsyncApp:
    """Takes payloads from Socket Mode or HTTP alike."""
    quiet = logging.getLogger("slack_bolt.app")
    quiet.setLevel(logging.ERROR)  # it warns of things that are so on purpose

    async def authorize() -> AuthorizeResult:  # Bolt would take a method's `self` for an argument of its own
        return ourselves.authorization()

    # Signatures are the guard's business: it knows two secrets and reads before Bolt parses.
    bolt = AsyncApp(logger=quiet, authorize=authorize, request_verification_enabled=False)
    bolt.use(acknowledge)
    bolt.use(rate_limited.take)
    listeners.register(GatedApp(bolt, gate, lambda error, body: show_error(slack, error, body)))

    @bolt.error
    async def handle(error: Exception, body: dict[str, Any]) -> None:
        await show_error(slack, error, body)

    return bolt


async def show_error(slack: SlackClient, error: Exception, body: dict[str, Any]) -> None:
    """Tell whoever asked. What is unexpected is logged once, without anything of the payload."""
    reference = None
    if not isinstance(error, OperatorError | SourceError):
        reference = secrets.token_hex(4)
        logger.error("unexpected error, reference %s: %s", reference, describe_error(error))
    asker = read_asker(body)
    if asker is None:
        return
    answer = error_answer(error, reference=reference)
    try:
        await deliver(slack, answer, asker, key=None)
    except SourceError as failure:
        logger.warning("an error could not be shown: %s", failure.why)
