"""A calendar as the source of a rotation: the people whom its events put on call, and the refused calendars."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest

from services.domain.calendar_slots import (
    AROUND,
    MOST_EVENTS,
    MOST_REPEATED,
    MOST_SLOTS,
    CalendarError,
    CalendarSlots,
    KnownPeople,
    read_events,
    slots_of,
)
from services.domain.channels import Channel
from services.domain.oncall import Gap, Level, OnCallPerson, Schedule, gaps
from services.domain.rotations import CalendarRotation, Slot, edges, next_handover, shift_of
from services.domain.shifts import FURTHEST, shifts

NOW = datetime(2026, 3, 20, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
HOUR = timedelta(hours=1)
PEOPLE = {
    "ann": OnCallPerson("ann", "U0ANN", email="ann"),
    "ben": OnCallPerson("ben", "U0BEN", email="ben"),
    "cem": OnCallPerson("cem", "U0CEM", email="team"),
    "dora": OnCallPerson("dora", "U0DORA", email="team"),
}
KNOWN = KnownPeople(PEOPLE, {"ann@example.com": "ann", "b.ex@example.com": "ben", "team@example.com": "team"})
SHIFT = "DTSTART:20260321T080000Z\nDTEND:20260322T080000Z\n"


def calendar(*events: str) -> bytes:
    shown = [f"BEGIN:VEVENT\nUID:{number}\n{event.strip()}\nEND:VEVENT\n" for number, event in enumerate(events)]
    text = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:test\n{''.join(shown)}END:VCALENDAR\n"
    return text.replace("\n", "\r\n").encode()


def read(*events: str, zone: ZoneInfo = BERLIN) -> CalendarSlots:
    return slots_of(read_events(calendar(*events), zone, NOW), KNOWN)


def utc(day: int, hour: int, minute: int = 0, month: int = 3) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("event", "names"),
    [
        ("SUMMARY:ann", "ann"),
        ("SUMMARY:Ann on call (primary)", "ann"),  # as our own feeds name people
        ("SUMMARY:On call: @BEN", "ben"),
        ("SUMMARY:Ann's week", "ann"),
        ("SUMMARY:U0CEM", "cem"),
        ("SUMMARY:b.ex@example.com is on call", "ben"),
        ("SUMMARY:<ANN@example.com>", "ann"),
        ("SUMMARY:On call\nATTENDEE;CN=Ben:mailto:B.Ex@example.com", "ben"),
        ("SUMMARY:ann\nATTENDEE:mailto:b.ex@example.com", "ben"),  # the invited person counts, not the title
        ("SUMMARY:ann\nATTENDEE;PARTSTAT=DECLINED:mailto:b.ex@example.com", "ann"),
        ("SUMMARY:ann\nATTENDEE:mailto:room-1@example.com", "ann"),
        ("SUMMARY:x\nATTENDEE:mailto:ann@example.com\nATTENDEE:mailto:ANN@example.com", "ann"),
    ],
)
def test_an_event_names_a_person_by_an_attendee_or_by_its_title(event: str, names: str) -> None:
    assert read(f"{SHIFT}{event}") == CalendarSlots((Slot(utc(21, 8), utc(22, 8), names),), ())


@pytest.mark.parametrize(
    ("event", "why"),
    [
        ("SUMMARY:Carl on call", "names no one"),
        ("DESCRIPTION:ann", "names no one"),
        ("SUMMARY:annabel", "names no one"),
        ("SUMMARY:ben covers for ann", "names ben and ann"),
        ("SUMMARY:team@example.com", "names no one"),  # two people have this address
        ("SUMMARY:x\nATTENDEE:mailto:ann@example.com\nATTENDEE:mailto:b.ex@example.com", "names ann and ben"),
    ],
)
def test_an_event_that_names_no_one_or_two_people_puts_no_one_on_call(event: str, why: str) -> None:
    found = read(f"{SHIFT}{event}")

    assert found.slots == ()
    [unnamed] = found.unnamed
    assert unnamed.begins == utc(21, 8)
    assert why in unnamed.why


def test_cancelled_and_empty_events_put_no_one_on_call() -> None:
    cancelled, empty = f"{SHIFT}SUMMARY:ann\nSTATUS:CANCELLED", "DTSTART:20260321T080000Z\nSUMMARY:ann"

    assert read(cancelled, empty) == CalendarSlots((), ())


def test_whole_days_and_times_without_a_zone_are_by_the_rotations_clock_across_its_change() -> None:
    days = "DTSTART;VALUE=DATE:20260328\nDTEND;VALUE=DATE:20260330\nSUMMARY:ann"
    floating = "DTSTART:20260328T023000\nDTEND:20260329T023000\nSUMMARY:ben"  # the 29th has no 02:30

    assert read(days).slots == (Slot(utc(27, 23), utc(29, 22), "ann"),)
    assert read(floating).slots == (Slot(utc(28, 1, 30), utc(29, 1, 30), "ben"),)


def test_repeated_moved_and_excluded_events_follow_the_clock_of_their_zone() -> None:
    weekly = (
        "DTSTART;TZID=Europe/Berlin:20260316T090000\nDTEND;TZID=Europe/Berlin:20260317T090000\nSUMMARY:ann\n"
        "RRULE:FREQ=WEEKLY;UNTIL=20260415T000000Z\nEXDATE;TZID=Europe/Berlin:20260406T090000"
    )
    moved = (
        "RECURRENCE-ID;TZID=Europe/Berlin:20260323T090000\nDTSTART;TZID=Europe/Berlin:20260324T090000\n"
        "DTEND;TZID=Europe/Berlin:20260325T090000\nSUMMARY:ben"
    )
    content = calendar(weekly, moved).replace(b"UID:1", b"UID:0")

    found = slots_of(read_events(content, ZoneInfo("UTC"), NOW), KNOWN).slots

    assert found == (
        Slot(utc(16, 8), utc(17, 8), "ann"),
        Slot(utc(24, 8), utc(25, 8), "ben"),
        Slot(utc(30, 7), utc(31, 7), "ann"),  # summer time
        Slot(utc(13, 7, month=4), utc(14, 7, month=4), "ann"),
    )


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is not readable as iCal"),
        (b"<html>Sign in</html>", "is not readable as iCal"),
        (calendar("DTSTART:tomorrow\nSUMMARY:ann"), "is not readable as iCal"),
        (calendar(f"{SHIFT}SUMMARY:ann\nRRULE:FREQ=SECONDLY"), "more than once per day"),
        (calendar(f"{SHIFT}SUMMARY:ann\nRRULE:FREQ=DAILY;BYMINUTE=1,2"), "more than once per day"),
        (
            calendar("DTSTART;TZID=Nowhere/Else:20260321T080000\nDTEND;TZID=Nowhere/Else:20260321T090000\nSUMMARY:ann"),
            "has a time zone that is not known (Nowhere/Else)",
        ),
        (calendar(*[f"{SHIFT}SUMMARY:ann"] * (MOST_EVENTS + 1)), f"more than {MOST_EVENTS} events"),
        (calendar(*[f"{SHIFT}RRULE:FREQ=YEARLY"] * (MOST_REPEATED + 1)), f"or {MOST_REPEATED} that repeat"),
        (calendar(*[f"{SHIFT}SUMMARY:ann"] * (MOST_SLOTS + 1)), f"more than {MOST_SLOTS} events in 6 months"),
    ],
    ids=range(9),
)
def test_a_calendar_that_cannot_be_used_says_why(content: bytes, why: str) -> None:
    with pytest.raises(CalendarError) as refused:
        read_events(content, BERLIN, NOW)

    assert why in str(refused.value)


def test_calendars_at_their_limits_are_used() -> None:
    old = "DTSTART:20200321T080000Z\nDTEND:20200322T080000Z\nSUMMARY:ann"
    yearly = f"{old}\nRRULE:FREQ=YEARLY"
    events = [yearly] * MOST_REPEATED + [old] * (MOST_EVENTS - MOST_REPEATED)

    assert len(read(*events).slots) == MOST_REPEATED


def test_of_events_that_overlap_the_one_that_begins_last_counts_and_then_the_shorter_one() -> None:
    week = "DTSTART:20260321T000000Z\nDTEND:20260328T000000Z\nSUMMARY:ann"
    day = "DTSTART:20260323T000000Z\nDTEND:20260324T000000Z\nSUMMARY:ben"
    from_the_start = "DTSTART:20260321T000000Z\nDTEND:20260321T060000Z\nSUMMARY:cem"
    rotation = CalendarRotation("primary", "team", BERLIN, read(day, week, from_the_start).slots)

    expected = {utc(20, 23): None, utc(21, 0): "cem", utc(21, 6): "ann", utc(23, 5): "ben", utc(24, 0): "ann"}
    assert {at: shift_of(rotation, at) for at in expected} == expected
    assert shift_of(rotation, utc(28, 0)) is None
    assert next_handover(rotation, utc(21, 1)) == utc(21, 6)
    assert next_handover(rotation, utc(24, 1)) is None
    assert rotation.everyone == ("ann", "cem", "ben")


def test_shifts_and_gaps_of_random_calendar_events_equal_an_hourly_scan() -> None:
    random = Random(4)  # noqa: S311
    begins = [NOW + random.randrange(24 * 14) * HOUR for _ in range(40)]
    slots = [Slot(at, at + random.randrange(1, 30) * HOUR, random.choice("ab")) for at in begins]
    slots.sort(key=lambda slot: (slot.begins, -(slot.ends - slot.begins), slot.name))
    people = {name: OnCallPerson(name, f"U{name}") for name in "ab"}
    schedule = Schedule(
        people,
        {"primary": CalendarRotation("primary", "team", BERLIN, tuple(slots))},
        (Level(("primary",), frozenset(Channel), HOUR),),
    )

    found = shifts(schedule, "primary", NOW, NOW + 15 * 24 * HOUR, ())

    silent = [Gap(0, one.begins, one.ends) for one in found if one.person is None]
    assert gaps(schedule, NOW, NOW + 15 * 24 * HOUR, ()) == silent
    for hour in range(15 * 24):
        at = NOW + hour * HOUR
        held = [slot.name for slot in slots if slot.begins <= at < slot.ends]
        [shift] = [one for one in found if one.begins <= at < one.ends]
        assert (shift.person.name if shift.person else None) == (held[-1] if held else None)


def test_a_calendar_that_was_never_read_puts_no_one_on_call() -> None:
    rotation = CalendarRotation("primary", "team", BERLIN)

    assert shift_of(rotation, NOW) is None
    assert list(edges(rotation, NOW, NOW + HOUR)) == []


def test_turns_reach_further_than_people_plan() -> None:
    daily = f"DTSTART:{date(2025, 1, 1):%Y%m%d}T000000Z\nDTEND:20250102T000000Z\nSUMMARY:ann\nRRULE:FREQ=DAILY"
    slots = read(daily).slots

    assert timedelta(days=1) + FURTHEST < AROUND
    assert slots[0].begins <= NOW - FURTHEST
    assert slots[-1].ends >= NOW + timedelta(days=1) + FURTHEST
