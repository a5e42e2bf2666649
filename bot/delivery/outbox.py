"""Makes Slack match the outbox: due messages are posted, edited or retried; leader only."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar

from bot.delivery.decide import (
    AFTER_PAGES_S,
    FIND_FOR,
    FIND_POSTED,
    GONE,
    LEAVES_WITHIN_S,
    UPDATE_PAUSE,
    Delivered,
    RateLimitGates,
    SendAction,
    TryAgain,
    is_post,
    is_undeliverable,
    next_action,
    try_again,
)
from bot.delivery.engine import Batch, Delivery, Transport
from bot.delivery.undeliverable import Fallbacks, Undeliverable
from bot.leader import Fence, LostLeadershipError
from bot.wake_ups import WakeUp, WakeUps
from bot.web.metrics import Metrics
from services.clients.postgres import messages
from services.clients.postgres.pool import Connection, Database
from services.clients.slack import THREAD_GONE, SlackClient, Urgency
from services.domain.errors import SourceError
from services.domain.messages import OutboxQueue, UnsentMessage, message_link, with_link
from services.domain.slack_refusals import SlackRefusedError

logger = logging.getLogger(__name__)

_AT_ONCE = 20
_CLOCK_SLACK = timedelta(minutes=1)  # the database's clock and Slack's may differ
_CANNOT_READ = frozenset({"missing_scope", "not_in_channel", "no_permission", "access_denied"})

ResultT = TypeVar("ResultT")


@dataclass(frozen=True)
class _Post:
    channel: str


@dataclass(frozen=True)
class _Edit:
    channel: str
    ts: str


@dataclass(frozen=True)
class _MessageGone:
    """The message was deleted in Slack, or its channel's name now belongs to another channel."""

    ts: str


@dataclass(frozen=True)
class _ThreadGone:
    """The root message of its thread was deleted."""

    thread_ts: str
    again: TryAgain


@dataclass(frozen=True)
class _Undeliverable:
    """Slack will never accept it."""

    refused: SlackRefusedError


_Act = _Post | _Edit
_Outcome = Delivered | TryAgain | _MessageGone | _ThreadGone | _Undeliverable


class SlackTransport(Transport[UnsentMessage, _Act, _Outcome]):
    """Sends one of the two outbox queues. `gates` is shared with the other. `workspace_url`: of our Slack workspace;
    None while unknown."""

    at_once = 1  # a refusal affects the next message

    def __init__(
        self,
        queue: OutboxQueue,
        database: Database,
        slack: SlackClient,
        *,
        gates: RateLimitGates,
        metrics: Metrics,
        undeliverable: Undeliverable,
        workspace_url: Callable[[], str | None],
    ) -> None:
        self.pages = queue is OutboxQueue.PAGES
        self.name = "outbox" if self.pages else "outbox without pages"
        self.queue = queue
        self.urgency = Urgency.PAGE if self.pages else Urgency.NOTE
        self.database = database
        self.slack = slack
        self.gates = gates
        self.metrics = metrics
        self.undeliverable = undeliverable
        self.fallbacks = Fallbacks(slack)
        self._workspace_url = workspace_url

    @asynccontextmanager
    async def open(self, fence: Fence) -> AsyncIterator[_Messages]:
        may_post, may_update = self.is_open(posting=True), self.is_open(posting=False)
        async with self.database.read() as conn:
            wait_s = await messages.read_outbox_wait(
                conn, outbox_queue=self.queue, may_post=may_post, may_update=may_update
            )
            due = []
            if wait_s == 0.0:
                due = await messages.list_due_messages(
                    conn, outbox_queue=self.queue, may_post=may_post, may_update=may_update, limit=_AT_ONCE
                )
        opens_in = self.gates.opens_in(self.queue, now=_now())
        waits = [wait for wait in (wait_s, opens_in) if wait is not None]
        yield _Messages(self, fence, [self._with_link(message) for message in due], min(waits, default=None))

    def is_open(self, *, posting: bool) -> bool:
        """True if Slack accepts such calls now."""
        return self.gates.is_open(self.queue, posting=posting, now=_now())

    def _with_link(self, message: UnsentMessage) -> UnsentMessage:
        url = message_link(
            self._workspace_url(), message.link_channel_id, message.link_ts, thread_ts=message.link_thread_ts
        )
        return replace(message, blocks=with_link(message.blocks, url))


class _Messages(Batch[UnsentMessage, _Act, _Outcome]):
    """The due messages of one tick. Each is claimed separately, under the fence, just before it is sent."""

    def __init__(
        self, transport: SlackTransport, fence: Fence, due: Sequence[UnsentMessage], wait_s: float | None
    ) -> None:
        self._to = transport
        self._fence = fence
        self.due = due
        self.wait_s = wait_s

    async def prepare(self, item: UnsentMessage) -> _Act | None:
        action = next_action(item)
        if not self._to.is_open(posting=is_post(action)):  # an earlier message may have closed it
            return None
        if item.ts is not None:
            return _Edit(item.channel, item.ts)
        if action is SendAction.FIND and (found := await self._find(item)) is not None:
            return found  # the version that arrived is unknown: an edit makes it this one
        if item.is_withdrawn:
            await self._end_withdrawn(item, may_arrive=action is SendAction.FIND)
            return None
        channel = await self._to.slack.channel_id(item.channel)
        await self._to.slack.pace.wait(channel, self._to.urgency)
        return _Post(channel)

    async def claim(self, item: UnsentMessage, act: _Act) -> float | None:
        if isinstance(act, _Edit):
            return math.inf  # a late edit shows an older version, and the next edit follows
        leaves_by = time.monotonic() + LEAVES_WITHIN_S
        is_ours = await self._write(lambda conn: messages.begin_posting(conn, key=item.key, seen=item.posting_since))
        return leaves_by if is_ours else None

    async def send(self, item: UnsentMessage, act: _Act, leaves_by: float) -> _Outcome:
        match act:
            case _Edit(channel, ts):
                await self._to.fallbacks.update(item, channel, ts)
                return Delivered(channel, ts)
            case _Post(channel):
                return Delivered(*await self._to.fallbacks.post(item, channel, leaves_by=leaves_by))

    async def after_failure(self, item: UnsentMessage, error: SourceError) -> _Outcome:
        again = try_again(item, error)
        if not isinstance(error, SlackRefusedError):
            return again
        if item.ts is not None and (error.code in GONE or await self._to.fallbacks.has_moved(item, error)):
            return _MessageGone(item.ts)
        if item.thread_ts is not None and error.code == THREAD_GONE:
            return _ThreadGone(item.thread_ts, replace(again, pause=timedelta()))
        if error.retry_after_s is not None:
            self._close_gate(item, error.retry_after_s)
        elif is_undeliverable(item, error):
            return _Undeliverable(error)
        return again

    async def mark(self, item: UnsentMessage, outcome: _Outcome) -> None:
        match outcome:
            case Delivered(channel, ts):
                await self._write_delivered(item, channel, ts)
                self._count("sent")
            case TryAgain():
                logger.warning(
                    "%s not sent: %s; retrying in %g s", item.key, outcome.why, outcome.pause.total_seconds()
                )
                await self._postpone(item, outcome)
            case _MessageGone(ts):  # only this copy, not one posted since
                await self._write(lambda conn: messages.forget_message(conn, key=item.key, ts=ts))
            case _ThreadGone(thread_ts, again):  # the root is posted again first
                await self._write(lambda conn: messages.forget_thread(conn, key=item.key, ts=thread_ts))
                await self._postpone(item, again)
            case _Undeliverable(refused):
                await self._give_up(item, refused)

    async def _find(self, message: UnsentMessage) -> _Edit | None:
        """Search for a message whose answer was lost, by this process or a former leader. If it can't search, it is
        posted again."""
        assert message.posting_since is not None  # noqa: S101 - set for FIND
        channel = await self._to.slack.channel_id(message.channel)
        since = message.posting_since - _CLOCK_SLACK
        try:
            ts = await self._to.slack.find(channel, message.key, since=since, thread_ts=message.thread_ts)
        except SlackRefusedError as refused:
            if refused.code not in _CANNOT_READ:
                raise
            logger.warning("%s may be posted twice: %s", message.key, refused.why)
            ts = None
        return None if ts is None else _Edit(channel, ts)

    async def _end_withdrawn(self, message: UnsentMessage, *, may_arrive: bool) -> None:
        """End a withdrawn message, which Slack does not show. If it may still arrive, search again, so that it does not
        page people for long."""
        older_than = FIND_FOR if may_arrive else timedelta()
        is_over = await self._write(lambda conn: messages.forget_recalled(conn, key=message.key, older_than=older_than))
        if may_arrive and not is_over:
            await self._postpone(
                message, TryAgain("it was on its way when it was withdrawn", FIND_POSTED, maybe_sent=True)
            )

    def _close_gate(self, message: UnsentMessage, pause_s: float) -> None:
        """Slack rate-limited us: pause this kind of call until Retry-After. Not counted as a failure."""
        until = _now() + pause_s
        self._to.gates.close(self._to.queue, next_action(message), until=until)
        if self._to.pages:
            self._to.slack.pace.leave_to_pages(until + AFTER_PAGES_S)

    async def _write_delivered(self, message: UnsentMessage, channel: str, ts: str) -> None:
        async def store(conn: Connection) -> None:
            await messages.mark_sent(
                conn, key=message.key, version=message.version, channel_id=channel, ts=ts, pause=UPDATE_PAUSE
            )
            if message.ts is None:
                await messages.renew_links(conn, key=message.key)

        await self._write(store)

    async def _give_up(self, message: UnsentMessage, refused: SlackRefusedError) -> None:
        """Remove the message from the queue; a page is first sent to people in another way."""
        logger.error("%s will not be retried: %s", message.key, refused.why)
        self._count("refused")
        elsewhere = await self._to.undeliverable.notify(message, refused) if message.is_new_page else None

        async def store(conn: Connection) -> None:
            error = refused.why if elsewhere is None else f"{refused.why}; {elsewhere.words}"
            await messages.mark_undeliverable(conn, key=message.key, version=message.version, error=error)
            if elsewhere is not None:
                await elsewhere.store(conn)

        await self._write(store)

    async def _postpone(self, message: UnsentMessage, again: TryAgain) -> None:
        self._count("failed")
        await self._write(
            lambda conn: messages.mark_refused(
                conn, key=message.key, error=again.why, pause=again.pause, maybe_posted=again.maybe_sent
            )
        )

    def _count(self, outcome: str) -> None:
        self._to.metrics.messages.labels(outcome).inc()

    async def _write(self, call: Callable[[Connection], Awaitable[ResultT]]) -> ResultT:
        async with self._to.database.transaction() as conn:
            await self._fence.lock(conn)
            return await call(conn)


def _now() -> float:
    return asyncio.get_running_loop().time()


FLUSH_S = 5.0  # the shutdown waits for it


class Sender:
    """Sends both outbox queues. `slack` must not retry after 429: the gates handle that.

    `tasks`: one sends the pages, one the rest. `undeliverable` notifies people in other ways of pages that Slack
    refuses. `workspace_url`: "https://acme.slack.com/", for links; None while unknown.
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
        gates, undeliverable = RateLimitGates(), undeliverable or Undeliverable(slack)
        pages, rest = (
            SlackTransport(
                queue,
                database,
                slack,
                gates=gates,
                metrics=metrics,
                undeliverable=undeliverable,
                workspace_url=workspace_url,
            )
            for queue in (OutboxQueue.PAGES, OutboxQueue.REST)
        )
        pages_sent = WakeUp()  # the rest may reply to them, or edit them
        self.tasks = (
            Delivery(pages, wake_ups, wake_ups.outbox, sent=pages_sent),
            Delivery(rest, wake_ups, wake_ups.outbox, pages_sent),
        )

    async def flush(self, fence: Fence) -> None:
        """Send what is due, for at most 5 s: the last action before a shutdown."""
        with contextlib.suppress(TimeoutError, SourceError, LostLeadershipError):
            async with asyncio.timeout(FLUSH_S):
                while await self.send_due(fence) == 0.0:
                    continue

    async def send_due(self, fence: Fence) -> float | None:
        """Send everything that is due; return the seconds until more may be due, None if nothing waits.

        Raises SourceError if the database is away.
        """
        waits = [await task.send_due(fence) for task in self.tasks]
        return min([wait for wait in waits if wait is not None], default=None)
