"""Time windows as people type them, once or recurring: "sat 02:00 for 2h every week"; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from services.domain.moments import (
    DAY,
    MIDNIGHT,
    WEEKDAYS,
    MomentError,
    instant,
    read_clock,
    read_weekday,
    take_moment,
    take_span,
    take_zone,
)

EVERY_DAY = frozenset(range(7))
LONGEST = 7 * DAY  # of a recurring window: a longer one would never end
_SETS = {
    "day": EVERY_DAY,
    "weekday": frozenset(range(5)),
    "workday": frozenset(range(5)),
    "weekend": frozenset((5, 6)),
}


@dataclass(frozen=True)
class Span:
    """A span of time from `begins` until before `ends`."""

    begins: datetime
    ends: datetime

    def contains(self, moment: datetime) -> bool:
        return self.begins <= moment < self.ends


@dataclass(frozen=True)
class WallEnd:
    """The end of a window by the clock: at `clock`, `days` days after the day on which it began."""

    days: int
    clock: time


@dataclass(frozen=True)
class Recurrence:
    """A recurring window: on `days` (0 is Monday) from `begins`, by the clock of `zone`.

    `ends`: its duration, or its end by the clock. Overlapping windows count separately. On the day on which clocks go
    forward, a window that would end no later than it begins is left out.
    """

    days: frozenset[int]
    begins: time
    ends: timedelta | WallEnd
    zone: ZoneInfo

    def __post_init__(self) -> None:
        """Raises ValueError for values that can't be meant, MomentError for a window that is too long or empty."""
        if not self.days or not self.days <= EVERY_DAY:
            raise ValueError(f"{sorted(self.days)} are no days of the week")
        lasts = self.ends if isinstance(self.ends, timedelta) else self.ends.days * DAY
        if lasts > LONGEST:
            raise MomentError("every", "takes windows of 7 days at most", "Name an earlier end, or leave `every` out.")
        is_empty = lasts <= timedelta() and (isinstance(self.ends, timedelta) or self.ends.clock <= self.begins)
        if is_empty:
            raise MomentError("every", "takes windows that end after they begin", "Name a later end.")

    def contains(self, moment: datetime) -> bool:
        return self.span_at(moment) is not None

    def span_at(self, moment: datetime) -> Span | None:
        """The window that contains the moment; of several the one that ends last; None without one."""
        found = [span for span in self._around(moment) if span.contains(moment)]
        return max(found, key=lambda span: span.ends, default=None)

    def next_after(self, moment: datetime) -> Span:
        """The next window that begins after the moment."""
        return next(span for span in self._around(moment) if span.begins > moment)

    def edges(self, moment: datetime) -> set[datetime]:
        """The starts and ends of its windows, from the moment on, for at least 7 days."""
        return {edge for span in self._around(moment) for edge in (span.begins, span.ends) if edge >= moment}

    @property
    def words(self) -> str:
        """ "every fri 16:00 until mon 08:00 (Europe/Berlin)", "every day 02:00 for 120 min (UTC)"."""
        return f"every {days_words(self.days)} {self.begins:%H:%M} {self._end_words} ({self.zone.key})"

    @property
    def _end_words(self) -> str:
        if isinstance(self.ends, timedelta):
            return f"for {_span_words(self.ends)}"
        if self.ends.days == 1 and self.ends.clock == MIDNIGHT:
            return "until midnight"
        one = next(iter(self.days)) if len(self.days) == 1 else None
        if self.ends.days == 0:
            day = ""
        elif one is not None:
            day = f"{WEEKDAYS[(one + self.ends.days) % 7]} "
        else:
            day = "the next day " if self.ends.days == 1 else f"{self.ends.days} days later "
        return f"until {day}{self.ends.clock:%H:%M}"

    def _around(self, moment: datetime) -> Iterator[Span]:
        """Every window that may contain the moment, and the following ones until more than 7 days later; in order."""
        today = moment.astimezone(self.zone).date()
        longest = self.ends.days + 1 if isinstance(self.ends, WallEnd) else self.ends // DAY + 2
        for offset in range(-longest, 17):  # 7 days more: the clock change may leave out the next window
            day = today + offset * DAY
            if day.weekday() in self.days and (span := self._on(day)).ends > span.begins:
                yield span

    def _on(self, day: date) -> Span:
        begins = instant(day, self.begins, self.zone)
        if isinstance(self.ends, timedelta):
            return Span(begins, begins + self.ends)
        return Span(begins, instant(day + self.ends.days * DAY, self.ends.clock, self.zone))


def days_words(days: frozenset[int]) -> str:
    """ "day", "weekday", "fri", "mon, wed"."""
    named = next((name for name, one in _SETS.items() if one == days), None)
    return named or ", ".join(WEEKDAYS[day] for day in sorted(days))


def _span_words(span: timedelta) -> str:
    minutes, seconds = divmod(round(span.total_seconds()), 60)
    if seconds:
        return f"{minutes * 60 + seconds} s"
    return f"{minutes // 60} h" if minutes % 60 == 0 else f"{minutes} min"


def encode_recurrence(recurrence: Recurrence) -> dict[str, Any]:
    """The recurrence as JSON values; `decode_recurrence` reads them."""
    ends = recurrence.ends
    end = (
        {"lasts_s": ends.total_seconds()}
        if isinstance(ends, timedelta)
        else {"end_days": ends.days, "end_clock": f"{ends.clock:%H:%M}"}
    )
    return {
        "days": sorted(recurrence.days),
        "begins": f"{recurrence.begins:%H:%M}",
        "zone": recurrence.zone.key,
        **end,
    }


def decode_recurrence(stored: Mapping[str, Any]) -> Recurrence | None:
    """Read what `encode_recurrence` wrote; None if this version can't read it."""
    try:
        return _decode(stored)
    except (LookupError, TypeError, ValueError, OverflowError, OSError):  # also those of ZoneInfo
        return None


def _decode(stored: Mapping[str, Any]) -> Recurrence:
    ends = (
        timedelta(seconds=stored["lasts_s"])
        if "lasts_s" in stored
        else WallEnd(stored["end_days"], time.fromisoformat(stored["end_clock"]))
    )
    return Recurrence(frozenset(stored["days"]), time.fromisoformat(stored["begins"]), ends, ZoneInfo(stored["zone"]))


@dataclass(frozen=True)
class Written:
    """A time window as it was typed. `begins`, `ends`: None if not named.

    With `recurrence`, `begins` is the start of its first window, or of the one that is already open, and `ends` is that
    window's end.
    """

    begins: datetime | None = None
    ends: datetime | None = None
    recurrence: Recurrence | None = None


def take_window(words: Sequence[str], now: datetime, zone: ZoneInfo) -> tuple[Written, Sequence[str]]:
    """Parse the window at the start of the words, and return it with the words after it: `[from] fri 16:00`, `for 2h`
    or a span alone, `until mon 08:00`, `every fri`, `every week`, each at most once and in any order.

    Raises MomentError if the words after `from`, `until` or `every` are not understood. A time without `from` counts
    only at the start, or after `every …` alone; so the words of a reason that follow are left alone.
    """
    read = _Reading(now, zone)
    rest = words
    while rest and (left := read.take(rest)) is not None:
        rest = left
    return read.written(), rest


class _Reading:
    """The parts of a window as they are read, each at most once."""

    def __init__(self, now: datetime, zone: ZoneInfo) -> None:
        self._now = now
        self._zone = zone
        self._begins: tuple[datetime, Sequence[str]] | None = None  # with its words
        self._until: Sequence[str] = ()
        self._lasts: timedelta | None = None
        self._days: frozenset[int] | None = None  # empty: the day of the beginning

    def take(self, words: Sequence[str]) -> Sequence[str] | None:
        """The words after one more part; None if they begin with no part."""
        match words[0].lower():
            case "from" if self._begins is None:
                return self._take_begin(words[1:], after="from")
            case "until" | "till" if not self._until:
                return self._take_until(words[1:])
            case "to" if self._begins and not self._until and take_moment(words[1:], self._now, self._zone):
                return self._take_until(words[1:])
            case "every" if self._days is None:
                return self._take_every(words[1:])
            case "for" if self._lasts is None:
                return self._take_span(words[1:])
        return self._take_bare(words)

    def _take_begin(self, words: Sequence[str], *, after: str = "") -> Sequence[str] | None:
        found = take_moment(words, self._now, self._zone)
        if found is None:
            if after:
                raise MomentError(words[0] if words else after, f"is not a time after `{after}`" if words else "ends")
            return None
        self._begins = (found[0], words[: len(words) - len(found[1])])
        return found[1]

    def _take_until(self, words: Sequence[str]) -> Sequence[str]:
        found = take_moment(words, self._now, self._zone)
        if found is None:
            raise MomentError(words[0] if words else "until", "is not a time after `until`" if words else "ends")
        self._until = words[: len(words) - len(found[1])]
        return found[1]

    def _take_every(self, words: Sequence[str]) -> Sequence[str]:
        found = take_days(words)
        if found is None:
            what_next = "Write `every day`, `every weekday`, `every week`, `every fri` or `every mon,wed`."
            raise MomentError(
                words[0] if words else "every", "is not a day after `every`" if words else "ends", what_next
            )
        self._days = found[0]
        return found[1]

    def _take_span(self, words: Sequence[str]) -> Sequence[str] | None:
        found = take_span(words)
        if found is None:
            if words and words[0][:1].isdigit():
                raise MomentError(
                    words[0], "is not a time span", "Write a number and a unit: `90s`, `10m`, `2 hours`, `2d`."
                )
            return None
        self._lasts = found[0]
        return found[1]

    def _take_bare(self, words: Sequence[str]) -> Sequence[str] | None:
        """Take a span or a time without a word before it, at the start or after `every …`, not in a reason."""
        is_start = self._begins is None and self._lasts is None and not self._until
        if is_start and (found := take_span(words)) is not None:
            self._lasts = found[0]
            return found[1]
        return self._take_begin(words) if is_start else None

    def written(self) -> Written:
        if self._days is not None:
            recurrence = self._recurrence(self._days)
            span = recurrence.span_at(self._now) or recurrence.next_after(self._now)
            self._check_day(recurrence, span)
            return Written(span.begins, span.ends, recurrence)
        begins = self._begins[0] if self._begins else None
        return Written(begins, self._end(begins))

    def _check_day(self, recurrence: Recurrence, first: Span) -> None:
        """Raises MomentError for a typed day that isn't one of the windows', and for a date after the first window."""
        begins, words = self._begins or (None, ())
        if begins is None or words[0].lower() == "at" or read_clock(words[0]) is not None:
            return
        weekday = read_weekday(words[0])
        is_early = first.begins < begins.replace(second=0, microsecond=0)
        if is_early if weekday is None else weekday not in recurrence.days:
            what_next = "Leave the day out: `every fri 16:00`; or leave `every` out."
            raise MomentError(" ".join(words), "is not when the first window begins", what_next)

    def _end(self, begins: datetime | None) -> datetime | None:
        since = begins if begins is not None else self._now
        if not self._until:
            return since + self._lasts if self._lasts is not None else None
        # Counted from the beginning: "from sat 02:00 until 04:00" ends on Saturday.
        ends = self._moment(max(since, self._now))
        if ends <= since and read_weekday(self._until[0]) is not None:
            ends = self._moment(max(since, self._now) + DAY)  # the same weekday of the next week
        if ends <= since:
            raise MomentError(" ".join(self._until), "is not after the beginning")
        return ends

    def _moment(self, now: datetime) -> datetime:
        found = take_moment(self._until, now, self._zone)
        assert found is not None  # noqa: S101 - it was read before
        return found[0]

    def _recurrence(self, days: frozenset[int]) -> Recurrence:
        begins, words = self._begins or (None, ())
        if begins is None and not days:
            raise MomentError("every week", "does not say on which day", "Write `every fri 16:00`.")
        zone = take_zone(words[-1:])[0] or self._zone
        local = begins.astimezone(zone) if begins is not None else None
        days = days or frozenset((local.weekday(),) if local else ())
        # As it was typed: on the day on which clocks change the moment may differ.
        typed = next((clock for word in reversed(words) if (clock := read_clock(word)) is not None), None)
        clock = typed or (local.time().replace(second=0, microsecond=0, fold=0) if local else MIDNIGHT)
        return Recurrence(days, clock, self._recurring_end(days, clock), zone)

    def _recurring_end(self, days: frozenset[int], clock: time) -> timedelta | WallEnd:
        if self._lasts is not None and not self._until:
            return self._lasts
        if not self._until:
            return WallEnd(1, MIDNIGHT)
        weekday, end = read_weekday(self._until[0]), read_clock(self._until[-1])
        if weekday is None:
            if end is None or len(self._until) > 2:
                raise MomentError(" ".join(self._until), "does not come again", "Write a weekday, a time, or both.")
            return WallEnd(0 if end > clock else 1, end)
        if len(days) != 1:
            raise MomentError(" ".join(self._until), "names one day, but it begins on several", "Write a time alone.")
        later = (weekday - next(iter(days))) % 7
        end = end or MIDNIGHT
        return WallEnd(later or (0 if end > clock else 7), end)


def take_days(words: Sequence[str]) -> tuple[frozenset[int], Sequence[str]] | None:
    """`day`, `weekday`, `fri`, `mon,wed`, `mon-fri`, `mon and wed`, or `week` (no day), and the words after it."""
    if not words:
        return None
    if words[0].lower() == "week":
        return frozenset(), words[1:]
    days, rest = _days(words[0]), words[1:]
    while days and len(rest) > 1 and rest[0].lower() in ("and", "&") and (more := _days(rest[1])):
        days, rest = days | more, rest[2:]
    return (days, rest) if days else None


def _days(word: str) -> frozenset[int] | None:
    lowered = word.lower().strip(",")
    if (named := _SETS.get(lowered) or _SETS.get(lowered.removesuffix("s"))) is not None:
        return named
    found: set[int] = set()
    for part in lowered.split(","):
        first, dash, last = part.partition("-")
        begins, ends = read_weekday(first), read_weekday(last if dash else first)
        if begins is None or ends is None:
            return None
        found.update((begins + offset) % 7 for offset in range((ends - begins) % 7 + 1))
    return frozenset(found)
