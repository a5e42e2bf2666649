"""Handles Slack's notice that it drops events for this app (`app_rate_limited`), and posts it to the channel."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from slack_bolt.response import BoltResponse

from bot.views.delivery import dropped_events_message
from bot.wake_ups import WakeUps
from services.clients.postgres.messages import store_message
from services.clients.postgres.pool import Database
from services.clients.slack import SlackClient
from services.domain.errors import SourceError

logger = logging.getLogger(__name__)

TYPE = "app_rate_limited"
DATABASE_TIMEOUT_S = 2.0


class DroppedEvents:
    """Announces dropped events; one per process. (`services.clients.slack` handles rate limits of our own calls.)"""

    def __init__(
        self,
        database: Database | None,
        slack: SlackClient,
        *,
        channel: str,
        wake_ups: WakeUps,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._slack = slack
        self._channel = channel
        self._wake_ups = wake_ups
        self._clock = clock
        self._last_key = ""
        self._tasks: set[asyncio.Task[None]] = set()

    async def take(self, body: dict[str, Any], next: Callable[[], Awaitable[None]]) -> BoltResponse | None:  # noqa: A002
        """Global middleware of Bolt: acknowledges the notice at once, and passes everything else on."""
        if body.get("type") != TYPE:
            await next()
            return None
        task = asyncio.create_task(self.announce())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return BoltResponse(status=200, body="")

    async def announce(self) -> None:
        """Post a message at most once per hour, because Slack sends a notice each minute."""
        now = self._clock()
        key = f"slack:rate_limited:{now:%Y-%m-%dT%H}"
        logger.warning("Slack drops events for this app: over 30,000 an hour")
        if key == self._last_key:
            return
        self._last_key = key
        text, blocks = dropped_events_message(now)
        try:
            if not await self._store(key, text, blocks):
                await self._slack.post(self._channel, text, blocks, key=key)
        except SourceError as error:
            self._last_key = ""
            logger.warning("the notice of dropped events was not posted: %s", error.why)

    async def _store(self, key: str, text: str, blocks: list[dict[str, Any]]) -> bool:
        """True if the outbox has stored it; otherwise the caller posts directly."""
        if self._database is None:
            return False
        try:
            async with self._database.transaction(timeout_s=DATABASE_TIMEOUT_S) as conn:
                await store_message(conn, key=key, channel=self._channel, text=text, blocks=blocks)
        except SourceError:
            return False
        self._wake_ups.outbox.set()
        return True
