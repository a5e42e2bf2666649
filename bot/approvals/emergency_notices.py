"""Tells the channel of an emergency stop without the database, and hands the message over to its run afterwards."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bot.views.emergency import Content, joined_notice
from services.domain.errors import SourceError
from services.domain.runs import Run
from services.postgres.outbox import adopt_message
from services.postgres.pool import Connection
from services.slack.client import SlackClient

logger = logging.getLogger(__name__)

FIND_WITHIN = timedelta(minutes=30)  # Slack has given up delivering a payload again by then
LEAVES_WITHIN_S = 2.0  # it does not wait behind answers
TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Notice:
    """A message as Slack has it."""

    channel_id: str
    ts: str


class EmergencyNotices:
    """Of one channel. Nothing here raises for a Slack that is away: the stop goes on, and the asker is answered."""

    def __init__(self, slack: SlackClient, *, channel: str) -> None:
        self._slack = slack
        self._channel = channel

    async def post(self, content: Content, *, delivery: str | None) -> Notice | None:
        """Tell the channel, once for each delivery; None when Slack did not take it."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                channel_id = await self._slack.channel_id(self._channel)
                key = f"stop:{delivery}" if delivery else None
                found = await self._find(channel_id, key) if key else None
                if found:
                    return Notice(channel_id, found)
                leaves_by = time.monotonic() + LEAVES_WITHIN_S
                return Notice(
                    *await self._slack.post(channel_id, content.text, content.blocks, key=key, leaves_by=leaves_by)
                )
        except (SourceError, TimeoutError) as error:
            logger.warning("the channel was not told of an emergency stop: %s", error)
            return None

    async def edit(self, notice: Notice, content: Content) -> None:
        """Let it say what became of the stop."""
        try:
            await self._slack.update(notice.channel_id, notice.ts, content.text, content.blocks)
        except SourceError as error:
            logger.warning("the channel was not told how an emergency stop ended: %s", error.why)

    async def _find(self, channel_id: str, key: str) -> str | None:
        """Of a replica that was asked the same, or of ours before a restart."""
        try:
            return await self._slack.find(channel_id, key, since=datetime.now(UTC) - FIND_WITHIN)
        except SourceError as error:
            logger.info("not known whether it was told already: %s", error.why)
            return None


async def join(conn: Connection, run: Run, notice: Notice) -> None:
    """Make the notice the run's message, before that is stored; if there is one already, the notice names the run."""
    if not await _adopt(conn, run.message_key, run.channel, notice, joined_notice(run)):
        await _adopt(conn, f"{run.message_key}:notice", run.channel, notice, joined_notice(run))


async def _adopt(conn: Connection, key: str, channel: str, notice: Notice, content: Content) -> bool:
    return await adopt_message(
        conn,
        key=key,
        channel=channel,
        channel_id=notice.channel_id,
        ts=notice.ts,
        text=content.text,
        blocks=content.blocks,
    )
