"""Groups the lines of a log into entries: a traceback is one entry.

A platform stores each line of a process separately, so the lines of two replicas may alternate within one traceback.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum, auto

from services.domain.deployments import LogLine

_TRACEBACK = re.compile(r"\s*(?:\+ )?(?:Exception Group )?Traceback \(most recent call last\)")
_ERROR = re.compile(r"[A-Za-z_][\w.]*(?::(?: |$)|$)")  # "psycopg.errors.UniqueViolation: …", "KeyboardInterrupt"
_GROUP_ENDS = re.compile(r"\s*\+-+\s*$")  # every line of an exception group is indented
_CHAINED = re.compile(r"(?:During handling of|The above exception was the direct cause of) ")
_OF_THE_ERROR = re.compile(r"(?:DETAIL|HINT|CONTEXT|QUERY|STATEMENT|LINE \d+): ")  # further lines of psycopg's text


class _Part(Enum):
    """The part of a traceback that a replica's newest entry has reached: frames, the error, or the text between two
    tracebacks."""

    PLAIN = auto()
    FRAMES = auto()
    ERROR = auto()
    CHAINED = auto()


def split_entries(lines: Sequence[LogLine]) -> list[list[int]]:
    """The lines of each entry by their index, in the order in which they were written; entries by their first line.

    `lines`: oldest first.
    """
    entries: list[list[int]] = []
    newest: dict[str | None, tuple[list[int], _Part]] = {}
    for index, line in enumerate(lines):
        before = newest.get(line.replica_id)
        part = _continues(line.message, before[1]) if before else None
        if before is None or part is None:
            entry: list[int] = []
            entries.append(entry)
            part = _begins(line.message)
        else:
            entry = before[0]
        entry.append(index)
        newest[line.replica_id] = entry, part
    return entries


def _begins(message: str) -> _Part:
    """The part that a new entry starts in. An indented line is the rest of a traceback whose first lines are absent."""
    return _Part.FRAMES if _TRACEBACK.match(message) or message[:1].isspace() else _Part.PLAIN


def _continues(message: str, part: _Part) -> _Part | None:
    """The part that the entry reaches with this line; None if the line begins another entry."""
    if _TRACEBACK.match(message):
        return _Part.FRAMES if part is _Part.CHAINED or message[:1].isspace() else None
    if part is _Part.PLAIN:
        return part if message[:1].isspace() else None
    if not message.strip() or message[:1].isspace():
        return _Part.ERROR if _GROUP_ENDS.match(message) else part
    if part is _Part.FRAMES:
        return _Part.ERROR if _ERROR.match(message) else None
    if _CHAINED.match(message):
        return _Part.CHAINED
    return part if _OF_THE_ERROR.match(message) else None
