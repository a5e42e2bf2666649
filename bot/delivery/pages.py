"""Delivers pages outside Slack and reports the result in the thread; leader only.

What is being sent stays locked in one transaction until its outcome is written: nobody else sends it, whoever cancels
it waits, and a process that dies leaves it as it was. A second try carries the same key, by which
the receiver knows it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from bot.config.environment import Settings
from bot.config.fields import DEFAULT_TARGET, Invalid, MailSettings, PagerSettings
from bot.delivery.decide import GiveUp, TryAgain, after_failure, page_of
from bot.leader import Fence
from bot.periodic_tasks import PeriodicTask
from bot.types import Block
from bot.views.delivery import not_reached, notified_elsewhere
from bot.wake_ups import WakeUps
from bot.web.metrics import Metrics
from services.clients.pagers.email import MailServer
from services.clients.pagers.webhook import Webhooks
from services.clients.postgres import messages
from services.clients.postgres.pool import Connection, Database
from services.domain.errors import SourceError
from services.domain.incidents import is_root
from services.domain.messages import PAGE, Means, Notification, NotificationState, Page, PageEvent
from services.process import describe_error

logger = logging.getLogger(__name__)

GroupT = TypeVar("GroupT", PagerSettings, MailSettings)
WhereT = TypeVar("WhereT")


class Reach:
    """One for the process; `aclose` ends its connections."""

    def __init__(self, settings: Settings, webhooks: Webhooks) -> None:
        self._settings = settings
        self._webhooks = webhooks

    def targets(self, means: Means) -> tuple[str, ...]:
        """The names that this bot's environment knows; none while its variables are malformed."""
        group = self._settings.pager if means is Means.WEBHOOK else self._settings.mail
        return () if isinstance(group, Invalid) else tuple(group.targets)

    def everybody(self) -> list[tuple[Means, str]]:
        """For when nobody can say who is on call: the target "default" of each means, or all where there is none."""
        found = [(means, name) for means in Means for name in self.targets(means)]
        return [each for each in found if each[1] == DEFAULT_TARGET] or found

    async def tell(self, means: Means, target: str, page: Page) -> None:
        """Hand it over once. Raises SourceError; `retryable` when another try may help.

        A mistake of ours is one too: raised as it is, it would end the leader's work, and again at each of its starts.
        """
        try:
            await self._tell(means, target, page)
        except SourceError:
            raise
        except Exception as error:
            logger.error("%s by %s: %s", page.key, means, describe_error(error))  # noqa: TRY400 - may hold an address
            raise SourceError("bot", f"the bot itself failed ({type(error).__name__})") from None

    async def _tell(self, means: Means, target: str, page: Page) -> None:
        match means:
            case Means.WEBHOOK:
                pagers = _usable(self._settings.pager).targets
                await self._webhooks.page(_named(pagers, target), page)
            case Means.EMAIL:
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


# Longer than a call takes, and shorter than a failover: what a frozen process holds is free when its successor comes.
HOLD_S = {Means.WEBHOOK: 8.0, Means.EMAIL: 12.5}
START_S = 2.0  # a process that was frozen meanwhile must not begin: the server may have freed what it held
_AT_ONCE = 20

Outcome = TryAgain | GiveUp | None  # None: it was taken


async def retell_nothing(key: str) -> None:
    """What `retell` does when nothing else is given."""


class NotificationSender(PeriodicTask):
    """Of one means.

    `start_s`: so long after it was locked a call may begin. `retell` says an
    incident's root message again, by its key: it says who was told. Every other matter has a message for that.
    """

    late_after_s = 90.0  # three polls without anything to send

    def __init__(
        self,
        means: Means,
        database: Database,
        reach: Reach,
        *,
        environment: str | None,
        workspace_url: Callable[[], str | None],
        channel: str,
        wake_ups: WakeUps,
        metrics: Metrics,
        start_s: float = START_S,
        retell: Callable[[str], Awaitable[None]] = retell_nothing,
    ) -> None:
        super().__init__(wake_ups.notifications)
        self.name = f"notifications by {means}"
        self._retell = retell
        self._means = means
        self._start_s = start_s
        self._database = database
        self._reach = reach
        self._environment = environment
        self._workspace_url = workspace_url
        self._channel = channel
        self._wake_ups = wake_ups
        self._metrics = metrics

    async def tick(self, fence: Fence) -> float:  # noqa: ARG002 - the locks of the rows are fence enough
        """Send everything that is due; seconds until the next may be. Raises SourceError when the database is away."""
        return await self.send_due()

    async def send_due(self) -> float:
        """The same."""
        locked_at = asyncio.get_running_loop().time()
        async with self._database.transaction(timeout_s=HOLD_S[self._means]) as conn:
            due = await messages.lock_due_notifications(conn, means=self._means, limit=_AT_ONCE)
            outcomes = await asyncio.gather(*(self._try(each, locked_at) for each in due))
            for notification, outcome in zip(due, outcomes, strict=True):
                await self._write(conn, notification, outcome)
            await self._tell(conn, due, outcomes)
            wait_s = await messages.read_notifications_wait(conn, means=self._means)
        for key in sorted({key for each in due if is_root(key := each.thread_key or "")}):
            await self._retell(key)  # no part of the above: whoever answers an incident may wait for what is held here
        if due:
            self._wake_ups.outbox.set()
        poll_s = self._wake_ups.poll_s
        return poll_s if wait_s is None else min(wait_s, poll_s)

    async def _try(self, notification: Notification, locked_at: float) -> Outcome:
        if asyncio.get_running_loop().time() > locked_at + self._start_s:
            raise SourceError("database", "too late to begin", retryable=True)
        try:
            page = page_of(notification, self._environment, workspace_url=self._workspace_url())
            await self._reach.tell(self._means, notification.target, page)
        except SourceError as error:
            return after_failure(notification, error)
        return None

    async def _write(self, conn: Connection, notification: Notification, outcome: Outcome) -> None:
        key = notification.key
        match outcome:
            case None:
                logger.info("%s told %s by %s: %s", key, notification.target, self._means, notification.event)
                await messages.end_notification(conn, key=key, state=NotificationState.SENT)
            case TryAgain(why, pause):
                logger.warning("%s did not reach %s by %s: %s", key, notification.target, self._means, why)
                await messages.postpone_notification(conn, key=key, error=why, pause=pause)
            case GiveUp(why):
                logger.error("%s never reached %s by %s: %s", key, notification.target, self._means, why)
                await messages.end_notification(conn, key=key, state=NotificationState.FAILED, error=why)
        self._metrics.notifications.labels(self._means, _word(outcome)).inc()

    async def _tell(self, conn: Connection, due: Sequence[Notification], outcomes: Sequence[Outcome]) -> None:
        """In each thread one message that stays true, and one more for each who will not be rung.

        The message of the incident or the run says who was told; the thread has this one only once something did not
        get through.
        """
        for thread_key in sorted({key for each in due if (key := each.thread_key)}):
            told = await messages.list_notifications(conn, thread_key=thread_key)
            key, content = f"{thread_key}:told", notified_elsewhere(told)
            if not any(one.last_error for one in told):
                text, blocks = content
                await messages.replace_message(conn, key=key, text=text, blocks=blocks)
            else:
                await self._say(conn, key, thread_key, content, priority=0)
        for notification, outcome in zip(due, outcomes, strict=True):
            is_page = notification.event is PageEvent.TRIGGERED
            if is_page and isinstance(outcome, GiveUp) and notification.thread_key is not None:
                key = f"{notification.key}:failed"
                content = not_reached(notification, outcome.why)
                await self._say(conn, key, notification.thread_key, content, priority=PAGE)

    async def _say(
        self, conn: Connection, key: str, thread_key: str, content: tuple[str, list[Block]], *, priority: int
    ) -> None:
        text, blocks = content
        await messages.store_message(
            conn, key=key, channel=self._channel, text=text, blocks=blocks, thread_key=thread_key, priority=priority
        )


def _word(outcome: Outcome) -> str:
    match outcome:
        case None:
            return "sent"
        case TryAgain():
            return "postponed"
        case GiveUp():
            return "failed"


class Notifiers:
    """A part of the leader's work. `retell`: see `NotificationSender`."""

    def __init__(
        self,
        database: Database,
        reach: Reach,
        *,
        environment: str | None,
        workspace_url: Callable[[], str | None],
        channel: str,
        wake_ups: WakeUps,
        metrics: Metrics,
        retell: Callable[[str], Awaitable[None]],
    ) -> None:
        self.tasks = [
            NotificationSender(
                means,
                database,
                reach,
                environment=environment,
                workspace_url=workspace_url,
                channel=channel,
                wake_ups=wake_ups,
                metrics=metrics,
                retell=retell,
            )
            for means in Means
        ]
