"""Watches the on-call file: a valid file is in force at once, an invalid one leaves the last valid one in force.

Every replica watches its own copy. The leader announces changes, and keeps the last valid file in the database: a bot
that starts with an invalid file continues with that one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from bot.config.fields import Invalid
from bot.config.oncall_file import GROUP, read_schedule
from bot.leader import Fence
from bot.oncall.calendar_sources import CalendarWatch
from bot.oncall.overrides import store_reminders
from bot.views import oncall_file as view
from bot.views.rule_files import refused_file_message
from bot.wake_ups import WakeUps
from bot.watched_files.news import FileNews
from bot.watched_files.watch import CHECK_EVERY_S, FileState, FileWatch
from bot.world import World
from services.clients.postgres import messages, oncall, oncall_changes
from services.clients.postgres.pool import Connection, Database
from services.clients.postgres.queries import read_clock
from services.domain.oncall import Schedule
from services.domain.shifts import Move, Plan, moves

AHEAD = timedelta(days=28)  # shifts that move within this time are announced


class OnCallFileWatch(FileWatch[Schedule]):
    """Reads the file when it changes; one per process. `calendars` puts a valid schedule in force."""

    def __init__(
        self,
        path: Path,
        world: World,
        database: Database,
        calendars: CalendarWatch,
        *,
        every_s: float = CHECK_EVERY_S,
    ) -> None:
        super().__init__(path, "on-call file", GROUP, read_schedule, every_s=every_s)
        self._world = world
        self._database = database
        self.calendars = calendars

    async def _take_over(self, value: Schedule) -> None:
        if self.latest is not None and not isinstance(self.latest.value, Invalid):
            self._world.schedule_fault = None
        await self.calendars.follow(value)

    def _refuse(self, fault: Invalid) -> bool:
        self._world.schedule_fault = fault
        return isinstance(self._world.schedule, Schedule)

    async def _stored(self) -> bytes | None:
        async with self._database.read() as conn:
            return await oncall_changes.read_oncall_file(conn)


class OnCallFileNews(FileNews[Schedule]):
    """Announces each change, and notifies the people whose shifts it moves; leader only."""

    key = "oncall"

    def __init__(self, watch: OnCallFileWatch, database: Database, wake_ups: WakeUps, *, channel: str) -> None:
        super().__init__(watch, database, wake_ups)
        self._watch = watch
        self._to = channel

    @property
    def _channel(self) -> str:
        return self._to

    def _refused(self, fault: Invalid) -> view.Content:
        return refused_file_message(self.name, fault.faults, show=("On call", "oncall"))

    def _is_in_force(self, value: Schedule) -> bool:
        """True once the calendars of the schedule have been read."""
        return self._watch.calendars.file is value

    async def _notify(self, fence: Fence, state: FileState[Schedule], schedule: Schedule) -> None:
        async with self._database.read() as conn:
            stored = await oncall_changes.read_oncall_file(conn)
        if stored == state.content:
            await self._notify_of_recovery(fence, state)
            return
        before = self._watch.read(stored) if stored is not None else None
        fill = self._watch.calendars.fill
        filled = (await fill(before), await fill(schedule)) if isinstance(before, Schedule) else None
        async with self._database.transaction() as conn:
            await fence.lock(conn)
            await oncall.lock_oncall(conn)
            if await oncall_changes.read_oncall_file(conn) != stored:
                return
            await oncall_changes.store_oncall_file(conn, content=state.content)
            if isinstance(before, Schedule) and filled is not None:
                await self._notify_of_change(conn, state.digest, (before, schedule), filled)

    async def _notify_of_change(
        self, conn: Connection, digest: str, files: tuple[Schedule, Schedule], filled: tuple[Schedule, Schedule]
    ) -> None:
        """Announce a change from the first file to the second. `filled`: both with the slots of their calendars."""
        now, known = await read_clock(conn), await oncall.list_overrides(conn)
        moved = moves(Plan(filled[0], known), Plan(filled[1], known), now, now + AHEAD)
        await store_reminders(conn, moved)
        key = f"oncall:file:{digest[:16]}:{now:%Y%m%dT%H%M%S}"
        await messages.store_content(conn, key, self._channel, view.new_file_message(*files, moved))
        await self._notify_people(conn, key, moved)

    async def _notify_people(self, conn: Connection, key: str, moved: Sequence[Move]) -> None:
        for user in view.moved_people(moved):
            await messages.store_content(
                conn, f"{key}:{user}", user, view.moved_message("The on-call file", moved, user)
            )
