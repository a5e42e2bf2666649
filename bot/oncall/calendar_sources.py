"""Calendars that are the source of a rotation: every replica reads them, and keeps the last valid version.

No calendar is read while a page is being sent: pages use the slots that are in force.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from bot.config.environment import Settings
from bot.config.fields import CALENDAR_URL, Invalid
from bot.config.watched_file import WatchedFile
from bot.wake_ups import WakeUp
from bot.world import World
from services.clients.calendar_events import CalendarReader
from services.clients.calendars import CalendarClient
from services.clients.postgres import oncall_changes
from services.clients.postgres.pool import Database
from services.domain.calendar_slots import (
    LARGEST,
    CalendarError,
    CalendarEvent,
    CalendarSlots,
    CalendarState,
    KnownPeople,
    slots_of,
)
from services.domain.errors import SourceError
from services.domain.oncall import Schedule
from services.domain.rotations import CalendarRotation

logger = logging.getLogger(__name__)

FETCH_EVERY_S = 300.0
FIRST_RETRY_S = 5.0  # for a calendar that was never read; doubled up to FETCH_EVERY_S
CHECK_EVERY_S = 2.0  # for changes of files beside the on-call file
LASTING_S = 900.0  # a shorter failure of a server is not announced


@dataclass(frozen=True)
class Problem:
    """A calendar's present content is not in force. `since`: by `time.monotonic`. `may_pass`: it may end by itself."""

    why: str
    since: float
    may_pass: bool

    @property
    def is_lasting(self) -> bool:
        """True if the problem is announced: at once if it can't end by itself, else after LASTING_S."""
        return not self.may_pass or time.monotonic() - self.since >= LASTING_S


@dataclass(frozen=True)
class _Mapped:
    """The events of a calendar, and the slots that they make for these people."""

    events: tuple[CalendarEvent, ...]
    known: KnownPeople
    found: CalendarSlots


def calendars_of(schedule: Schedule) -> list[CalendarRotation]:
    """List the rotations whose source is a calendar."""
    return [one for one in schedule.rotations.values() if isinstance(one, CalendarRotation)]


class CalendarSources:
    """The last valid content of each calendar, by its name, and its present problem."""

    def __init__(
        self,
        settings: Settings,
        database: Database | None,
        client: CalendarClient | None = None,
        *,
        fetch_every_s: float = FETCH_EVERY_S,
    ) -> None:
        self.contents: dict[str, bytes] = {}
        self.problems: dict[str, Problem] = {}
        self._database = database
        self._client = client or CalendarClient(largest=LARGEST)
        oncall, calendars, mail = settings.oncall, settings.calendars, settings.mail
        self._folder = oncall.path.parent if not isinstance(oncall, Invalid) and oncall.path else Path()
        self._urls = {} if isinstance(calendars, Invalid) else calendars.urls
        targets = {} if isinstance(mail, Invalid) else mail.targets
        self._emails = {address.lower(): name for name, address in targets.items()}
        self._fetch_every_s = fetch_every_s
        self._due_at: dict[str, float] = {}  # of addresses, by `time.monotonic`; one without a time is due at once
        self._failures: dict[str, int] = {}
        self._files: dict[str, WatchedFile] = {}
        self._reader = CalendarReader()
        self._last: dict[str, _Mapped] = {}  # by rotation, of what is in force

    async def read_unknown(self, schedule: Schedule) -> None:
        """Read calendars that were never read: as they are stored, else as they are now."""
        unknown = {one.calendar for one in calendars_of(schedule)} - self.contents.keys()
        if unknown:
            self.contents |= {name: kept for name, kept in (await self._stored()).items() if name in unknown}
            await self.read(schedule, unknown - self.contents.keys() | set(filter(_is_file, unknown)))

    def lasting(self) -> dict[str, str]:
        """Return `{calendar: why}` of problems to announce; without any content at once, because no one is on call."""
        return {
            name: found.why for name, found in self.problems.items() if found.is_lasting or name not in self.contents
        }

    async def read_due(self, schedule: Schedule) -> None:
        """Read files that have changed, and addresses that are due."""
        now = time.monotonic()
        names = {one.calendar for one in calendars_of(schedule)}
        await self.read(schedule, {name for name in names if _is_file(name) or self._due_at.get(name, now) <= now})

    async def read(self, schedule: Schedule, names: Iterable[str]) -> None:
        """Read these calendars; one that can't be read or used keeps its last valid content."""
        for name in sorted(names):
            await self._read_one(schedule, name)
            self._plan_next(name)

    def _plan_next(self, name: str) -> None:
        failures = self._failures[name] = 0 if name in self.contents else self._failures.get(name, 0) + 1
        wait_s = self._fetch_every_s if not failures else FIRST_RETRY_S * 2 ** min(failures - 1, 10)
        self._due_at[name] = time.monotonic() + min(wait_s, self._fetch_every_s)

    async def _read_one(self, schedule: Schedule, name: str) -> None:
        rotations = [one for one in calendars_of(schedule) if one.calendar == name]
        try:
            content = await self._read_file(name) if _is_file(name) else await self._fetch(name)
            if content is not None:
                await self._check(content, schedule, rotations)
        except SourceError as error:
            if error.retryable:
                self._files.pop(name, None)  # read afresh, changed or not
            self._refuse(name, error.why, may_pass=error.retryable)
        except CalendarError as error:
            self._refuse(name, str(error), may_pass=False)
        else:
            if content is not None:
                self.problems.pop(name, None)
                self.contents[name] = content

    async def states(self, schedule: Schedule, now: datetime) -> dict[str, CalendarState]:
        """Return `{rotation: state of its calendar}`."""
        return {one.name: await self._state(schedule, one, now) for one in calendars_of(schedule)}

    async def slots(
        self, schedule: Schedule, rotation: CalendarRotation, content: bytes, now: datetime
    ) -> CalendarSlots:
        """Return the slots of the months around `now`. Raises CalendarError, SourceError. Not inside a transaction."""
        return (await self._map(schedule, rotation, content, now)).found

    async def _map(self, schedule: Schedule, rotation: CalendarRotation, content: bytes, now: datetime) -> _Mapped:
        day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        events = await self._reader.read(content, rotation.zone, day)
        known, last = self._known_of(schedule), self._last.get(rotation.name)
        if last is not None and last.events is events and last.known == known:
            return last
        return _Mapped(events, known, slots_of(events, known))

    def _known_of(self, schedule: Schedule) -> KnownPeople:
        return KnownPeople(schedule.people, self._emails)

    async def _state(self, schedule: Schedule, rotation: CalendarRotation, now: datetime) -> CalendarState:
        found = self.problems.get(rotation.calendar)
        why = found.why if found else None
        content = self.contents.get(rotation.calendar)
        if content is None:
            return CalendarState(rotation.name, rotation.calendar, None, problem=why)
        mapped: _Mapped | None
        try:
            mapped = await self._map(schedule, rotation, content, now)
        except (CalendarError, SourceError) as error:  # for this day only: yesterday's slots still hold
            why = error.why if isinstance(error, SourceError) else str(error)
            mapped = self._last.get(rotation.name)
            if mapped is None or mapped.known != self._known_of(schedule):
                return CalendarState(rotation.name, rotation.calendar, None, problem=why)
        self._last[rotation.name] = mapped
        return CalendarState(rotation.name, rotation.calendar, mapped.found.slots, mapped.found.unnamed, why)

    async def _check(self, content: bytes, schedule: Schedule, rotations: list[CalendarRotation]) -> None:
        for rotation in rotations:
            await self.slots(schedule, rotation, content, datetime.now(UTC))

    def _refuse(self, name: str, why: str, *, may_pass: bool) -> None:
        before = self.problems.get(name)
        if before is None or before.why != why:
            logger.warning("the calendar %s was not loaded: %s", name, why)
        self.problems[name] = Problem(why, before.since if before else time.monotonic(), may_pass)

    async def _fetch(self, name: str) -> bytes:
        url = self._urls.get(name)
        if url is None:
            variable = f"{CALENDAR_URL}_{name.upper().replace('-', '_')}"
            raise SourceError("calendar", f"has no address that can be used: set {variable}")
        return await self._client.fetch(url)

    async def _read_file(self, name: str) -> bytes | None:
        """Read a file beside the on-call file, of a bounded size. None if it has not changed. Raises SourceError."""
        file = self._files.setdefault(name, WatchedFile(self._folder / name))
        try:
            content = await file.read_if_changed()
        except OSError as error:
            del self._files[name]  # read afresh once it is there again
            raise SourceError("calendar", f"can't be read ({error.strerror or type(error).__name__})") from None
        if content is not None and len(content) > LARGEST:
            raise SourceError("calendar", f"is larger than {LARGEST // 1024} KiB")
        return content

    async def _stored(self) -> dict[str, bytes]:
        """Return the contents that the leader stored; empty while the database is away."""
        if self._database is None:
            return {}
        try:
            async with self._database.read() as conn:
                stored = await oncall_changes.list_oncall_calendars(conn)
        except SourceError as error:
            logger.warning("the last good calendars were not read: %s", error.why)
            return {}
        return {one.calendar: bytes(one.content) for one in stored if one.content is not None}


class CalendarWatch:
    """Keeps the schedule's slots as its calendars have them; one per process.

    `apply` puts a schedule in force in this process. `changed` wakes CalendarNews.
    """

    def __init__(
        self,
        sources: CalendarSources,
        world: World,
        apply: Callable[[Schedule], None],
        *,
        every_s: float = CHECK_EVERY_S,
    ) -> None:
        self.changed = WakeUp()
        self.sources = sources
        self.file: Schedule | None = None  # as it is, without slots
        self._world = world
        self._apply = apply
        self._every_s = every_s
        self._lock = asyncio.Lock()

    @property
    def states(self) -> Mapping[str, CalendarState]:
        """`{rotation: state of its calendar}`, as in force."""
        return self._world.calendars

    async def run(self) -> None:
        """Check for changes until cancelled."""
        while True:
            await asyncio.sleep(self._every_s)
            await self.check()

    async def follow(self, schedule: Schedule) -> None:
        """Put a new on-call file in force, with the slots of its calendars."""
        async with self._lock:
            await self.sources.read_unknown(schedule)
            self.file = schedule
            await self._put_in_force(schedule)

    async def check(self) -> None:
        """Read calendars that have changed or are due, and put their slots in force."""
        async with self._lock:
            if self.file is None or not calendars_of(self.file):
                return
            await self.sources.read_due(self.file)
            await self._put_in_force(self.file)

    async def fill(self, schedule: Schedule) -> Schedule:
        """Return the schedule with the slots of its calendars as this process has them. Not inside a transaction."""
        return filled(schedule, await self.sources.states(schedule, datetime.now(UTC)))

    async def _put_in_force(self, schedule: Schedule) -> None:
        states = await self.sources.states(schedule, datetime.now(UTC))
        schedule = filled(schedule, states)
        if states == self._world.calendars and schedule == self._world.schedule:
            return
        self._world.calendars = states
        self._apply(schedule)
        self.changed.set()


def filled(schedule: Schedule, states: Mapping[str, CalendarState]) -> Schedule:
    """Return the schedule with the slots of its calendars."""
    if not states:
        return schedule
    slots = {
        one.name: replace(one, slots=states[one.name].slots) for one in calendars_of(schedule) if one.name in states
    }
    return replace(schedule, rotations={**schedule.rotations, **slots})


async def load_calendars(world: World) -> None:
    """Fill the world's schedule for a terminal: calendars as the bot stored them, else as they are now."""
    if not isinstance(world.schedule, Schedule):
        return
    sources = CalendarSources(world.settings, world.database)
    await sources.read_unknown(world.schedule)
    world.calendars = await sources.states(world.schedule, datetime.now(UTC))
    world.schedule = filled(world.schedule, world.calendars)


def _is_file(name: str) -> bool:
    return name.endswith(".ics")
