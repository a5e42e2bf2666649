"""What the processes wrote, as Railway keeps and filters it."""

from __future__ import annotations

import json
import shlex
from asyncio import StreamReader
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime

KEPT_LINES = 5000  # a deployment: what one query may ask for
LONGEST_LINE = 65_536  # bytes; longer lines are cut


@dataclass(frozen=True)
class LogEntry:
    """One line."""

    timestamp: datetime
    severity: str
    message: str
    replica_id: str | None = None


class LogBuffer:
    """The last lines of one deployment, or of its build."""

    def __init__(self) -> None:
        self.entries: deque[LogEntry] = deque(maxlen=KEPT_LINES)

    def write(self, message: str, *, severity: str = "info", replica_id: str | None = None) -> None:
        """Append a line of now."""
        self.entries.append(LogEntry(datetime.now(UTC), severity, message, replica_id))

    def write_output(self, raw: str, *, severity: str, replica_id: str) -> None:
        """Append a line of a process. A JSON line brings its own level and message, as with Railway."""
        try:
            parsed = json.loads(raw) if raw.startswith("{") else None
        except ValueError:
            parsed = None
        if isinstance(parsed, dict) and isinstance(parsed.get("message"), str):
            raw, severity = parsed["message"], str(parsed.get("level", severity)).lower()
        self.write(raw, severity=severity, replica_id=replica_id)

    def find(self, log_filter: str) -> list[LogEntry]:
        """The lines that match, oldest first."""
        terms = _split(log_filter)
        return [entry for entry in self.entries if all(_matches(entry, term) for term in terms)]


async def read_lines(stream: StreamReader) -> AsyncIterator[str]:
    """Lines without their ending, also the last unfinished one. Bytes that are no UTF-8 are replaced."""
    rest = b""
    while chunk := await stream.read(LONGEST_LINE):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield _decode(line)
        rest = rest[:LONGEST_LINE]
    if rest:
        yield _decode(rest)


def _decode(line: bytes) -> str:
    return line[:LONGEST_LINE].decode("utf-8", errors="replace").rstrip("\r").replace("\0", "�")


def _split(log_filter: str) -> list[str]:
    """Words and quoted phrases. Of Railway's syntax only what the bot uses: no OR, no parentheses, no ranges."""
    try:
        return shlex.split(log_filter)
    except ValueError:
        return log_filter.split()


def _matches(entry: LogEntry, term: str) -> bool:
    if term.startswith("-") and len(term) > 1:
        return not _matches(entry, term[1:])
    if term.startswith("@level:"):
        return entry.severity == term.removeprefix("@level:")
    if term.startswith("replica:"):
        return entry.replica_id == term.removeprefix("replica:")
    return term.lower() in entry.message.lower()
