"""Announces freezes as their windows begin and end, and reminds their owners; leader only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot.freezes.store import end, message_key, post_notice
from bot.leader import Fence
from bot.periodic_tasks import PeriodicTask
from bot.views import freezes as view
from bot.wake_ups import WakeUps
from services.clients.postgres import freezes
from services.clients.postgres.messages import store_message
from services.clients.postgres.pool import Connection, Database
from services.clients.postgres.queries import read_clock
from services.domain.freezes import LAST, Freeze
from services.domain.windows import Span

EVERY_S = 30.0
REMIND_BEFORE = timedelta(minutes=15)
REMIND_AGAIN = timedelta(days=1)  # if the freeze has no end


class FreezeNotices(PeriodicTask):
    """Announces windows as they begin, reminds owners before the end, and announces the end of each."""

    name = "freezes"

    def __init__(self, database: Database, *, channel: str, wake_ups: WakeUps, every_s: float = EVERY_S) -> None:
        super().__init__()
        self._database = database
        self._channel = channel
        self._wake_ups = wake_ups
        self.interval_s = every_s

    async def tick(self, fence: Fence) -> None:
        async with self._database.read() as conn:
            known = await freezes.list_freezes(conn)
            if not known or not _due(known, await read_clock(conn)):
                return
        async with self._database.transaction() as conn:
            now = await fence.lock(conn)
            for one in _due(await freezes.list_freezes(conn), now):
                await self._follow(conn, one, now)
        self._wake_ups.outbox.set()

    async def _follow(self, conn: Connection, freeze: Freeze, now: datetime) -> None:
        if freeze.is_over(now):
            await end(conn, freeze, "over", self._channel)
            return
        noted = await self._remind(conn, await self._announce(conn, freeze, now), now)
        await freezes.note_freeze(
            conn, id=freeze.id, announced_for=noted.announced_for, reminded_for=noted.reminded_for
        )

    async def _announce(self, conn: Connection, freeze: Freeze, now: datetime) -> Freeze:
        """Announce the window that ended and the one that begins."""
        span, announced = freeze.span_at(now), freeze.announced_for
        if announced == (span.begins if span else None):
            return freeze
        if announced is not None:
            await post_notice(conn, freeze, view.window_over(freeze, now), self._channel, window=announced)
        if span is not None:
            await post_notice(conn, freeze, view.window_message(freeze, span), self._channel, window=span.begins)
        return replace(freeze, announced_for=span.begins if span else None)

    async def _remind(self, conn: Connection, freeze: Freeze, now: datetime) -> Freeze:
        span = freeze.span_at(now)
        due = _reminder_due(freeze, span, now) if span else None
        if span is None or due is None:
            return freeze
        text, blocks = view.reminder(freeze, span)
        key = f"{message_key(freeze)}:remind:{int(due.timestamp())}"
        thread = message_key(freeze)
        await store_message(conn, key=key, channel=self._channel, text=text, blocks=blocks, thread_key=thread)
        return replace(freeze, reminded_for=due)


def _due(known: Sequence[Freeze], now: datetime) -> list[Freeze]:
    """Freezes that need a message."""
    spans = [(one, one.span_at(now)) for one in known]
    return [
        one
        for one, span in spans
        if one.is_over(now)
        or one.announced_for != (span.begins if span else None)
        or (span is not None and _reminder_due(one, span, now) is not None)
    ]


def _reminder_due(freeze: Freeze, span: Span, now: datetime) -> datetime | None:
    """The end of the window that a due reminder is about, or now if it has no end; None if no reminder is due."""
    if span.ends == LAST:
        return now if now - (freeze.reminded_for or span.begins) >= REMIND_AGAIN else None
    before = min(REMIND_BEFORE, (span.ends - span.begins) / 4)
    return span.ends if now >= span.ends - before and freeze.reminded_for != span.ends else None
