"""Makes Slack match the outbox: due messages are posted, edited or retried; leader only."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

from bot.delivery.decide import (
    AFTER_PAGES_S,
    GONE,
    LEAVES_WITHIN_S,
    LOOK_AGAIN,
    LOOK_FOR,
    UPDATE_PAUSE,
    Move,
    RateLimitGates,
    is_final,
    is_post,
    next_move,
    retry_after,
)
from bot.delivery.fallbacks import Fallbacks
from bot.delivery.undeliverable import Undeliverable
from bot.leader import Fence, LostLeadershipError
from bot.periodic_tasks import PeriodicTask
from bot.wake_ups import WakeUp, WakeUps
from bot.web.metrics import Metrics
from services.clients.postgres import messages
from services.clients.postgres.pool import Connection, Database
from services.clients.slack import THREAD_GONE, SlackClient, Urgency
from services.domain.errors import SourceError
from services.domain.messages import OutboxQueue, UnsentMessage, message_link, with_link
from services.domain.slack import SlackRefusedError, refusal_of

logger = logging.getLogger(__name__)

LATE_AFTER_S = 90.0  # three polls without anything to send
RETRY_S = 1.0
_AT_ONCE = 20
_CLOCK_SLACK = timedelta(minutes=1)  # the database's clock and Slack's may differ
_CANNOT_LOOK = frozenset({"missing_scope", "not_in_channel", "no_permission", "access_denied"})

ResultT = TypeVar("ResultT")


class OutboxLane(PeriodicTask):
    """`gates` is shared with the other lane. `workspace_url`: of our Slack workspace; None while it is not known.
    `pages_sent` is set by the lane of the pages, and wakes the other one."""

    def __init__(
        self,
        lane: OutboxQueue,
        database: Database,
        slack: SlackClient,
        *,
        wake_ups: WakeUps,
        pages_sent: WakeUp,
        gates: RateLimitGates,
        metrics: Metrics,
        undeliverable: Undeliverable,
        workspace_url: Callable[[], str | None],
    ) -> None:
        is_pages = lane is OutboxQueue.PAGES
        super().__init__(wake_ups.outbox, *(() if is_pages else (pages_sent,)))
        self.name = "outbox" if is_pages else "outbox without pages"
        self.late_after_s = LATE_AFTER_S if is_pages else None
        self._wake_ups = wake_ups
        self._pages_sent = pages_sent
        self._lane = lane
        self._urgency = Urgency.PAGE if lane is OutboxQueue.PAGES else Urgency.NOTE
        self._database = database
        self._slack = slack
        self._gates = gates
        self._metrics = metrics
        self._undeliverable = undeliverable
        self._workspace_url = workspace_url
        self._fallbacks = Fallbacks(slack)

    @property
    def retry_s(self) -> float:  # type: ignore[override]
        """After the database failed; the notice of a page may have been lost with it."""
        return min(RETRY_S, self._wake_ups.poll_s)

    async def tick(self, fence: Fence) -> float:
        """Send what is due; seconds until the next tick. Raises as `send_due`."""
        wait_s = await self.send_due(fence)
        if wait_s == 0.0 and self._lane is OutboxQueue.PAGES:  # they may have a thread by now, or other words already
            self._pages_sent.set()
        poll_s = self._wake_ups.poll_s
        return poll_s if wait_s is None else min(wait_s, poll_s)

    async def send_due(self, fence: Fence) -> float | None:
        """Send what is due; seconds until more may be, None when nothing waits.

        Raises SourceError when the database is away, and LostLeadershipError.
        """
        may_post, may_update = self._is_open(posting=True), self._is_open(posting=False)
        async with self._database.read() as conn:
            due = await messages.list_due_messages(
                conn, lane=self._lane, may_post=may_post, may_update=may_update, limit=_AT_ONCE
            )
            wait_s = await messages.read_outbox_wait(conn, lane=self._lane, may_post=may_post, may_update=may_update)
        for message in due:
            if self._is_open(posting=is_post(next_move(message))):  # a message before it may have closed it
                await self._send(message, fence)
        if due:
            return 0.0  # their rows may have changed meanwhile
        opens_in = self._gates.opens_in(self._lane, now=_now())
        return min([wait for wait in (wait_s, opens_in) if wait is not None], default=None)

    def _is_open(self, *, posting: bool) -> bool:
        return self._gates.is_open(self._lane, posting=posting, now=_now())

    async def _send(self, message: UnsentMessage, fence: Fence) -> None:
        try:
            await self._move(self._with_link(message), fence)
        except SlackRefusedError as refused:
            await self._refused(message, refused, fence)
        except SourceError as error:
            if error.source != "Slack":
                raise
            await self._later(message, error, fence)
        else:
            self._metrics.messages.labels("sent").inc()

    def _with_link(self, message: UnsentMessage) -> UnsentMessage:
        url = message_link(
            self._workspace_url(), message.link_channel_id, message.link_ts, thread_ts=message.link_thread_ts
        )
        return replace(message, blocks=with_link(message.blocks, url))

    async def _post_anew(self, message: UnsentMessage, fence: Fence) -> None:
        """Somebody deleted it. Only the copy that is gone is forgotten, not one that was posted since."""
        assert message.ts is not None  # noqa: S101 - whoever calls has checked it
        gone = message.ts
        await self._write(fence, lambda conn: messages.forget_message(conn, key=message.key, ts=gone))

    async def _post_thread_anew(self, message: UnsentMessage, refused: SourceError, fence: Fence) -> None:
        """Somebody deleted the message that it belongs below: that one is posted again first."""
        assert message.thread_ts is not None  # noqa: S101 - whoever calls has checked it
        gone = message.thread_ts
        await self._write(fence, lambda conn: messages.forget_thread(conn, key=message.key, ts=gone))
        await self._postpone(message, refused, fence, timedelta())

    async def _refused(self, message: UnsentMessage, refused: SlackRefusedError, fence: Fence) -> None:
        if message.ts is not None and (refused.code in GONE or await self._fallbacks.has_moved(message, refused)):
            await self._post_anew(message, fence)
        elif message.thread_ts is not None and refused.code == THREAD_GONE:
            await self._post_thread_anew(message, refused, fence)
        elif refused.retry_after_s is not None:
            await self._wait_as_asked(message, refused.retry_after_s, refused, fence)
        elif not refused.is_outage and is_final(refusal_of(refused.code), message.attempts):
            await self._give_up(message, refused, fence)
        else:
            await self._later(message, refused, fence)

    async def _give_up(self, message: UnsentMessage, refused: SlackRefusedError, fence: Fence) -> None:
        """It leaves the queue; a page is told elsewhere before."""
        logger.error("%s is not tried again: %s", message.key, refused.why)
        self._metrics.messages.labels("refused").inc()
        told = await self._undeliverable.tell(message, refused) if message.is_new_page else None

        async def store(conn: Connection) -> None:
            error = refused.why if told is None else f"{refused.why}; {told.words}"
            await messages.mark_undeliverable(conn, key=message.key, version=message.version, error=error)
            if told is not None:
                await told.store(conn)

        await self._write(fence, store)

    async def _move(self, message: UnsentMessage, fence: Fence) -> None:
        match next_move(message):
            case Move.UPDATE:
                assert message.ts is not None  # noqa: S101 - that is what UPDATE means
                await self._fallbacks.update(message, message.channel, message.ts)
                await self._sent(message, fence, message.channel, message.ts)
            case Move.FIND:
                await self._find(message, fence)
            case Move.POST if message.is_withdrawn:  # Slack refused it after all, or somebody deleted it there
                await self._forget(message, fence, older_than=timedelta())
            case Move.POST:
                await self._post(message, fence)

    async def _post(self, message: UnsentMessage, fence: Fence) -> None:
        channel = await self._slack.channel_id(message.channel)
        await self._slack.pace.wait(channel, self._urgency)
        leaves_by = time.monotonic() + LEAVES_WITHIN_S
        if not await self._write(
            fence, lambda conn: messages.begin_posting(conn, key=message.key, seen=message.posting_since)
        ):
            return
        channel, ts = await self._fallbacks.post(message, channel, leaves_by=leaves_by)
        await self._sent(message, fence, channel, ts)

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
        if ts is None and message.is_withdrawn:
            await self._look_again(message, fence)
        elif ts is None:
            await self._post(message, fence)
        else:
            # Which version got through is not known: one edit more makes it this one.
            await self._fallbacks.update(message, channel, ts)
            await self._sent(message, fence, channel, ts)

    async def _look_again(self, message: UnsentMessage, fence: Fence) -> None:
        """It has not arrived, and need not; should it yet, it must not call anybody for long."""
        if not await self._forget(message, fence, older_than=LOOK_FOR):
            late = SourceError("Slack", "it was on its way when it was withdrawn", retryable=True)
            await self._postpone(message, late, fence, LOOK_AGAIN)

    async def _forget(self, message: UnsentMessage, fence: Fence, *, older_than: timedelta) -> bool:
        return await self._write(
            fence, lambda conn: messages.forget_recalled(conn, key=message.key, older_than=older_than)
        )

    async def _sent(self, message: UnsentMessage, fence: Fence, channel: str, ts: str) -> None:
        async def store(conn: Connection) -> None:
            await messages.mark_sent(
                conn, key=message.key, version=message.version, channel_id=channel, ts=ts, pause=UPDATE_PAUSE
            )
            if message.ts is None:
                await messages.renew_links(conn, key=message.key)

        await self._write(fence, store)

    async def _wait_as_asked(self, message: UnsentMessage, pause_s: float, error: SourceError, fence: Fence) -> None:
        """Slack was called too often: nothing of this kind goes out before it wants it. It is nobody's failure."""
        self._gates.close(self._lane, next_move(message), until=_now() + pause_s)
        if self._lane is OutboxQueue.PAGES:
            self._slack.pace.leave_to_pages(_now() + pause_s + AFTER_PAGES_S)
        logger.warning("%s not sent: %s; again in %g s", message.key, error.why, pause_s)
        await self._postpone(message, error, fence, timedelta(seconds=pause_s))

    async def _later(self, message: UnsentMessage, error: SourceError, fence: Fence) -> None:
        logger.warning("%s not sent: %s", message.key, error.why)
        await self._postpone(message, error, fence, retry_after(message.attempts + 1, priority=message.priority))

    async def _postpone(self, message: UnsentMessage, error: SourceError, fence: Fence, pause: timedelta) -> None:
        self._metrics.messages.labels("failed").inc()
        maybe = error.outcome_unknown or message.posting_since is not None
        await self._write(
            fence,
            lambda conn: messages.mark_refused(
                conn, key=message.key, error=error.why, pause=pause, maybe_posted=maybe and message.ts is None
            ),
        )

    async def _write(self, fence: Fence, call: Callable[[Connection], Awaitable[ResultT]]) -> ResultT:
        async with self._database.transaction() as conn:
            await fence.lock(conn)
            return await call(conn)


def _now() -> float:
    return asyncio.get_running_loop().time()


FLUSH_S = 5.0  # a shutdown waits behind it


class Sender:
    """`slack` is impatient: 429 is minded here.

    `tasks` send: one the pages, one the rest. `undeliverable` tells pages elsewhere that Slack refuses.
    `workspace_url`: "https://acme.slack.com/", for links; None while it is not known.
    """

    def __init__(
        self,
        database: Database,
        slack: SlackClient,
        *,
        wake_ups: WakeUps,
        metrics: Metrics,
        undeliverable: Undeliverable | None = None,
        workspace_url: Callable[[], str | None] = lambda: None,
    ) -> None:
        gates, pages_sent, undeliverable = RateLimitGates(), WakeUp(), undeliverable or Undeliverable(slack)
        self._lanes = {
            lane: OutboxLane(
                lane,
                database,
                slack,
                wake_ups=wake_ups,
                pages_sent=pages_sent,
                gates=gates,
                metrics=metrics,
                undeliverable=undeliverable,
                workspace_url=workspace_url,
            )
            for lane in OutboxQueue
        }
        self.tasks = tuple(self._lanes.values())
        self._wake_ups = wake_ups

    async def flush(self, fence: Fence) -> None:
        """Send what is due, for at most five seconds: the last thing before a shutdown."""
        with contextlib.suppress(TimeoutError, SourceError, LostLeadershipError):
            async with asyncio.timeout(FLUSH_S):
                while await self.send_due(fence) == 0.0:
                    continue

    async def send_due(self, fence: Fence) -> float:
        """Send everything that is due; seconds until the next may be. Raises SourceError when the database is away."""
        waits = [await self._lanes[lane].send_due(fence) for lane in OutboxQueue]
        return min([wait for wait in waits if wait is not None], default=self._wake_ups.poll_s)
