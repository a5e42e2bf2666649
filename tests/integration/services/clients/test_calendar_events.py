"""Calendars are read in a separate process, so that a hostile one ends only that, and each content once."""

from __future__ import annotations

import asyncio
import os
import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from services.clients import calendar_events
from services.clients.calendar_events import CalendarReader
from services.domain.calendar_slots import CalendarError, CalendarEvent

NOW = datetime(2026, 3, 20, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def calendar(event: str, count: int = 1) -> bytes:
    events = "".join(f"BEGIN:VEVENT\nUID:{number}\n{event}\nEND:VEVENT\n" for number in range(count))
    return f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:test\n{events}END:VCALENDAR\n".replace("\n", "\r\n").encode()


# A rule that matches no date: the parser searches until the year 9999, 5 s per event.
ENDLESS = calendar("DTSTART:20260321T080000Z\nSUMMARY:ann\nRRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", 20)


async def test_the_events_are_what_the_process_read() -> None:
    whole_day = "DTSTART;VALUE=DATE:20260328\nDTEND;VALUE=DATE:20260330\nSUMMARY:Änn \U0001f680"
    attendee = "ATTENDEE:mailto:ann@example.com\nATTENDEE;PARTSTAT=DECLINED:mailto:b.ex@example.com"

    found = await CalendarReader().read(calendar(f"{whole_day}\n{attendee}"), BERLIN, NOW)

    begins, ends = datetime(2026, 3, 27, 23, tzinfo=UTC), datetime(2026, 3, 29, 22, tzinfo=UTC)
    assert found == (CalendarEvent("Änn \U0001f680", begins, ends, ("ann@example.com",)),)


async def test_a_calendar_that_burns_the_processor_is_refused_without_holding_the_loop_up_and_tried_once() -> None:
    reader, longest_pause_s = CalendarReader(cpu_s=1), 0.0
    before = os.times()
    reading = asyncio.create_task(reader.read(ENDLESS, BERLIN, NOW))
    while not reading.done():
        asked = time.process_time()
        await asyncio.sleep(0.05)
        longest_pause_s = max(longest_pause_s, time.process_time() - asked)

    with pytest.raises(CalendarError, match="takes more than 1 s of processor time: remove events that repeat"):
        await reading
    assert longest_pause_s < 1.0  # of this process's CPU time
    spent = os.times().children_user - before.children_user
    with pytest.raises(CalendarError, match="of processor time"):
        await reader.read(ENDLESS, BERLIN, NOW)
    assert os.times().children_user - before.children_user == spent  # no other process


async def test_each_content_is_read_once_per_zone_and_moment() -> None:
    reader, good, bad = CalendarReader(), calendar("DTSTART:20260321T080000Z\nSUMMARY:ann"), b"<html>Sign in</html>"
    first = await reader.read(good, BERLIN, NOW)
    for _ in range(2):
        with pytest.raises(CalendarError, match=r"is not readable as iCal \(ValueError\)"):
            await reader.read(bad, BERLIN, NOW)
    spent = os.times().children_user

    assert await reader.read(good, BERLIN, NOW) is first
    with pytest.raises(CalendarError):
        await reader.read(bad, BERLIN, NOW)
    assert os.times().children_user == spent
    assert await reader.read(good, BERLIN, NOW + timedelta(days=1)) is not first


async def test_the_process_gets_none_of_our_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """PYTHONPATH and secrets alike."""
    monkeypatch.setenv("PYTHONHOME", "/nowhere")

    assert await CalendarReader().read(calendar("DTSTART:20260321T080000Z\nSUMMARY:ann"), BERLIN, NOW)


async def test_calendar_reader_keeps_a_bounded_number_of_calendars(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calendar_events, "MOST_KNOWN", 1)
    reader, content = CalendarReader(), calendar("DTSTART:20260321T080000Z\nSUMMARY:ann")
    first = await reader.read(content, BERLIN, NOW)
    await reader.read(content, ZoneInfo("UTC"), NOW)

    assert await reader.read(content, BERLIN, NOW) is not first
