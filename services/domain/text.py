"""Makes outside text safe to store, send and print; formats ages, times and counts.

Neither Postgres nor UTF-8 accepts a lone surrogate (half an emoji), and Postgres accepts no NUL. Either of them in a
commit message would fail every statement that carries it, so each client replaces them in what it receives. In printed
lines, characters that would move the cursor or change the reading direction are shown as escapes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TypeVar

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
# JSON escapes that may decode to such a character.
_ESCAPED = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
# Controls (also DEL and C1), line separators, and marks that reverse or hide the text around them; no line feed or tab.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)

_COLOR = re.compile(r"\x1b\[[0-9;]*m")

T = TypeVar("T")


def clean_text(text: str) -> str:
    """The text with U+FFFD in place of NUL and lone surrogates."""
    return _UNSTORABLE.sub(_REPLACEMENT, text)


def without_colors(text: str) -> str:
    """The text without the escape sequences that color it in a terminal."""
    return _COLOR.sub("", text)


def cleaned(value: T) -> T:
    """A JSON value with every text in it, keys too, passed through `clean_text`."""
    return _cleaned(value)  # type: ignore[return-value]


def read_json(content: bytes | str) -> object:
    """Parse JSON as `json.loads` does, with the same errors, and replace characters that cannot be stored.

    Invalid bytes are replaced too: one of them in a commit message must not make the rest unreadable.
    """
    text = content if isinstance(content, str) else content.decode(json.detect_encoding(content), "replace")
    value = json.loads(clean_text(text))
    return cleaned(value) if _ESCAPED.search(text) else value


def printable(text: str) -> str:
    """The text for a terminal or a log: characters that would control it are shown as escapes (`\\x1b`, `\\u202e`)."""
    return _UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def printable_json(text: str) -> str:
    """The JSON with these characters as JSON escapes; its value stays the same."""
    return _UNPRINTABLE.sub(lambda found: json.dumps(found[0])[1:-1], text)


def _cleaned(value: object) -> object:
    match value:
        case str():
            return clean_text(value)
        case Mapping():
            return {_cleaned(key): _cleaned(one) for key, one in value.items()}
        case list() | tuple():
            return [_cleaned(one) for one in value]
        case _:
            return value


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
    """ "09:02 UTC", for text that is stored and read later: an age would become wrong."""
    return f"{moment.astimezone(UTC):%H:%M} UTC"


def dated_time(moment: datetime, now: datetime) -> str:
    """ "09:02 UTC"; "27 Nov 09:02 UTC" if it is 12 hours or more before or after `now`, when a clock time alone would
    not show the day."""
    day = "" if abs(now - moment) < timedelta(hours=12) else f"{moment.astimezone(UTC):%-d %b} "
    return f"{day}{clock_time(moment)}"


def lasting(since: datetime, now: datetime, *, stored: bool) -> str:
    """ "for 12 min"; "since 09:02 UTC" for text that is stored."""
    return f"since {dated_time(since, now)}" if stored else f"for {age(now - since)}"


def ago(moment: datetime, now: datetime, *, stored: bool) -> str:
    """ "12 min ago"; "at 09:02 UTC" for text that is stored."""
    return f"at {dated_time(moment, now)}" if stored else f"{age(now - moment)} ago"


def read_span(written: str) -> timedelta | None:
    """Parse a span such as `90s`, `10m`, `30mins`, `1hr`, `2 hours` or `2d`; None for anything else."""
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
