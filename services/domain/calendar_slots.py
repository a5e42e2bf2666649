"""Turns the events of a calendar into on-call slots; pure.

An event puts one person of the on-call file on call: an attendee who hasn't declined and whose address is that
person's, or else the person in the title, by the file's name ("ann", "Ann on call", "@ann"), Slack user id or address.
An event that names no person, or several, puts no one on call.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from services.domain.moments import MIDNIGHT, instant
from services.domain.oncall import OnCallPerson
from services.domain.rotations import Slot

if TYPE_CHECKING:
    from icalendar import Calendar, Component, Event

LARGEST = 1024 * 1024  # bytes; also a CHECK of the table
AROUND = timedelta(days=94)  # further than people plan (`shifts.FURTHEST`), and further than reports look back
MOST_EVENTS, MOST_REPEATED, MOST_SLOTS = 2000, 100, 1000
_REPEATS = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_MOST_ATTENDEES, _LONGEST_ADDRESS, _LONGEST_TITLE = 100, 320, 500
_WITHIN_A_DAY = ("BYHOUR", "BYMINUTE", "BYSECOND")
_WORD = re.compile(r"[^\s<>()\[\],;:\"']+@[^\s<>()\[\],;:\"']+|[A-Za-z0-9][A-Za-z0-9-]*")


class CalendarError(ValueError):
    """A calendar that can't be used. Its text is a clause ("is not a calendar")."""


@dataclass(frozen=True)
class CalendarEvent:
    """One occurrence of an event. `begins`, `ends`: in UTC. `attendees`: addresses of those who have not declined."""

    title: str
    begins: datetime
    ends: datetime
    attendees: tuple[str, ...] = ()


@dataclass(frozen=True)
class Unnamed:
    """An event that puts no one on call. `why`: a clause ("names no one in the on-call file")."""

    title: str
    begins: datetime
    why: str


@dataclass(frozen=True)
class CalendarSlots:
    """Slots and unnamed events, each by start, from `AROUND` before a moment until `AROUND` after it."""

    slots: tuple[Slot, ...]
    unnamed: tuple[Unnamed, ...]


@dataclass(frozen=True)
class CalendarState:
    """The last reading of a rotation's calendar, and the problem that prevents a new one.

    slots: None until the first reading; while `problem` is set, those of the last good one.
    """

    rotation: str
    calendar: str
    slots: tuple[Slot, ...] | None
    unnamed: tuple[Unnamed, ...] = ()
    problem: str | None = None


@dataclass(frozen=True)
class KnownPeople:
    """The people whom an event can name. `people`: of the on-call file. `emails`: `{lower-case address: target}`."""

    people: Mapping[str, OnCallPerson]
    emails: Mapping[str, str]

    def by_address(self, address: str) -> str | None:
        """The name of the person whose e-mail target has this address; None unless it is exactly one."""
        found = self._names_by_target.get(self.emails.get(address.lower(), ""), [])
        return found[0] if len(found) == 1 else None

    def by_word(self, word: str) -> str | None:
        """The name of the person with this address, Slack user id, or name in the file (any case); None without one."""
        return (
            self.by_address(word)
            if "@" in word
            else self._names_by_word.get(word) or self._names_by_word.get(word.lower())
        )

    @cached_property
    def _names_by_target(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for person in self.people.values():
            if person.email is not None:
                found.setdefault(person.email, []).append(person.name)
        return found

    @cached_property
    def _names_by_word(self) -> dict[str, str]:
        names = {name.lower(): name for name in self.people}
        return names | {person.slack: person.name for person in self.people.values()}


def read_events(content: bytes, zone: ZoneInfo, now: datetime) -> tuple[CalendarEvent, ...]:
    """The events around `now` in an iCalendar file (RFC 5545). `zone`: for whole days and times without a zone.

    Raises CalendarError. A hostile file can take minutes and all memory. Both libraries are imported here, because most
    schedules have no calendar.
    """
    import recurring_ical_events
    from icalendar import Calendar

    try:
        calendar = Calendar.from_ical(content)
        _check_bounds(calendar)
        events = recurring_ical_events.of(calendar, components=["VEVENT"]).between(now - AROUND, now + AROUND)
        if len(events) > MOST_SLOTS:
            raise CalendarError(f"has more than {MOST_SLOTS} events in 6 months")  # noqa: TRY301
        return tuple(_event_of(event, zone) for event in events if not _is_cancelled(event))
    except CalendarError:
        raise
    except Exception as error:  # two libraries parse an outside file: after any exception it can't be used
        raise CalendarError(f"is not readable as iCal ({type(error).__name__})") from error


def _check_bounds(calendar: Calendar) -> None:
    """Raise CalendarError for sizes and repetitions that no on-call schedule needs."""
    events = list(calendar.walk("VEVENT"))
    rules = [rule for event in events for rule in _listed(event.get("RRULE"))]
    if len(events) > MOST_EVENTS or len(rules) > MOST_REPEATED:
        raise CalendarError(f"has more than {MOST_EVENTS} events, or {MOST_REPEATED} that repeat")
    for event in events:
        _check_zone(event)
    for rule in rules:
        frequency = str(next(iter(_listed(rule.get("FREQ"))), "")).upper()
        if frequency not in _REPEATS or any(key in rule for key in _WITHIN_A_DAY):
            raise CalendarError("has an event that repeats more than once per day")


def _check_zone(event: Component) -> None:
    """Raise CalendarError for an unknown time zone: the parser would read its times as times without a zone."""
    for key in ("DTSTART", "DTEND"):
        given: Any = event.get(key)
        zone = given.params.get("TZID") if given is not None else None
        if zone and isinstance(given.dt, datetime) and given.dt.tzinfo is None:
            raise CalendarError(f"has a time zone that is not known ({str(zone)[:60]})")


def _is_cancelled(event: Event) -> bool:
    return str(event.get("STATUS", "")).upper() == "CANCELLED"


def _event_of(event: Event, zone: ZoneInfo) -> CalendarEvent:
    return CalendarEvent(
        title=str(event.get("SUMMARY", ""))[:_LONGEST_TITLE],
        begins=_moment(event, "DTSTART", zone),
        ends=_moment(event, "DTEND", zone),
        attendees=tuple(islice(_attendees(event), _MOST_ATTENDEES)),
    )


def slots_of(events: Iterable[CalendarEvent], known: KnownPeople) -> CalendarSlots:
    """Match each event to a person of the on-call file."""
    slots: list[Slot] = []
    unnamed: list[Unnamed] = []
    for event in events:
        names = _names(event, known)
        if len(names) != 1:
            why = f"names {' and '.join(names)}" if names else "names no one in the on-call file"
            unnamed.append(Unnamed(event.title, event.begins, why))
        elif event.begins < event.ends:
            slots.append(Slot(event.begins, event.ends, names[0]))
    # Of two slots that begin together the shorter one counts, as the more exact one: it comes last.
    slots.sort(key=lambda slot: (slot.begins, -(slot.ends - slot.begins).total_seconds(), slot.name))
    unnamed.sort(key=lambda one: (one.begins, one.title))
    return CalendarSlots(tuple(slots), tuple(unnamed))


def _names(event: CalendarEvent, known: KnownPeople) -> list[str]:
    """The distinct names that the attendees have in the on-call file, or else those in the title."""
    attending = [known.by_address(address) for address in event.attendees]
    if not any(attending):
        attending = [known.by_word(word.rstrip(".")) for word in islice(_WORD.findall(event.title), 50)]
    return list(dict.fromkeys(name for name in attending if name))


def _attendees(event: Event) -> Iterator[str]:
    for attendee in _listed(event.get("ATTENDEE")):
        if str(attendee.params.get("PARTSTAT", "")).upper() != "DECLINED":
            yield re.sub(r"^mailto:", "", str(attendee), flags=re.IGNORECASE)[:_LONGEST_ADDRESS]


def _moment(event: Event, key: str, zone: ZoneInfo) -> datetime:
    """The event's start or end, in UTC."""
    given: Any = event[key]
    at: date = given.dt
    if not isinstance(at, datetime):
        return instant(at, MIDNIGHT, zone)
    if at.tzinfo is not None:
        return at.astimezone(UTC)
    return instant(at.date(), at.time(), zone)


def _listed(value: Any) -> list[Any]:
    """The values of a property that may be missing, present once, or repeated."""
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]
