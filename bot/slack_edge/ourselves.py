"""Who we are in Slack, asked once at the start."""

from __future__ import annotations

import asyncio
import logging

from slack_bolt.authorization import AuthorizeResult

from services.domain.errors import OperatorError, SourceError
from services.domain.secrets import Secret
from services.slack.client import Identity, SlackClient
from services.slack.errors import SlackRefusedError

logger = logging.getLogger(__name__)

RETRY_S = 5.0


class Ourselves:
    """`identity` is None until Slack has told it."""

    def __init__(self, slack: SlackClient, token: Secret) -> None:
        self.identity: Identity | None = None
        self._slack = slack
        self._token = token

    @property
    def workspace(self) -> str | None:
        """Our team id."""
        return self.identity.team_id if self.identity else None

    async def find_out(self) -> None:
        """Ask Slack, again and again while it cannot be reached. Raises OperatorError for a token that it refuses."""
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
                logger.warning("Slack: %s; again in %g s", error.why, RETRY_S)
                await asyncio.sleep(RETRY_S)
        logger.info("in Slack as %s", self.identity.user_id)

    def authorization(self) -> AuthorizeResult:
        """Bolt wants it for every payload: known since the start, so that no acknowledgement waits for auth.test."""
        known = self.identity or Identity("", "", "")
        return AuthorizeResult(
            enterprise_id=None,
            team_id=known.team_id,
            bot_user_id=known.user_id,
            bot_id=known.bot_id,
            bot_token=self._token.reveal(),
        )
