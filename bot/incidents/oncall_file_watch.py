"""Watches the on-call file: a good one is taken at once, a bad one leaves the last good one in force.

Every replica watches its own copy. The leader tells the channel what changed, and keeps the last good file in the
database: a bot that starts with a bad file goes on with it.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from bot.config.fields import Fault, Invalid
from bot.config.oncall_file import GROUP, read_schedule
from bot.config.watched_file import WatchedFile
from bot.incidents.overrides import store_reminders
from bot.incidents.store import IncidentStore
from bot.leader import Fence
from bot.periodic_tasks import PeriodicTask
from bot.views import oncall_file as view
from bot.wake_ups import WakeUp
from bot.world import World
from services.clients.postgres import incidents, messages, oncall_changes
from services.clients.postgres.pool import Connection, Database
from services.clients.postgres.queries import read_clock
from services.domain.errors import SourceError
from services.domain.oncall import Schedule
from services.domain.shifts import Move, Plan, moves

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 2.0
LARGEST = 256 * 1024  # bytes; also a CHECK of the table
AHEAD = timedelta(days=28)  # of which moved shifts are told


@dataclass(frozen=True)
class FileState:
    """What the file held when it was read last. `content`: empty where it can't be read."""

    content: bytes
    schedule: Schedule | Invalid

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


class OnCallFileWatch:
    """One for the process. `apply` puts a good schedule in force here. `changed` wakes the leader's part."""

    def __init__(
        self,
        path: Path,
        world: World,
        database: Database,
        apply: Callable[[Schedule], None],
        *,
        every_s: float = LOOK_EVERY_S,
    ) -> None:
        self.changed = WakeUp()
        self.latest: FileState | None = None
        self._file = WatchedFile(path)
        self._world = world
        self._database = database
        self._apply = apply
        self._every_s = every_s

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.check()
            await asyncio.sleep(self._every_s)

    async def check(self) -> None:
        """Take the file, if it has changed and is good."""
        try:
            content = await self._file.read_if_changed()
        except OSError as error:
            await self._take(FileState(b"", self._unreadable(error)))
            return
        if content is not None:
            await self._take(FileState(content, read_content(content, self._file.path.name)))

    async def _take(self, state: FileState) -> None:
        if self.latest is not None and self.latest == state:
            return
        self.latest = state
        if isinstance(state.schedule, Schedule):
            self._world.schedule_fault = None
            self._apply(state.schedule)
            logger.info("the on-call file is in force")
        else:
            self._world.schedule_fault = state.schedule
            logger.warning("the on-call file was not taken: %s", state.schedule.why)
            if not isinstance(self._world.schedule, Schedule):
                await self._recall()
        self.changed.set()

    async def _recall(self) -> None:
        """The last good file, as the leader stored it."""
        try:
            async with self._database.read() as conn:
                stored = await oncall_changes.read_oncall_file(conn)
        except SourceError as error:
            logger.warning("the last good on-call file was not read: %s", error.why)
            self.latest = None  # tried again with the next look
            return
        schedule = read_content(stored, self._file.path.name) if stored is not None else None
        if isinstance(schedule, Schedule):
            self._apply(schedule)

    def _unreadable(self, error: OSError) -> Invalid:
        problem = f"cannot be read ({error.strerror or type(error).__name__})"
        return Invalid(GROUP, (Fault(self._file.path.name, problem, "put it back"),))


def read_content(content: bytes, name: str) -> Schedule | Invalid:
    """The schedule in a file of a bounded size."""
    if len(content) > LARGEST:
        return Invalid(GROUP, (Fault(name, f"is larger than {LARGEST // 1024} KiB", "make it shorter"),))
    return read_schedule(content, name)


class OnCallFileNews(PeriodicTask):
    """The leader's part: tells the channel and the people whom a change moves, once, however often it restarts."""

    name = "on-call file"
    interval_s = 60.0

    def __init__(self, database: Database, incident_store: IncidentStore, watch: OnCallFileWatch) -> None:
        super().__init__(watch.changed)
        self._database = database
        self._incident_store = incident_store
        self._watch = watch
        self._announced: FileState | None = None

    async def tick(self, fence: Fence) -> None:
        state = self._watch.latest
        if state is None or state == self._announced:
            return
        async with self._database.transaction() as conn:
            await fence.lock(conn)
            if isinstance(state.schedule, Invalid):
                content = view.refused_file_message(state.schedule.faults)
                await self._send(conn, f"oncall:file:{state.digest[:16]}:refused", self._channel, content)
            else:
                await self._notify(conn, state, state.schedule)
        self._announced = state
        self._incident_store.wake_ups.outbox.set()

    async def _notify(self, conn: Connection, state: FileState, schedule: Schedule) -> None:
        await incidents.lock_oncall(conn)
        stored = await oncall_changes.read_oncall_file(conn)
        if stored == state.content:
            return
        await oncall_changes.store_oncall_file(conn, content=state.content)
        before = read_content(stored, "oncall.toml") if stored is not None else None
        if not isinstance(before, Schedule):
            return
        now, known = await read_clock(conn), await incidents.list_overrides(conn)
        moved = moves(Plan(before, known), Plan(schedule, known), now, now + AHEAD)
        await store_reminders(conn, moved)
        key = f"oncall:file:{state.digest[:16]}:{now:%Y%m%dT%H%M%S}"
        await self._send(conn, key, self._channel, view.new_file_message(before, schedule, moved))
        await self._notify_people(conn, key, moved)

    async def _notify_people(self, conn: Connection, key: str, moved: Sequence[Move]) -> None:
        for user in view.moved_people(moved):
            await self._send(conn, f"{key}:{user}", user, view.moved_message(moved, user))

    @property
    def _channel(self) -> str:
        return self._incident_store.place.channel

    async def _send(self, conn: Connection, key: str, channel: str, content: view.Content) -> None:
        text, blocks = content
        await messages.store_message(conn, key=key, channel=channel, text=text, blocks=blocks)
