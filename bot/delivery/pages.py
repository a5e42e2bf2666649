"""Sends pages outside Slack, and reports the results in the thread; leader only.

Rows being sent stay locked in one transaction until their outcome is stored: no other replica sends them, cancelling
waits, and a process that dies leaves them unchanged.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from bot.config.environment import Settings
from bot.config.fields import Invalid
from bot.config.paging import DEFAULT_TARGET, MailSettings, PagerSettings
from bot.delivery.decide import LEAVES_WITHIN_S, Delivered, GiveUp, TryAgain, after_failure, page_of
from bot.delivery.engine import Batch, Delivery, Transport
from bot.leader import Fence
from bot.periodic_tasks import PeriodicTask
from bot.types import Block
from bot.views.delivery import PhonesOf, no_phones, not_reached, notified_elsewhere
from bot.wake_ups import WakeUps
from bot.web.metrics import Metrics
from services.clients.pagers.email import MailServer
from services.clients.pagers.webhook import Webhooks
from services.clients.postgres import messages, notifications
from services.clients.postgres.pool import Connection, Database
from services.domain.channels import OUTSIDE_SLACK, Channel
from services.domain.errors import SourceError
from services.domain.incidents import is_root
from services.domain.messages import PAGE
from services.domain.notifications import Notification, NotificationState, Page, PageEvent
from services.process import describe_error

logger = logging.getLogger(__name__)

GroupT = TypeVar("GroupT", PagerSettings, MailSettings)
WhereT = TypeVar("WhereT")


class Pagers:
    """The pagers and mail targets of the settings; one per process."""

    def __init__(self, settings: Settings, webhooks: Webhooks) -> None:
        self._settings = settings
        self._webhooks = webhooks

    def targets(self, means: Channel) -> tuple[str, ...]:
        """Names of the targets in this bot's environment; none while its variables are malformed."""
        group = self._settings.pager if means is Channel.WEBHOOK else self._settings.mail
        return () if isinstance(group, Invalid) else tuple(group.targets)

    def everybody(self) -> list[tuple[Channel, str]]:
        """Targets for when the people on call are unknown: "default" of each channel, or all if there is none."""
        found = [(means, name) for means in OUTSIDE_SLACK for name in self.targets(means)]
        return [each for each in found if each[1] == DEFAULT_TARGET] or found

    async def notify(self, means: Channel, target: str, page: Page) -> None:
        """Send it once. Raises SourceError; `retryable` if another attempt may help.

        A bug of ours raises SourceError too: unhandled, it would end the leader's work each time that it starts.
        """
        try:
            await self._notify(means, target, page)
        except SourceError:
            raise
        except Exception as error:
            logger.error("%s by %s: %s", page.key, means, describe_error(error))  # noqa: TRY400 - may hold an address
            raise SourceError("bot", f"the bot itself failed ({type(error).__name__})") from None

    async def _notify(self, means: Channel, target: str, page: Page) -> None:
        match means:
            case Channel.WEBHOOK:
                pagers = _usable(self._settings.pager).targets
                await self._webhooks.page(_named(pagers, target), page)
            case Channel.EMAIL:
                mail = _usable(self._settings.mail)
                await _mail_server(mail).send(_named(mail.targets, target), page)


def _usable(group: GroupT | Invalid) -> GroupT:
    if isinstance(group, Invalid):
        raise SourceError("settings", group.why)
    return group


def _named(known: Mapping[str, WhereT], target: str) -> WhereT:
    if target not in known:
        raise SourceError("settings", f"the bot's environment names no target `{target}` for it")
    return known[target]


def _mail_server(mail: MailSettings) -> MailServer:
    if mail.server_url is None or mail.sender is None:
        raise SourceError("settings", "SMTP_URL is not set")
    return MailServer(mail.server_url, mail.sender, ca_file=mail.ca_file)


# Longer than a call and shorter than a failover: the locks of a frozen process are free when its successor starts.
HOLD_S = {Channel.WEBHOOK: 8.0, Channel.EMAIL: 12.5}
_AT_ONCE = 20

Outcome = Delivered | TryAgain | GiveUp


async def rewrite_nothing(key: str) -> None:
    """Write nothing: the default of `rewrite_root`."""


class PagerTransport(Transport[Notification, Page, Outcome]):
    """Sends pages by one channel. Due rows stay locked until their outcome is stored.

    `leaves_within_s`: how long after locking a call may begin. `rewrite_root` writes an incident's root message again,
    by its key, because it names who was notified; other messages need no rewrite. `phones_of`: phone numbers to show
    for a target that was not reached.
    """

    at_once = _AT_ONCE
    pages = True

    def __init__(
        self,
        means: Channel,
        database: Database,
        pagers: Pagers,
        *,
        environment: str | None,
        workspace_url: Callable[[], str | None],
        channel: str,
        metrics: Metrics,
        public_url: str | None = None,
        leaves_within_s: float = LEAVES_WITHIN_S,
        rewrite_root: Callable[[str], Awaitable[None]] = rewrite_nothing,
        phones_of: PhonesOf = no_phones,
    ) -> None:
        self.name = f"notifications by {means}"
        self.means = means
        self.pagers = pagers
        self.environment = environment
        self.workspace_url = workspace_url
        self.public_url = public_url
        self.channel = channel
        self.metrics = metrics
        self._database = database
        self._leaves_within_s = leaves_within_s
        self._rewrite_root = rewrite_root
        self.phones_of = phones_of

    @asynccontextmanager
    async def open(self, fence: Fence) -> AsyncIterator[_Pages]:  # noqa: ARG002 - the row locks are the fence
        leaves_by = time.monotonic() + self._leaves_within_s
        async with self._database.transaction(timeout_s=HOLD_S[self.means]) as conn:
            wait_s = await notifications.read_notifications_wait(conn, means=self.means)
            due = []
            if wait_s == 0.0:
                due = await notifications.lock_due_notifications(conn, means=self.means, limit=_AT_ONCE)
            batch = _Pages(self, conn, due, wait_s, leaves_by)
            yield batch
            await batch.write_threads()
        for key in sorted({key for each in due if is_root(key := each.thread_key or "")}):
            await self._rewrite_root(key)  # after the transaction: an acknowledgement may wait for its row locks


class _Pages(Batch[Notification, Page, Outcome]):
    """The due pages of one tick, claimed together by the row locks of `conn`. A repeated page carries the same key, by
    which the receiver recognizes it, so one with an unknown outcome is simply sent again."""

    def __init__(
        self,
        transport: PagerTransport,
        conn: Connection,
        due: Sequence[Notification],
        wait_s: float | None,
        leaves_by: float,
    ) -> None:
        self._to = transport
        self._conn = conn
        self.due = due
        self.wait_s = wait_s
        self._leaves_by = leaves_by
        self._given_up: list[tuple[Notification, GiveUp]] = []

    async def prepare(self, item: Notification) -> Page:
        to = self._to
        return page_of(item, to.environment, workspace_url=to.workspace_url(), public_url=to.public_url)

    async def claim(self, item: Notification, act: Page) -> float:  # noqa: ARG002 - all are claimed
        return self._leaves_by

    async def send(self, item: Notification, act: Page, leaves_by: float) -> Outcome:  # noqa: ARG002 - see the engine
        await self._to.pagers.notify(self._to.means, item.target, act)
        return Delivered()

    async def after_failure(self, item: Notification, error: SourceError) -> Outcome:
        return after_failure(item, error)

    async def mark(self, item: Notification, outcome: Outcome) -> None:
        key, means = item.key, self._to.means
        match outcome:
            case Delivered():
                logger.info("%s reached %s by %s: %s", key, item.target, means, item.event)
                await notifications.end_notification(self._conn, key=key, state=NotificationState.SENT)
                self._count("sent")
            case TryAgain(why, pause):
                logger.warning("%s did not reach %s by %s: %s", key, item.target, means, why)
                await notifications.postpone_notification(self._conn, key=key, error=why, pause=pause)
                self._count("postponed")
            case GiveUp(why):
                logger.error("%s never reached %s by %s: %s", key, item.target, means, why)
                await notifications.end_notification(self._conn, key=key, state=NotificationState.FAILED, error=why)
                self._count("failed")
                self._given_up.append((item, outcome))

    async def write_threads(self) -> None:
        """Write one message per thread, kept up to date, and one more per person who will not be paged.

        The message of the incident or the run names who was notified; the thread gets this one only once a page failed.
        """
        for thread_key in sorted({key for each in self.due if (key := each.thread_key)}):
            notified = await notifications.list_notifications(self._conn, thread_key=thread_key)
            key, content = f"{thread_key}:told", notified_elsewhere(notified, self._to.phones_of)
            if any(one.last_error for one in notified):
                await self._write(key, thread_key, content, priority=0)
            else:
                text, blocks = content
                await messages.replace_message(self._conn, key=key, text=text, blocks=blocks)
        for notification, outcome in self._given_up:
            if notification.event is PageEvent.TRIGGERED and notification.thread_key is not None:
                phones = self._to.phones_of(notification.means, notification.target)
                content = not_reached(notification, outcome.why, phones)
                await self._write(f"{notification.key}:failed", notification.thread_key, content, priority=PAGE)

    async def _write(self, key: str, thread_key: str, content: tuple[str, list[Block]], *, priority: int) -> None:
        text, blocks = content
        channel = self._to.channel
        await messages.store_message(
            self._conn, key=key, channel=channel, text=text, blocks=blocks, thread_key=thread_key, priority=priority
        )

    def _count(self, outcome: str) -> None:
        self._to.metrics.notifications.labels(self._to.means, outcome).inc()


def pager_deliveries(transports: Iterable[PagerTransport], wake_ups: WakeUps) -> list[PeriodicTask]:
    """Return one task per transport. Their messages for Slack are in the outbox."""
    return [Delivery(one, wake_ups, wake_ups.notifications, sent=wake_ups.outbox) for one in transports]
