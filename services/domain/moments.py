"""Moments as people type them: "friday 16:00", "in 2h", "at 02:00", "24 dec 09:00"; pure.

A time of day is meant by the clock of the person who types it, and becomes an instant on its own day. When clocks go
back, a time comes twice: the first one counts, unless it is over. When clocks go forward, a skipped time moves by the
length of the jump.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from services.domain.text import read_span

DAY = timedelta(days=1)
MIDNIGHT = time()
YEARS = range(1970, 2201)  # allowed years; in Python's first and last years spans and zones would overflow
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FULL = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_FULL_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_CLOCK = re.compile(r"([01]?\d|2[0-3])[:.]([0-5]\d)", re.ASCII)
_HALF_DAY_CLOCK = re.compile(r"(1[0-2]|0?[1-9])(?:[:.]([0-5]\d))?(am|pm)", re.ASCII | re.IGNORECASE)
_ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_DAY_NUMBER = re.compile(r"(\d{1,2})(?:st|nd|rd|th|\.)?", re.ASCII | re.IGNORECASE)

EXAMPLES = "`in 2h`, `at 02:00`, `today 18:00`, `fri 16:00`, `2026-01-05 09:00` or `5 jan 09:00`"


class MomentError(ValueError):
    """Typed text that is not a moment. `why`: a clause about `word` ("is not a moment"); `what_next`: a sentence."""

    def __init__(self, word: str, why: str, what_next: str = f"Write {EXAMPLES}.") -> None:
        super().__init__(f"{word} {why}")
        self.word = word
        self.why = why
        self.what_next = what_next


def instant(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """A wall-clock time as a moment, in UTC: the first one of a time that comes twice; a skipped one after the jump."""
    return datetime.combine(day, clock, tzinfo=zone).astimezone(UTC)


def take_moment(
    words: Sequence[str], now: datetime, zone: ZoneInfo, *, day_ends: bool = False
) -> tuple[datetime, Sequence[str]] | None:
    """The moment that the words begin with, in UTC, and the words after it; None if they begin with none.

    A day without a time is its beginning, or with `day_ends` its end. A time without a day is the next one after `now`,
    as is a weekday with a time. A weekday alone may be today. Nothing else is moved: a date may lie in the past. Raises
    MomentError for a date that does not exist.
    """
    if not words:
        return None
    first = words[0].lower()
    if first == "now":
        return now, words[1:]
    if first == "in":
        return _after_a_span(words[1:], now)
    if first == "at":
        return _at_a_time(words[1:], now, zone)
    day = _take_day(words, now.astimezone(zone).date())
    return _at_a_time(words, now, zone) if day is None else _on_a_day(day, now, zone, day_ends=day_ends)


@dataclass(frozen=True)
class _Day:
    """A day as it was typed, and the words after it. `is_weekday`: it recurs every 7 days."""

    date: date
    rest: Sequence[str]
    is_weekday: bool = False


def _after_a_span(words: Sequence[str], now: datetime) -> tuple[datetime, Sequence[str]] | None:
    found = take_span(words)
    return (now + found[0], found[1]) if found else None


def take_span(words: Sequence[str]) -> tuple[timedelta, Sequence[str]] | None:
    """The span that the words begin with, in one word or two ("2 hours"), and the words after it."""
    for length in (2, 1):
        span = read_span(" ".join(words[:length])) if len(words) >= length else None
        if span is not None and not (length == 2 and read_span(words[0])):
            return span, words[length:]
    return None


def _at_a_time(words: Sequence[str], now: datetime, zone: ZoneInfo) -> tuple[datetime, Sequence[str]] | None:
    clock = read_clock(words[0]) if words else None
    if clock is None:
        return None
    named, rest = take_zone(words[1:])
    zone = named or zone
    today = now.astimezone(zone).date()
    later = (moment for day in (today, today + DAY) for moment in _instants(day, clock, zone) if moment > now)
    return next(later), rest


def _on_a_day(day: _Day, now: datetime, zone: ZoneInfo, *, day_ends: bool) -> tuple[datetime, Sequence[str]]:
    words = day.rest[1:] if len(day.rest) > 1 and day.rest[0].lower() == "at" else day.rest
    clock = read_clock(words[0]) if words else None
    if clock is None:
        named, rest = take_zone(day.rest)
        return instant(day.date + DAY if day_ends else day.date, MIDNIGHT, named or zone), rest
    named, rest = take_zone(words[1:])
    moments = list(_instants(day.date, clock, named or zone))
    later = next((moment for moment in moments if moment > now), None)
    if later is None and day.is_weekday:
        return instant(day.date + 7 * DAY, clock, named or zone), rest
    return later or moments[0], rest


def _instants(day: date, clock: time, zone: ZoneInfo) -> Iterator[datetime]:
    """The moments at which the clock shows this time on that day: two on the day on which clocks go back."""
    first = instant(day, clock, zone)
    second = datetime.combine(day, clock.replace(fold=1), tzinfo=zone).astimezone(UTC)
    yield first
    if second > first:
        yield second


def read_clock(word: str) -> time | None:
    """Parse `09:00`, `9.30`, `2am`, `4:30pm`, `noon` or `midnight`; None for anything else."""
    if word.lower() in ("noon", "midnight"):
        return time(12) if word.lower() == "noon" else MIDNIGHT
    if (match := _CLOCK.fullmatch(word)) is not None:
        return time(int(match[1]), int(match[2]))
    if (match := _HALF_DAY_CLOCK.fullmatch(word)) is not None:
        return time(int(match[1]) % 12 + (12 if match[3].lower() == "pm" else 0), int(match[2] or 0))
    return None


def take_zone(words: Sequence[str]) -> tuple[ZoneInfo | None, Sequence[str]]:
    """Parse `UTC` or a name such as `Europe/Berlin` after a time; returns None for no zone, and the words after it."""
    word = words[0] if words else ""
    if word.upper() in ("UTC", "GMT"):
        return ZoneInfo("UTC"), words[1:]
    if "/" not in word:
        return None, words
    try:
        return ZoneInfo(word), words[1:]
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None, words


def _take_day(words: Sequence[str], today: date) -> _Day | None:
    word = words[0].lower()
    if word in ("today", "tonight", "tomorrow"):
        return _Day(today + DAY if word == "tomorrow" else today, words[1:])
    weekday = read_weekday(word)
    if weekday is not None:
        return _Day(today + (weekday - today.weekday()) % 7 * DAY, words[1:], is_weekday=True)
    if _ISO_DAY.fullmatch(word):
        return _Day(_calendar_day(word), words[1:])
    return _take_day_of_a_month(words, today)


def _take_day_of_a_month(words: Sequence[str], today: date) -> _Day | None:
    """Parse `5 jan` or `jan 5th`: this year's, or next year's if it is over."""
    for number, name in ((words[0], words[1]), (words[1], words[0])) if len(words) > 1 else ():
        match, month = _DAY_NUMBER.fullmatch(number), _month(name)
        if match is None or month is None:
            continue
        text = f"{month:02}-{int(match[1]):02}"
        this_year = _calendar_day(f"{today.year}-{text}")
        return _Day(_calendar_day(f"{today.year + 1}-{text}") if this_year < today else this_year, words[2:])
    return None


def _calendar_day(written: str) -> date:
    try:
        day = date.fromisoformat(written)
    except ValueError:
        raise MomentError(written, "is a date that does not exist") from None
    if day.year not in YEARS:
        raise MomentError(written, "is too far away", f"Write a year from {YEARS[0]} to {YEARS[-1]}.")
    return day


def _month(word: str) -> int | None:
    lowered = word.lower()
    known = lowered in _MONTHS or lowered in _FULL_MONTHS or lowered == "sept"
    return _MONTHS.index(lowered[:3]) + 1 if known else None


def read_weekday(word: str) -> int | None:
    """0 for Monday; accepts "fri" and "friday", also "tues" and "thurs"; None for anything else."""
    lowered = {"tues": "tue", "weds": "wed", "thur": "thu", "thurs": "thu"}.get(word.lower(), word.lower())
    for names in (WEEKDAYS, _FULL):
        if lowered in names:
            return names.index(lowered)
    return None
