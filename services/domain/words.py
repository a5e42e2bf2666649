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


def lasting(since: datetime, now: datetime, *, stored: bool) -> str:
    """ "for 12 min"; "since 09:02 UTC" where it is stored."""
    return f"since {clock_time(since)}" if stored else f"for {age(now - since)}"


def read_span(written: str) -> timedelta | None:
    """A span such as `90s`, `10m`, `30mins`, `1hr`, `2 hours` or `2d`; None when it is written otherwise."""
    match = _SPAN.fullmatch(written.strip())
    return timedelta(**{_UNITS[match[2][0].lower()]: int(match[1])}) if match else None


def counted(number: int, noun: str) -> str:
    """ "1 job", "2 jobs", "2 batches": the regular plural."""
    if number == 1:
        return f"{number} {noun}"
    return f"{number} {noun}{'es' if noun.endswith(_HISSING) else 's'}"
