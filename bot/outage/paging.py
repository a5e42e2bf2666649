"""Pages the on-call levels one after the other while the database is away, until somebody acknowledges it in Slack.

The chain is frozen at the first page and kept in memory. What other replicas did stands in the thread of the outage's
message, under keys in the metadata: each page, and the acknowledgement. So any replica may take a click, and one may go
on where another died.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta

from bot.outage.decide import CANNOT_LOOK, PagedLevel, first_pages, pages_due
from bot.outage.phones import Phones
from bot.views import outage as view
from services.domain.errors import SourceError
from services.slack.client import SlackClient
from services.slack.errors import SlackRefusedError

logger = logging.getLogger(__name__)

ACKNOWLEDGED, PAGED = "outage:database:acknowledged", "outage:database:page"


class OutagePaging:
    """`levels` gives the chain when it comes to it.

    grace: how long another replica leaves the next page to the last leader. look_every: between two looks whether
    somebody acknowledged it at another replica.
    """

    def __init__(
        self,
        slack: SlackClient,
        phones: Phones,
        *,
        levels: Callable[[], Awaitable[Sequence[PagedLevel]]],
        grace: timedelta,
        look_every: timedelta,
    ) -> None:
        self._slack = slack
        self._phones = phones
        self._read_levels = levels
        self._grace = grace
        self._look_every = look_every
        self._looked_at: datetime | None = None
        self._levels: Sequence[PagedLevel] = ()
        self._paged = 0
        self._line = ""
        self.acknowledged = False

    async def freeze(self, line: str) -> Sequence[str]:
        """Who is on call from now on, and what pages say; the Slack ids of whom the first pages are for."""
        if not self._levels:
            self._levels = await self._read_levels()
        self._line = line
        return [one for level in self._first for one in level.mentions]

    async def ring_first(self, *, since: datetime) -> None:
        """The phones of the first levels; whom a repetition may still reach is tried again by the next call."""
        for number, level in enumerate(self._first):
            await self._phones.ring(self._line, level.phones, since=since, number=number)

    async def go_on(self, channel_id: str, ts: str, *, since: datetime, is_last_leader: bool) -> None:
        """Page whoever is due by now, below the message of this `ts`. Raises SourceError; the next call goes on."""
        if self.acknowledged:
            return
        self._paged = max(self._paged, first_pages(self._levels))
        now = datetime.now(UTC)
        told_at = datetime.fromtimestamp(float(ts), UTC)
        due = pages_due(self._levels, now - told_at - (timedelta() if is_last_leader else self._grace))
        if due <= self._paged and not self._is_time_to_look(now):
            return
        self._looked_at = now
        if await self._find(channel_id, ts, ACKNOWLEDGED):
            await self._stop()
            return
        while self._paged < due:
            await self._page(channel_id, ts, self._paged, since=since)
            self._paged += 1

    async def acknowledge(self, channel_id: str, ts: str, user_id: str) -> None:
        """Nobody else is paged, by this replica or another. Raises SourceError."""
        if not await self._find(channel_id, ts, ACKNOWLEDGED):
            text, blocks = view.acknowledged_note(user_id)
            await self._slack.post(channel_id, text, blocks, thread_ts=ts, key=ACKNOWLEDGED)
        await self._stop()

    def forget(self) -> None:
        """It is over and stored."""
        self._levels, self._paged, self._looked_at, self.acknowledged = (), 0, None, False

    @property
    def _first(self) -> Sequence[PagedLevel]:
        return self._levels[: first_pages(self._levels)]

    def _is_time_to_look(self, now: datetime) -> bool:
        """Whether somebody may have acknowledged it at another replica, while phones of this one ring."""
        return self._looked_at is None or now - self._looked_at >= self._look_every

    async def _stop(self) -> None:
        self.acknowledged = True
        await self._phones.acknowledge()

    async def _page(self, channel_id: str, ts: str, number: int, *, since: datetime) -> None:
        level, key = self._levels[number % len(self._levels)], f"{PAGED}:{number}"
        try:
            is_paged = await self._find(channel_id, ts, key)
        except SourceError:
            await self._phones.ring(self._line, level.phones, since=since, number=number)  # they do not need Slack
            raise
        if is_paged:
            return
        await self._phones.ring(self._line, level.phones, since=since, number=number)
        text, blocks = view.paged_note(level)
        await self._slack.post(channel_id, text, blocks, thread_ts=ts, key=key)

    async def _find(self, channel_id: str, ts: str, key: str) -> bool:
        """Whether the thread has it; where the bot may not read it, it counts as not there."""
        since = datetime.fromtimestamp(float(ts), UTC)
        try:
            return await self._slack.find(channel_id, key, since=since, thread_ts=ts) is not None
        except SlackRefusedError as refused:
            if refused.code not in CANNOT_LOOK:
                raise
            logger.warning("a page may be sent twice: %s", refused.why)
            return False
