"""The text and level of a log line, if the process writes both into the line itself.

Railway marks everything on stderr as an error, even warnings and access lines; the line's own level is right.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import StrEnum

from services.domain.deployments import LogLine
from services.domain.services import is_sha


class Topic(StrEnum):
    """The topic of a line, the most specific first."""

    CRASH_LOOP = "crash loop"
    PERMISSIONS = "permissions"
    CONNECTIVITY = "DB connectivity"
    CLAIMING = "job claiming"
    STORING = "stored rows"
    REQUESTS = "requests"
    OTHER = "other errors"  # no pattern matches: only the line's severity is known


_LEVEL = r"(?P<level>TRACE|DEBUG|INFO|SUCCESS|WARNING|WARN|ERROR|CRITICAL|FATAL)"
_FORMATS = tuple(
    re.compile(pattern, re.DOTALL)
    for pattern in (
        # "2026-11-29 07:48:09 | INFO     | logger | message"; loguru has " - " before the message
        rf"[\d:., T+-]{{8,40}}\| {_LEVEL} *\| [\w.:<>-]+ (?:\||-) (?P<text>.*)",
        rf"\[\d\d:\d\d:\d\d\.\d{{3}}\] {_LEVEL} +[\w.]+: (?P<text>.*)",  # "[07:48:09.123] INFO    logger: message"
        rf"{_LEVEL}: +(?P<text>.*)",  # uvicorn's format
    )
)
_WORDS = ("msg", "message", "event")  # the names of the message field in JSON lines


def read_line(line: LogLine) -> LogLine:
    """The line with its own level and only its message; unchanged if it has no level of its own."""
    found = _read_object(line.message) or next(
        (match.groupdict() for known in _FORMATS if (match := known.match(line.message))), None
    )
    return line if found is None else replace(line, severity=found["level"].lower(), message=found["text"])


def _read_object(message: str) -> Mapping[str, str] | None:
    if not message.startswith("{"):
        return None
    try:
        fields = json.loads(message)
    except (ValueError, RecursionError):
        return None
    text = next((fields[name] for name in _WORDS if isinstance(fields.get(name), str)), None)
    level = fields.get("level")
    return {"level": level, "text": text} if isinstance(level, str) and text is not None else None


BANNER_WORDS = ("Git SHA:", "Worker ID:")  # in the banner that a worker of `civil` logs at its start, in this order


def banner_commits(lines: Sequence[LogLine]) -> dict[str, str]:
    """`{worker id: commit}` from the banners among the lines; a worker whose banner has no commit is left out."""
    commits: dict[str, str] = {}
    latest: dict[str | None, str] = {}  # by replica, which may have started more than once
    for line in sorted(lines, key=lambda line: (line.timestamp, BANNER_WORDS[1] in line.message)):
        name, _, value = (part.strip() for part in line.message.partition(":"))
        if f"{name}:" == BANNER_WORDS[0]:
            latest[line.replica_id] = value.lower()
        elif f"{name}:" == BANNER_WORDS[1] and is_sha(latest.get(line.replica_id, "")):
            commits[value] = latest.pop(line.replica_id)
    return commits
