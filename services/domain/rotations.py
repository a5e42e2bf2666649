"""Rotations: people who take turns, by the hour, the weekday and in layers, or as a calendar says; pure.

Turns are counted in handovers that have happened. Each handover is an instant computed from the wall clock of its own
day, so that no turn is an hour too short or begins twice when clocks change.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from services.domain.moments import DAY, MIDNIGHT, instant
from services.domain.windows import EVERY_DAY

LOOK_AHEAD = timedelta(days=15)  # further than any handover


@dataclass(frozen=True)
class Hours:
    """A part of each day by the rotation's own clock, from `begins` until before `ends`; it may pass midnight."""

    begins: time
    ends: time


@dataclass(frozen=True)
class Rotation:
    """`people` (names) take turns of `days` days; the first begins on `starts` at `handover` in `zone`.

    `until`: the day on whose `handover` it ends. `hours`: the only hours in which it is on duty; `weekdays`: the only
    days (0 is Monday), which for hours over midnight are the days on which the hours begin. `layers`: while one of them
    is on duty it replaces this rotation; the last one has precedence.
    """

    name: str
    people: tuple[str, ...]
    days: int
    starts: date
    handover: time
    zone: ZoneInfo
    until: date | None = None
    hours: Hours | None = None
    weekdays: frozenset[int] = EVERY_DAY
    layers: tuple[Rotation, ...] = ()

    @property
    def everyone(self) -> tuple[str, ...]:
        """The names of all people who take turns, in any layer; each once."""
        return tuple(dict.fromkeys([*self.people, *(name for layer in self.layers for name in layer.people)]))


@dataclass(frozen=True)
class Slot:
    """`name` is on duty from `begins` until before `ends`."""

    begins: datetime
    ends: datetime
    name: str


@dataclass(frozen=True)
class CalendarRotation:
    """A rotation that follows a calendar. `calendar`: its name, or a file's. `zone`: for times without a zone.

    slots: sorted by start, for some months; of several at the same time, the one that begins last counts. None until
    the calendar was read.
    """

    name: str
    calendar: str
    zone: ZoneInfo
    slots: tuple[Slot, ...] | None = None

    @property
    def everyone(self) -> tuple[str, ...]:
        """The names of all people whom it puts on duty; each once."""
        return tuple(dict.fromkeys(slot.name for slot in self.slots or ()))


AnyRotation = Rotation | CalendarRotation


def shift_of(rotation: AnyRotation, at: datetime) -> str | None:
    """The name of the person on duty; None before the rotation starts, after it ends, outside its hours, or if a
    calendar names no one."""
    if isinstance(rotation, CalendarRotation):
        begun = bisect_right(rotation.slots or (), at, key=lambda slot: slot.begins)
        return next((slot.name for slot in reversed((rotation.slots or ())[:begun]) if at < slot.ends), None)
    for layer in reversed(rotation.layers):
        if (name := shift_of(layer, at)) is not None:
            return name
    number = _handovers(rotation, at)
    if number < 0 or _has_ended(rotation, at) or not _is_on_duty(rotation, at):
        return None
    return rotation.people[number % len(rotation.people)]


def next_handover(rotation: AnyRotation, at: datetime) -> datetime | None:
    """The next moment, in UTC, after `at` at which another person's turn begins; the end of the turn if no one else
    takes turns.

    None if a calendar names no one else.
    """
    current = shift_of(rotation, at)
    for moment in sorted(set(edges(rotation, at, at + LOOK_AHEAD))):
        if shift_of(rotation, moment) not in (current, None):
            return moment
    if isinstance(rotation, CalendarRotation):
        return None
    return _handover(rotation, max(_handovers(rotation, at) + 1, 0))


def edges(rotation: AnyRotation, begins: datetime, ends: datetime) -> Iterator[datetime]:
    """Every moment between the two at which a turn may begin or end, in no order."""
    if isinstance(rotation, CalendarRotation):
        moments = (moment for slot in rotation.slots or () for moment in (slot.begins, slot.ends))
        yield from (moment for moment in moments if begins < moment < ends)
        return
    clocks = {rotation.handover}
    if rotation.hours is not None:
        clocks |= {rotation.hours.begins, rotation.hours.ends}
    elif rotation.weekdays != EVERY_DAY:
        clocks.add(MIDNIGHT)
    day, last = begins.astimezone(rotation.zone).date() - DAY, ends.astimezone(rotation.zone).date()
    while day <= last:
        yield from (moment for clock in clocks if begins < (moment := instant(day, clock, rotation.zone)) < ends)
        day += DAY
    for layer in rotation.layers:
        yield from edges(layer, begins, ends)


def _handover(rotation: Rotation, number: int) -> datetime:
    return instant(rotation.starts + number * rotation.days * DAY, rotation.handover, rotation.zone)


def _handovers(rotation: Rotation, at: datetime) -> int:
    """The number of handovers that have happened, without the first one: 0 in the first turn, negative before it."""
    days = (at.astimezone(rotation.zone).date() - rotation.starts).days
    number = days // rotation.days + 1  # at most one too many on either side of a handover's own day
    while _handover(rotation, number) > at:
        number -= 1
    return number


def _has_ended(rotation: Rotation, at: datetime) -> bool:
    return rotation.until is not None and at >= instant(rotation.until, rotation.handover, rotation.zone)


def _is_on_duty(rotation: Rotation, at: datetime) -> bool:
    if rotation.hours is None and rotation.weekdays == EVERY_DAY:
        return True
    hours = rotation.hours or Hours(MIDNIGHT, MIDNIGHT)
    over_midnight = timedelta() if hours.begins < hours.ends else DAY
    today = at.astimezone(rotation.zone).date()
    return any(
        instant(day, hours.begins, rotation.zone) <= at < instant(day + over_midnight, hours.ends, rotation.zone)
        for day in (today - DAY, today)
        if day.weekday() in rotation.weekdays
    )
