"""Pages the on-call levels during a database outage until a person acknowledges in Slack.

The chain is frozen at the first page and kept in memory. Pages and the acknowledgement are notes in the thread of the
outage's message, with keys in their metadata. So any replica can accept a click, and one can continue if another dies.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from bot.config.fields import Invalid
from bot.delivery.decide import GIVE_UP_AFTER
from bot.delivery.pages import Pagers
from bot.outage.levels import CANNOT_READ, PagedLevel, Target, first_pages, pages_due
from bot.views import outage as view
from bot.world import World
from services.clients.slack import SlackClient
from services.domain.channels import Channel
from services.domain.errors import SourceError
from services.domain.escalation_chain import Chain, ChainLevel
from services.domain.notifications import Page, PageEvent
from services.domain.oncall import PAGE_AGAIN_AFTER, Schedule, make_chain, nobody_is_absent
from services.domain.slack_refusals import SlackRefusedError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SentPage:
    """One notification outside Slack that was sent. `why_not`: why it was refused; None if it was accepted."""

    means: Channel
    target: str
    line: str
    at: datetime
    why_not: str | None


class OutagePagers:
    """Sends an outage's pages outside Slack; one per process."""

    def __init__(self, pagers: Pagers, *, environment: str | None) -> None:
        self._pagers = pagers
        self._environment = environment or "unknown"
        self._sent: dict[tuple[int, Target], SentPage] = {}
        self._triggered: dict[tuple[int, Target], Page] = {}
        self._over_at: datetime | None = None

    @property
    def sent(self) -> Sequence[SentPage]:
        """The first notification of each target."""
        return tuple({target: one for (_, target), one in reversed(self._sent.items())}.values())[::-1]

    def forget(self) -> None:
        """Forget the outage, which is over and stored."""
        self._sent.clear()

    async def page_targets(self, line: str, targets: Sequence[Target], *, since: datetime, number: int = 0) -> None:
        """Notify the targets that the page of this number (from 0) has not reached yet.

        The next call retries those that failed and may still be reached.
        """
        self._over_at = None
        left = [target for target in targets if (number, target) not in self._sent]
        await asyncio.gather(*(self._send(target, line, since, number) for target in left))

    async def acknowledge(self) -> None:
        """Notify triggered pagers once that the outage is acknowledged; `cancel_pages` notifies them of its end."""
        await asyncio.gather(*(self._acknowledge(key, page) for key, page in self._triggered.items()))

    async def cancel_pages(self) -> None:
        """Notify triggered pagers that the outage is over; the next call retries those that failed.

        E-mails need no such notice, and the message in Slack reports the end.
        """
        now = datetime.now(UTC)
        self._over_at = self._over_at or now
        if now - self._over_at > GIVE_UP_AFTER:
            self._triggered.clear()
        await asyncio.gather(*(self._cancel_pages(key, page) for key, page in tuple(self._triggered.items())))

    async def _acknowledge(self, key: tuple[int, Target], page: Page) -> None:
        subject = f"ACKNOWLEDGED {page.subject.removeprefix('PAGE ')}"
        text, now = "Acknowledged in Slack.", datetime.now(UTC)
        acknowledgement = replace(page, subject=subject, text=text, at=now, event=PageEvent.ACKNOWLEDGED)
        try:
            await self._pagers.notify(*key[1], acknowledgement)
        except SourceError as error:
            logger.warning("%s was not notified of the acknowledgement: %s", key[1][1], error.why)

    async def _cancel_pages(self, key: tuple[int, Target], page: Page) -> None:
        subject = f"RESOLVED {page.subject.removeprefix('PAGE ')}"
        text, now = "The bot reaches the database again.", datetime.now(UTC)
        try:
            await self._pagers.notify(
                *key[1], replace(page, subject=subject, text=text, at=now, event=PageEvent.RESOLVED)
            )
        except SourceError as error:
            logger.warning("%s was not notified of the end: %s", key[1][1], error.why)
            if error.retryable:
                return
        self._triggered.pop(key, None)

    async def _send(self, target: Target, line: str, since: datetime, number: int) -> None:
        means, name = target
        # The same key in all replicas, so that a receiver pages once; outages of different hours have different keys.
        key = f"dragonfly:{self._environment}:outage:{since:%Y-%m-%dT%H}{f':{number}' if number else ''}"
        page = Page(key, self._environment, f"PAGE {line}", view.away_details(since), since)
        why_not = None
        try:
            await self._pagers.notify(means, name, page)
        except SourceError as error:
            logger.warning("%s was not reached by %s: %s", name, means, error.why)
            if error.retryable:
                return
            why_not = error.why
        else:
            self._triggered |= {(number, target): page} if means is Channel.WEBHOOK else {}
        self._sent[number, target] = SentPage(means, name, page.subject, datetime.now(UTC), why_not)


ACKNOWLEDGED, PAGED = "outage:database:acknowledged", "outage:database:page"


class OutagePaging:
    """Pages the levels one after the other. `levels` returns the chain; it is called before the first page.

    grace: how long another replica leaves the next page to the last leader. check_every: between two checks of whether
    it was acknowledged at another replica.
    """

    def __init__(
        self,
        slack: SlackClient,
        outage_pagers: OutagePagers,
        *,
        levels: Callable[[], Awaitable[Sequence[PagedLevel]]],
        grace: timedelta,
        check_every: timedelta,
    ) -> None:
        self._slack = slack
        self._outage_pagers = outage_pagers
        self._read_levels = levels
        self._grace = grace
        self._check_every = check_every
        self._checked_at: datetime | None = None
        self._levels: Sequence[PagedLevel] = ()
        self._paged = 0
        self._line = ""
        self.acknowledged = False

    async def freeze(self, line: str) -> Sequence[str]:
        """Freeze the chain and the pages' text; return the Slack ids that the first pages mention."""
        if not self._levels:
            self._levels = await self._read_levels()
        self._line = line
        return [one for level in self._first for one in level.mentions]

    async def page_first_level(self, *, since: datetime) -> None:
        """Page the first levels outside Slack; the next call retries those that may still be reached."""
        for number in range(len(self._first)):
            await self._page_outside_slack(number, since=since)

    async def page_without_slack(self, *, since: datetime, first_at: datetime, is_last_leader: bool) -> None:
        """Page the due levels outside Slack while Slack does not accept the message. `first_at`: of the first pages.

        Without Slack no acknowledgement arrives, so this pages all levels until Slack or the database is back.
        """
        due = self._due(first_at, is_last_leader=is_last_leader)
        while self._paged < due:
            await self._page_outside_slack(self._paged, since=since)
            self._paged += 1

    def _due(self, first_at: datetime, *, is_last_leader: bool) -> int:
        self._paged = max(self._paged, first_pages(self._levels))
        elapsed = datetime.now(UTC) - first_at
        return pages_due(self._levels, elapsed if is_last_leader else elapsed - self._grace)

    async def page_due_levels(self, channel_id: str, ts: str, *, since: datetime, is_last_leader: bool) -> None:
        """Page the levels that are due, below the message with this `ts`. Raises SourceError; the next call
        continues."""
        if self.acknowledged:
            return
        now = datetime.now(UTC)
        due = self._due(datetime.fromtimestamp(float(ts), UTC), is_last_leader=is_last_leader)
        if due <= self._paged and not self._is_time_to_check(now):
            return
        self._checked_at = now
        if await self._find(channel_id, ts, ACKNOWLEDGED):
            await self._stop()
            return
        while self._paged < due:
            await self._page(channel_id, ts, self._paged, since=since)
            self._paged += 1

    async def acknowledge(self, channel_id: str, ts: str, user_id: str) -> None:
        """Stop paging, in this replica and the others. Raises SourceError."""
        if not await self._find(channel_id, ts, ACKNOWLEDGED):
            text, blocks = view.acknowledged_note(user_id)
            await self._slack.post(channel_id, text, blocks, thread_ts=ts, key=ACKNOWLEDGED)
        await self._stop()

    def forget(self) -> None:
        """Forget the outage, which is over and stored."""
        self._levels, self._paged, self._checked_at, self.acknowledged = (), 0, None, False

    @property
    def _first(self) -> Sequence[PagedLevel]:
        return self._levels[: first_pages(self._levels)]

    def _is_time_to_check(self, now: datetime) -> bool:
        """True if it is time to check whether it was acknowledged at another replica."""
        return self._checked_at is None or now - self._checked_at >= self._check_every

    async def _stop(self) -> None:
        self.acknowledged = True
        await self._outage_pagers.acknowledge()

    async def _page(self, channel_id: str, ts: str, number: int, *, since: datetime) -> None:
        key = f"{PAGED}:{number}"
        try:
            is_paged = await self._find(channel_id, ts, key)
        except SourceError:
            await self._page_outside_slack(number, since=since)
            raise
        if is_paged:
            return
        await self._page_outside_slack(number, since=since)
        level = self._level(number)
        text, blocks = view.paged_note(level.number, level.name, mentions=level.mentions, skipped=level.skipped)
        await self._slack.post(channel_id, text, blocks, thread_ts=ts, key=key)

    def _level(self, number: int) -> PagedLevel:
        """The level of the page with this number, from 0: after the last level, the first one follows."""
        return self._levels[number % len(self._levels)]

    async def _page_outside_slack(self, number: int, *, since: datetime) -> None:
        await self._outage_pagers.page_targets(
            self._line, self._level(number).outage_pagers, since=since, number=number
        )

    async def _find(self, channel_id: str, ts: str, key: str) -> bool:
        """True if the thread has a message with this key; False also if the bot may not read the thread."""
        since = datetime.fromtimestamp(float(ts), UTC)
        try:
            return await self._slack.find(channel_id, key, since=since, thread_ts=ts) is not None
        except SlackRefusedError as refused:
            if refused.code not in CANNOT_READ:
                raise
            logger.warning("a page may be sent twice: %s", refused.why)
            return False


async def on_call_levels(world: World, pagers: Pagers) -> Sequence[PagedLevel]:
    """Return the current levels of the on-call file; if it names no one, the approvers and the bot's own targets.

    Overrides are the last known ones, because they are kept in the database. If no level has a pager, the first one
    gets the bot's own targets.
    """
    levels = [_level(number, one) for number, one in enumerate((await _chain(world)).levels, start=1)]
    if not levels:
        people = world.settings.people
        approvers = () if isinstance(people, Invalid) else people.approvers
        return [PagedLevel(1, "everybody", tuple(pagers.everybody()), approvers, PAGE_AGAIN_AFTER)]
    if not any(level.outage_pagers for level in levels):
        levels[0] = replace(levels[0], outage_pagers=tuple(pagers.everybody()))
    return levels


async def _chain(world: World) -> Chain:
    if not isinstance(world.schedule, Schedule):
        return Chain()
    known = await world.overrides()
    rows = known.rows if isinstance(known.rows, Sequence) else ()
    return make_chain(world.schedule, datetime.now(UTC), rows, world.name_of, world.absent or nobody_is_absent)


def _level(number: int, level: ChainLevel) -> PagedLevel:
    outage_pagers = [(one.channel, one.address) for one in level.targets if one.channel.leaves_slack]
    mentions = [one.address for one in level.targets if one.channel in (Channel.MENTION, Channel.DIRECT)]
    return PagedLevel(
        number, level.name, tuple(outage_pagers), tuple(dict.fromkeys(mentions)), level.wait, level.skipped
    )
