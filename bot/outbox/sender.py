"""Makes Slack look like the outbox: posts, finds again, edits. Runs on the leader only."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

from bot.bell import Bell
from bot.leader import Fence, LostLeadershipError
from bot.outbox.decide import GONE, UPDATE_PAUSE, Move, next_move, retry_after
from bot.web.metrics import Metrics
from services.domain.errors import SourceError
from services.domain.outbox import UnsentMessage
from services.postgres import outbox
from services.postgres.pool import Connection, Database
from services.slack.client import SlackClient
from services.slack.errors import SlackRefusedError

logger = logging.getLogger(__name__)

FLUSH_S = 5.0  # DESIGN §4
_AT_ONCE = 20
_CLOCK_SLACK = timedelta(minutes=1)  # the database's clock and Slack's may differ
# Slack will not take it however often it is tried; it waits for a person or for new content.
_HOPELESS = frozenset({"invalid_auth", "account_inactive", "missing_scope", "channel_not_found", "not_in_channel"})
_CANNOT_LOOK = frozenset({"missing_scope", "not_in_channel", "no_permission", "access_denied"})


class Sender:
    """`ring` wakes it; without a ring it looks every `poll_s()` seconds."""

    def __init__(
        self, database: Database, slack: SlackClient, *, poll_s: Callable[[], float], metrics: Metrics
    ) -> None:
        self._database = database
        self._slack = slack
        self._poll_s = poll_s
        self._metrics = metrics
        self._bell = Bell()

    def ring(self) -> None:
        """Something new may be in the outbox."""
        self._bell.ring()

    async def run(self, fence: Fence) -> None:
        """Send until cancelled. Raises LostLeadershipError."""
        await self._bell.drive(lambda: self._pass_or_wait(fence))

    async def flush(self, fence: Fence) -> None:
        """Send what is due, for at most five seconds: the last thing before a shutdown."""
        with contextlib.suppress(TimeoutError, SourceError, LostLeadershipError):
            async with asyncio.timeout(FLUSH_S):
                while await self.send_due(fence) == 0.0:
                    continue

    async def send_due(self, fence: Fence) -> float:
        """Send everything that is due; seconds until the next may be. Raises SourceError when the database is away."""
        async with self._database.read() as conn:
            unsent = await outbox.list_unsent(conn, limit=_AT_ONCE)
        due = [message for message in unsent if message.wait_s <= 0]
        for message in due:
            await self._send(message, fence)
        if due:
            return 0.0  # their rows may have changed meanwhile
        return min((message.wait_s for message in unsent), default=self._poll_s())

    async def _pass_or_wait(self, fence: Fence) -> float:
        try:
            return await self.send_due(fence)
        except SourceError as error:
            logger.warning("outbox: %s", error.why)
            return self._poll_s()

    async def _send(self, message: UnsentMessage, fence: Fence) -> None:
        try:
            await self._move(message, fence)
        except SlackRefusedError as refused:
            if message.ts is not None and refused.code in GONE:
                await self._write(fence, lambda conn: outbox.forget_message(conn, key=message.key))
            else:
                await self._later(message, refused, fence, hopeless=refused.code in _HOPELESS)
        except SourceError as error:
            if error.source != "Slack":
                raise
            await self._later(message, error, fence)
        else:
            self._metrics.messages.labels("sent").inc()

    async def _move(self, message: UnsentMessage, fence: Fence) -> None:
        match next_move(message):
            case Move.UPDATE:
                assert message.ts is not None  # noqa: S101 - that is what UPDATE means
                await self._slack.update(message.channel, message.ts, message.text, message.blocks)
                await self._sent(message, fence, message.channel, message.ts, message.version)
            case Move.FIND:
                await self._find(message, fence)
            case Move.POST:
                await self._post(message, fence)

    async def _post(self, message: UnsentMessage, fence: Fence) -> None:
        channel = await self._slack.channel_id(message.channel)
        await self._write(fence, lambda conn: outbox.begin_posting(conn, key=message.key))
        channel, ts = await self._slack.post(
            channel, message.text, message.blocks, thread_ts=message.thread_ts, key=message.key
        )
        await self._sent(message, fence, channel, ts, message.version)

    async def _find(self, message: UnsentMessage, fence: Fence) -> None:
        """An answer was lost, ours or a former leader's: look first. What cannot be looked for is posted again."""
        assert message.posting_since is not None  # noqa: S101 - that is what FIND means
        channel = await self._slack.channel_id(message.channel)
        since = message.posting_since - _CLOCK_SLACK
        try:
            ts = await self._slack.find(channel, message.key, since=since, thread_ts=message.thread_ts)
        except SlackRefusedError as refused:
            if refused.code not in _CANNOT_LOOK:
                raise
            logger.warning("%s may be posted twice: %s", message.key, refused.why)
            ts = None
        if ts is None:
            await self._post(message, fence)
        else:
            # Which version got through is not known: one edit more makes it this one.
            await self._slack.update(channel, ts, message.text, message.blocks)
            await self._sent(message, fence, channel, ts, message.version)

    async def _sent(self, message: UnsentMessage, fence: Fence, channel: str, ts: str, version: int) -> None:
        await self._write(
            fence,
            lambda conn: outbox.mark_sent(
                conn, key=message.key, version=version, channel_id=channel, ts=ts, pause=UPDATE_PAUSE
            ),
        )

    async def _later(self, message: UnsentMessage, error: SourceError, fence: Fence, *, hopeless: bool = False) -> None:
        pause = retry_after(message.attempts + 1)
        logger.log(logging.ERROR if hopeless else logging.WARNING, "%s not sent: %s", message.key, error.why)
        self._metrics.messages.labels("failed").inc()
        maybe = error.outcome_unknown or message.posting_since is not None
        await self._write(
            fence,
            lambda conn: outbox.mark_refused(
                conn, key=message.key, error=error.why, pause=pause, maybe_posted=maybe and message.ts is None
            ),
        )

    async def _write(self, fence: Fence, call: Callable[[Connection], Awaitable[None]]) -> None:
        async with self._database.transaction() as conn:
            await fence.lock(conn)
            await call(conn)
