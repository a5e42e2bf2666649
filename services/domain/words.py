"""Small words that every part says in the same way: ages, times and counts."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_SPAN = re.compile(
    r"([0-9]{1,6})\s*(s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?)", re.IGNORECASE | re.ASCII
)
_HISSING = ("ch", "sh", "s", "x")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def age(span: timedelta) -> str:
    """A span in its largest fitting unit, rounded down: "45 s", "6 min", "3 h", "2 d". Never negative."""
    seconds = max(int(span.total_seconds()), 0)
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 2 * 3600:
        return f"{seconds // 60} min"
    if seconds < 48 * 3600:
        return f"{seconds // 3600} h"
    return f"{seconds // 86_400} d"


def clock_time(moment: datetime) -> str:
    """ "09:02 UTC", for what is stored and read later: an age would grow wrong."""
    return f"{moment.astimezone(UTC):%H:%M} UTC"


def dated_time(moment: datetime, now: datetime) -> str:
    """ "09:02 UTC"; "27 Nov 09:02 UTC" for what is half a day away or more, before or after: a clock alone would
    not tell which day."""
    day = "" if abs(now - moment) < timedelta(hours=12) else f"{moment.astimezone(UTC):%-d %b} "
    return f"{day}{clock_time(moment)}"


def lasting(since: datetime, now: datetime, *, stored: bool) -> str:
    """ "for 12 min"; "since 09:02 UTC" where it is stored."""
    return f"since {dated_time(since, now)}" if stored else f"for {age(now - since)}"


def ago(moment: datetime, now: datetime, *, stored: bool) -> str:
    """ "12 min ago"; "at 09:02 UTC" where it is stored."""
    return f"at {dated_time(moment, now)}" if stored else f"{age(now - moment)} ago"


def read_span(written: str) -> timedelta | None:
    """A span such as `90s`, `10m`, `30mins`, `1hr`, `2 hours` or `2d`; None when it is written otherwise."""
    match = _SPAN.fullmatch(written.strip())
    return timedelta(**{_UNITS[match[2][0].lower()]: int(match[1])}) if match else None


def ordinal(number: int) -> str:
    """ "1st", "2nd", "11th"."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def counted(number: int, noun: str) -> str:
    """ "1 job", "2 jobs", "2 batches": the regular plural."""
    if number == 1:
        return f"{number} {noun}"
    return f"{number} {noun}{'es' if noun.endswith(_HISSING) else 's'}"
