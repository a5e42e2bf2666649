"""Calendars to subscribe to, at secret addresses: the shifts of a person or of a rotation, as iCalendar events."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from fastapi import FastAPI
from fastapi.responses import Response
from icalendar import Calendar, Event

from bot.web.guesses import Guesses
from bot.web.turnstile import Turnstile
from services.clients.postgres import oncall, oncall_changes
from services.clients.postgres.pool import Database
from services.domain.errors import SourceError
from services.domain.oncall import Absent, Override, Schedule
from services.domain.secrets import without_own_secrets
from services.domain.shifts import Shift, shifts

logger = logging.getLogger(__name__)

CALENDAR_PATH = "/calendar/"
BEHIND, AHEAD = timedelta(days=7), timedelta(days=60)
WRONG_A_MINUTE = 30  # guesses at a token; then they are only counted
_TOKEN = re.compile(r"[0-9a-f]{32}\Z")
HEADERS = {"Cache-Control": "private, max-age=300", "X-Robots-Tag": "noindex"}


def calendar_of(schedule: Schedule, user_id: str, rotation: str, overrides: Sequence[Override], now: datetime) -> bytes:
    """Return iCalendar (RFC 5545), in UTC: the shifts of a rotation, or (`rotation` empty) those of the person."""
    calendar = Calendar()
    calendar.add("prodid", "-//Dragonfly ChatOps//On call//EN")
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", f"On call: {rotation or schedule.person_of(user_id).name}")
    for name in [rotation] if rotation else schedule.rotations:
        for shift in shifts(schedule, name, now - BEHIND, now + AHEAD, overrides):
            if shift.person is not None and (rotation or shift.person.slack == user_id):
                calendar.add_component(_event(shift, shift.person.name, now))
    return bytes(calendar.to_ical())


def _event(shift: Shift, who: str, now: datetime) -> Event:
    event = Event()
    event.add("uid", f"{shift.rotation}-{shift.begins:%Y%m%dT%H%M%SZ}@dragonfly-chatops")
    event.add("dtstamp", now)
    event.add("dtstart", shift.begins.astimezone(UTC))
    event.add("dtend", shift.ends.astimezone(UTC))
    event.add("summary", f"{who} on call ({shift.rotation})")
    return event


class Calendars:
    """Reads calendars by token. `schedule` returns the one in force. `absent`: why a person's token is void."""

    def __init__(self, database: Database, schedule: Callable[[], Schedule | None], absent: Absent) -> None:
        self._database = database
        self._schedule = schedule
        self._absent = absent

    async def read(self, token: str) -> bytes | None:
        """Return a token's calendar; None if it is not valid. Raises SourceError, also if no schedule is usable."""
        async with self._database.read() as conn:
            found = await oncall_changes.read_calendar_feed(conn, token=token)
            now = datetime.now(UTC)
            overrides = await oncall.list_overrides_since(conn, since=now - BEHIND) if found else []
        if found is None or self._absent(found[0]) is not None:
            return None
        schedule = self._schedule()
        if schedule is None:
            raise SourceError("on-call file", "there is no schedule that can be used")
        return calendar_of(schedule, *found, overrides, now)


def add_calendars(app: FastAPI, calendars: Calendars) -> None:
    """Add the route. A stranger learns nothing: an unknown and a renewed token have the same answer.

    503 if a token can't be looked up: a calendar application that reads 404 forgets the address.
    """
    guesses, turnstile = Guesses(WRONG_A_MINUTE, CALENDAR_PATH), Turnstile()

    @app.get(CALENDAR_PATH + "{token}.ics")
    async def show(token: str) -> Response:
        if _TOKEN.match(token) is None:
            content = None
        elif turnstile.is_full:
            return Response(status_code=503)
        else:
            try:
                content = await turnstile.run(calendars.read(token))
            except SourceError as error:
                logger.warning("a calendar was not answered: %s", error.why)
                return Response(status_code=503)
        if content is None:
            return Response(status_code=404 if guesses.count(time.monotonic()) else 429)
        shown = without_own_secrets(content.decode())
        return Response(shown, media_type="text/calendar; charset=utf-8", headers=HEADERS)
