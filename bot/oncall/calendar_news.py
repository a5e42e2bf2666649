"""Announces changes of a rotation's calendar to the channel and to people whose shifts move; leader only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bot.leader import Fence
from bot.oncall.calendar_sources import CalendarWatch, calendars_of
from bot.oncall.file_watch import AHEAD
from bot.oncall.overrides import store_reminders
from bot.periodic_tasks import PeriodicTask
from bot.views import oncall_file as view
from bot.wake_ups import WakeUps
from services.clients.postgres import messages, oncall, oncall_changes
from services.clients.postgres.oncall_changes import StoredCalendar
from services.clients.postgres.pool import Connection, Database
from services.clients.postgres.queries import read_clock
from services.domain.calendar_slots import CalendarError, CalendarSlots
from services.domain.oncall import Schedule
from services.domain.rotations import CalendarRotation, Slot
from services.domain.shifts import Plan, moves


@dataclass(frozen=True)
class _Change:
    """A change of one rotation's calendar. `old`, `new`: None if the content could not be used."""

    rotation: CalendarRotation
    content: bytes
    old: CalendarSlots | None
    new: CalendarSlots | None


class CalendarNews(PeriodicTask):
    """Announces each change once, also over restarts: the valid content is stored with its announcement."""

    name = "calendars"
    interval_s = 60.0

    def __init__(self, watch: CalendarWatch, database: Database, wake_ups: WakeUps, *, channel: str) -> None:
        super().__init__(watch.changed)
        self._watch = watch
        self._database = database
        self._wake_ups = wake_ups
        self._channel = channel
        self._done: object = None

    async def tick(self, fence: Fence) -> float | None:
        schedule, sources = self._watch.file, self._watch.sources
        rotations = calendars_of(schedule) if schedule else []
        if schedule is None or not rotations:
            return None
        news = (self._watch.states, sources.lasting())
        if news == self._done:
            return None
        async with self._database.read() as conn:
            stored, now = await _stored(conn), await read_clock(conn)
        changes = [one for rotation in rotations if (one := await self._change(schedule, rotation, stored, now))]
        async with self._database.transaction() as conn:
            await fence.lock(conn)
            await oncall.lock_oncall(conn)
            if await _stored(conn) != stored:
                return self.retry_s
            for calendar in dict.fromkeys(one.calendar for one in rotations):
                changed = [one for one in changes if one.rotation.calendar == calendar]
                await self._notify(conn, schedule, calendar, stored.get(calendar), changed)
        self._done = news
        self._wake_ups.outbox.set()
        return None

    async def _notify(
        self,
        conn: Connection,
        schedule: Schedule,
        calendar: str,
        stored: StoredCalendar | None,
        changes: Sequence[_Change],
    ) -> None:
        await self._notify_of_problem(conn, calendar, stored)
        for change in changes:
            await self._notify_of_slots(conn, schedule, change)
        if changes:
            await oncall_changes.store_oncall_calendar(conn, calendar=calendar, content=changes[0].content)

    async def _notify_of_problem(self, conn: Connection, calendar: str, stored: StoredCalendar | None) -> None:
        sources, now = self._watch.sources, await read_clock(conn)
        problem = sources.problems.get(calendar)
        was_notified = stored is not None and stored.problem is not None
        key = f"oncall:calendar:{calendar}:{now:%Y%m%dT%H%M%S%f}"
        if problem is not None and calendar in sources.lasting() and not was_notified:
            is_known = calendar in sources.contents
            content = view.unreadable_calendar_message(calendar, problem.why, is_known=is_known)
            await messages.store_content(conn, f"{key}:refused", self._channel, content)
            await oncall_changes.store_oncall_calendar_problem(conn, calendar=calendar, problem=problem.why[:300])
        elif problem is None and was_notified:
            await messages.store_content(conn, f"{key}:taken", self._channel, view.readable_calendar_message(calendar))
            await oncall_changes.store_oncall_calendar_problem(conn, calendar=calendar, problem=None)

    async def _change(
        self, schedule: Schedule, rotation: CalendarRotation, stored: Mapping[str, StoredCalendar], now: datetime
    ) -> _Change | None:
        """Return the change; None if the slots are the same in every month that is read."""
        last, content = stored.get(rotation.calendar), self._watch.sources.contents.get(rotation.calendar)
        before = bytes(last.content) if last and last.content is not None else None
        if content is None or content == before:
            return None
        old, new = await self._read(schedule, rotation, before, now), await self._read(schedule, rotation, content, now)
        is_new = new is not None and old != new
        return _Change(rotation, content, old, new) if before is None or is_new else None

    async def _notify_of_slots(self, conn: Connection, schedule: Schedule, change: _Change) -> None:
        """Announce moved shifts, and events that name no person.

        Without a former content only the events: the on-call file's message has the shifts.
        """
        rotation, old, new = change.rotation, change.old, change.new
        if new is None:
            return
        now, known = await read_clock(conn), await oncall.list_overrides(conn)
        was = Plan(with_slots(schedule, rotation, old.slots if old else new.slots), known)
        moved = moves(was, Plan(with_slots(schedule, rotation, new.slots), known), now, now + AHEAD)
        unnamed = [one for one in new.unnamed if now <= one.begins < now + AHEAD]
        known_unnamed = set(old.unnamed) if old else set()
        if moved or not known_unnamed.issuperset(unnamed):
            await store_reminders(conn, moved)
            key = f"oncall:calendar:{rotation.name}:{now:%Y%m%dT%H%M%S%f}"
            await messages.store_content(conn, key, self._channel, view.calendar_message(rotation.name, moved, unnamed))
            for user in view.moved_people(moved):
                words = view.moved_message(f"The calendar of {rotation.name}", moved, user)
                await messages.store_content(conn, f"{key}:{user}", user, words)

    async def _read(
        self, schedule: Schedule, rotation: CalendarRotation, content: bytes | None, now: datetime
    ) -> CalendarSlots | None:
        """Return the slots of a content; None if it can't be used. Raises SourceError: the tick is repeated."""
        if content is None:
            return None
        try:
            return await self._watch.sources.slots(schedule, rotation, content, now)
        except CalendarError:
            return None


async def _stored(conn: Connection) -> dict[str, StoredCalendar]:
    return {one.calendar: one for one in await oncall_changes.list_oncall_calendars(conn)}


def with_slots(schedule: Schedule, rotation: CalendarRotation, slots: tuple[Slot, ...]) -> Schedule:
    """Return the schedule with this rotation alone, and these slots."""
    return replace(schedule, rotations={rotation.name: replace(rotation, slots=slots)})
