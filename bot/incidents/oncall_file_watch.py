"""Watches the on-call file: a good one is taken at once, a bad one leaves the last good one in force.

Every replica watches its own copy. The leader tells the channel what changed, and keeps the last good file in the
database: a bot that starts with a bad file goes on with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from bot.config.fields import Invalid
from bot.config.oncall_file import GROUP, read_schedule
from bot.file_watch import LOOK_EVERY_S, FileState, FileWatch, recovery_key, refusal_key
from bot.incidents.calendar_sources import CalendarWatch
from bot.incidents.overrides import store_reminders
from bot.incidents.store import IncidentStore
from bot.leader import Fence
from bot.periodic_tasks import PeriodicTask
from bot.views import oncall_file as view
from bot.views.rule_files import good_file_message
from bot.world import World
from services.clients.postgres import incidents, messages, oncall_changes
from services.clients.postgres.pool import Connection, Database
from services.clients.postgres.queries import read_clock
from services.domain.oncall import Schedule
from services.domain.shifts import Move, Plan, moves

AHEAD = timedelta(days=28)  # of which moved shifts are told


class OnCallFileWatch(FileWatch[Schedule]):
    """One for the process. `calendars` puts a good schedule in force here."""

    def __init__(
        self,
        path: Path,
        world: World,
        database: Database,
        calendars: CalendarWatch,
        *,
        every_s: float = LOOK_EVERY_S,
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


class OnCallFileNews(PeriodicTask):
    """The leader's part: tells the channel and the people whom a change moves, once, however often it restarts."""

    name = "on-call file"
    interval_s = 60.0

    def __init__(self, database: Database, incident_store: IncidentStore, watch: OnCallFileWatch) -> None:
        super().__init__(watch.changed)
        self._database = database
        self._incident_store = incident_store
        self._watch = watch
        self._announced: FileState[Schedule] | None = None

    async def tick(self, fence: Fence) -> None:
        state = self._watch.latest
        if state is None or state == self._announced:
            return
        if not isinstance(state.value, Invalid) and self._watch.calendars.file is not state.value:
            return  # its calendars are being read
        if isinstance(state.value, Invalid):
            await self._notify_of_faults(fence, state, state.value)
        else:
            await self._notify(fence, state, state.value)
        self._announced = state
        self._incident_store.wake_ups.outbox.set()

    async def _notify_of_faults(self, fence: Fence, state: FileState[Schedule], fault: Invalid) -> None:
        content = view.refused_file_message(fault.faults)
        async with self._database.transaction() as conn:
            await fence.lock(conn)
            key = await refusal_key(conn, "oncall", state.digest)
            if key is not None:
                await self._send(conn, key, self._channel, content)

    async def _notify_of_recovery(self, fence: Fence, state: FileState[Schedule]) -> None:
        async with self._database.transaction() as conn:
            await fence.lock(conn)
            key = await recovery_key(conn, "oncall", state.digest)
            if key is not None:
                await self._send(conn, key, self._channel, good_file_message(self._watch.what))

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
            await incidents.lock_oncall(conn)
            if await oncall_changes.read_oncall_file(conn) != stored:
                return
            await oncall_changes.store_oncall_file(conn, content=state.content)
            if isinstance(before, Schedule) and filled is not None:
                await self._notify_of_change(conn, state.digest, (before, schedule), filled)

    async def _notify_of_change(
        self, conn: Connection, digest: str, files: tuple[Schedule, Schedule], filled: tuple[Schedule, Schedule]
    ) -> None:
        """Both as they were and as they are now. `filled`: with the slots of their calendars."""
        now, known = await read_clock(conn), await incidents.list_overrides(conn)
        moved = moves(Plan(filled[0], known), Plan(filled[1], known), now, now + AHEAD)
        await store_reminders(conn, moved)
        key = f"oncall:file:{digest[:16]}:{now:%Y%m%dT%H%M%S}"
        await self._send(conn, key, self._channel, view.new_file_message(*files, moved))
        await self._notify_people(conn, key, moved)

    async def _notify_people(self, conn: Connection, key: str, moved: Sequence[Move]) -> None:
        for user in view.moved_people(moved):
            await self._send(conn, f"{key}:{user}", user, view.moved_message("The on-call file", moved, user))

    @property
    def _channel(self) -> str:
        return self._incident_store.place.channel

    async def _send(self, conn: Connection, key: str, channel: str, content: view.Content) -> None:
        text, blocks = content
        await messages.store_message(conn, key=key, channel=channel, text=text, blocks=blocks)
