"""Parse calendars in a separate process, because a calendar of a few kB can keep a processor busy for minutes.

`python -m services.clients.calendar_events <time zone> <moment> <seconds>` is that process: it reads the calendar from
stdin and writes its events as JSON to stdout.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import signal
import sys
from collections import OrderedDict
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from services.clients.programs import run_program
from services.domain.calendar_slots import CalendarError, CalendarEvent, read_events
from services.domain.errors import SourceError
from services.domain.text import read_json

CPU_S = 5  # seconds of processor time; a calendar at the limits of `read_events` takes about 1 s
TIMEOUT_S = 30.0  # elapsed time; when it runs out, the machine is too busy, and the calendar may be fine
MEMORY = 512 * 1024 * 1024  # bytes
MOST_KNOWN = 64  # cached results, also of earlier contents of a calendar
_ROOT = Path(__file__).parents[2]  # the working directory in which the process can import our packages

_Key = tuple[str, str, datetime]  # the content's digest, the time zone, the moment


class CalendarReader:
    """Parses each content once per time zone and moment, one at a time; refusals are cached too."""

    def __init__(self, *, cpu_s: int = CPU_S) -> None:
        self._cpu_s = cpu_s
        self._known: OrderedDict[_Key, tuple[CalendarEvent, ...] | str] = OrderedDict()
        self._one_at_a_time = asyncio.Lock()

    async def read(self, content: bytes, zone: ZoneInfo, now: datetime) -> tuple[CalendarEvent, ...]:
        """Return the events around `now`. Takes up to `TIMEOUT_S` seconds: never call it inside a transaction.

        Raises CalendarError for a calendar that can't be used, and SourceError if only this attempt failed.
        """
        key = (sha256(content).hexdigest(), zone.key, now)
        async with self._one_at_a_time:
            if key not in self._known:
                self._known[key] = await _read(content, zone, now, self._cpu_s)
                while len(self._known) > MOST_KNOWN:
                    self._known.popitem(last=False)
            self._known.move_to_end(key)
            found = self._known[key]
        if isinstance(found, str):
            raise CalendarError(found)
        return found


async def _read(content: bytes, zone: ZoneInfo, now: datetime, cpu_s: int) -> tuple[CalendarEvent, ...] | str:
    """Return the events, or the reason why the calendar can't be used."""
    arguments = (sys.executable, "-m", __name__, zone.key, now.isoformat(), str(cpu_s))
    try:
        async with asyncio.timeout(TIMEOUT_S):
            # Its environment is empty: a process that parses other people's files needs none of our secrets.
            code, out, _ = await run_program(*arguments, stdin=content, directory=_ROOT, environ={})
    except TimeoutError:
        raise SourceError("calendar", f"was not read within {TIMEOUT_S:g} s", retryable=True) from None
    except OSError as error:
        raise SourceError("calendar", f"can't be read here ({type(error).__name__})", retryable=True) from None
    if code == -signal.SIGXCPU:
        return f"takes more than {cpu_s} s of processor time: remove events that repeat"
    if code:
        return f"is not readable as iCal (exit code {code})"
    found: Any = read_json(out)
    return found if isinstance(found, str) else tuple(map(_to_event, found))


def _to_event(row: Any) -> CalendarEvent:
    title, begins, ends, attendees = row
    return CalendarEvent(title, datetime.fromisoformat(begins), datetime.fromisoformat(ends), tuple(attendees))


def _to_row(event: CalendarEvent) -> list[Any]:
    return [event.title, event.begins.isoformat(), event.ends.isoformat(), event.attendees]


def main(zone: str, now: str, cpu_s: str) -> None:
    """Run the separate process: parse stdin within limits of CPU time and memory, write JSON to stdout."""
    os.nice(10)  # the bot, which sends pages, has priority
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (int(cpu_s), int(cpu_s) + 1))  # SIGXCPU at the first limit, then SIGKILL
    with contextlib.suppress(ValueError, OSError):  # macOS has no such limit
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    found: list[Any] | str
    try:
        found = [
            _to_row(event)
            for event in read_events(sys.stdin.buffer.read(), ZoneInfo(zone), datetime.fromisoformat(now))
        ]
    except CalendarError as error:
        found = str(error)
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
