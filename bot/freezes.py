"""Stores freezes and lifts them, and tells the channel as they begin and end; the notices are the leader's work."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from bot.leader import Fence
from bot.periodic_tasks import PeriodicTask
from bot.views import freezes as view
from bot.views.plan import Content
from bot.wake_ups import WakeUps
from services.clients.postgres import freezes
from services.clients.postgres.messages import store_message
from services.clients.postgres.pool import Connection, Database
from services.clients.postgres.queries import read_clock
from services.domain.freezes import LAST, Freeze
from services.domain.services import Service
from services.domain.windows import Span, Written, encode_recurrence

EVERY_S = 30.0
REMIND_BEFORE = timedelta(minutes=15)
REMIND_AGAIN = timedelta(days=1)  # of one without an end


async def store_freeze(
    conn: Connection, *, kind: str, service: Service | None, owner: str, reason: str, when: Written, channel: str
) -> Freeze:
    """The new freeze, with its message. Waits for the runs that are starting."""
    now = await read_clock(conn)
    begins = when.begins if when.begins is not None and when.begins > now and when.recurrence is None else now
    planned = Freeze(
        id=0,
        kind=kind,
        service=service,
        owner=owner,
        reason=reason,
        created_at=now,
        starts_at=begins,
        ends_at=None if when.recurrence else when.ends,
        recurrence=encode_recurrence(when.recurrence) if when.recurrence else None,
    )
    span = planned.span_at(now)
    made = await freezes.create_freeze(
        conn,
        kind=kind,
        service=service,
        owner=owner,
        reason=reason,
        starts_at=begins,
        ends_at=planned.ends_at,
        recurrence=planned.recurrence,
        announced_for=span.begins if span else None,
    )
    await _say(conn, made, view.freeze_message(made, now), channel)
    return made


async def lift_freezes(conn: Connection, lifted: Iterable[Freeze], *, by: str, channel: str) -> list[Freeze]:
    """Those that ended by it. `by`: a Slack user id."""
    return [one for one in lifted if await _end(conn, one, f"lifted by {by}", channel)]


class FreezeNotices(PeriodicTask):
    """Announces windows as they begin, reminds owners before the end, and says of each what became of it."""

    name = "freezes"

    def __init__(self, database: Database, *, channel: str, wake_ups: WakeUps, every_s: float = EVERY_S) -> None:
        super().__init__()
        self._database = database
        self._channel = channel
        self._wake_ups = wake_ups
        self.interval_s = every_s

    async def tick(self, fence: Fence) -> None:
        async with self._database.transaction() as conn:
            await fence.lock(conn)
            now = await read_clock(conn)
            for one in await freezes.list_freezes(conn):
                await self._follow(conn, one, now)
        self._wake_ups.outbox.set()

    async def _follow(self, conn: Connection, freeze: Freeze, now: datetime) -> None:
        if freeze.is_over(now):
            await _end(conn, freeze, "over", self._channel)
            return
        noted = await self._remind(conn, await self._announce(conn, freeze, now), now)
        if noted != freeze:
            await freezes.note_freeze(
                conn, id=freeze.id, announced_for=noted.announced_for, reminded_for=noted.reminded_for
            )

    async def _announce(self, conn: Connection, freeze: Freeze, now: datetime) -> Freeze:
        """The window that begins, and the one that is over."""
        span, announced = freeze.span_at(now), freeze.announced_for
        if announced == (span.begins if span else None):
            return freeze
        if announced is not None:
            await _say(conn, freeze, view.window_over(freeze, now), self._channel, window=announced)
        if span is not None:
            await _say(conn, freeze, view.window_message(freeze, span), self._channel, window=span.begins)
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


def message_key(freeze: Freeze) -> str:
    """The outbox key of its message."""
    return f"freeze:{freeze.id}"


def _reminder_due(freeze: Freeze, span: Span, now: datetime) -> datetime | None:
    """What the reminder that is due now stands for: the end of the window, or now where it has none."""
    if span.ends == LAST:
        return now if now - (freeze.reminded_for or span.begins) >= REMIND_AGAIN else None
    before = min(REMIND_BEFORE, (span.ends - span.begins) / 4)
    return span.ends if now >= span.ends - before and freeze.reminded_for != span.ends else None


async def _end(conn: Connection, freeze: Freeze, outcome: str, channel: str) -> bool:
    if not await freezes.end_freeze(conn, id=freeze.id, outcome=outcome):
        return False
    ended = view.ended_message(freeze, outcome)
    await _say(conn, freeze, ended, channel)
    if freeze.announced_for is not None and freeze.announced_for > freeze.created_at:
        await _say(conn, freeze, ended, channel, window=freeze.announced_for)
    return True


async def _say(
    conn: Connection, freeze: Freeze, content: Content, channel: str, *, window: datetime | None = None
) -> None:
    """In its own message, or in that of one of its windows: the window that it began with has none of its own."""
    own = window is None or window <= freeze.created_at
    key = message_key(freeze) if own else f"{message_key(freeze)}:{int(window.timestamp()) if window else 0}"
    await store_message(conn, key=key, channel=channel, text=content.text, blocks=content.blocks)
