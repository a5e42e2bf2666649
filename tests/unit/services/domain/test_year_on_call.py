"""A year on call, minute by minute: the schedule equals an oracle, and every gap is announced.

The oracle below shares no code with the schedule: it has a table of each zone's clock changes, moves the clocks forward
minute by minute, and starts each turn when the clock shows its time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from random import Random
from zoneinfo import ZoneInfo

import pytest

from services.domain.channels import Channel
from services.domain.oncall import Level, OnCallPerson, Override, Schedule, gaps, on_call
from services.domain.people import Person
from services.domain.rotations import Hours, Rotation
from services.domain.shifts import Shift, shifts

MINUTE = timedelta(minutes=1)
BEGINS = datetime(2026, 1, 1, tzinfo=UTC)
MINUTES = 365 * 24 * 60
ENDS = BEGINS + MINUTES * MINUTE
PEOPLE = {name: OnCallPerson(name, f"U{place}") for place, name in enumerate(("ann", "ben", "cem", "dora"))}
BY = Person("U0", "T1")

# (start in UTC, offset from UTC in minutes), typed by hand from the IANA database. Lord Howe Island changes by 30 min,
# and in the other half of the year.
CLOCKS = {
    "Europe/Berlin": [(None, 60), ((3, 29, 1, 0), 120), ((10, 25, 1, 0), 60)],
    "America/New_York": [(None, -300), ((3, 8, 7, 0), -240), ((11, 1, 6, 0), -300)],
    "Australia/Lord_Howe": [(None, 660), ((4, 4, 15, 0), 630), ((10, 3, 15, 30), 660)],
}


def local_minutes(zone: str) -> list[int]:
    """The local time at each minute of the year: minutes since the local midnight at the start of 2026."""
    offsets: list[int] = []
    changes = CLOCKS[zone]
    for (_, offset), (following, _) in pairwise([*changes, ((12, 31, 23, 59), 0)]):
        assert following is not None
        until = (datetime(2026, *following, tzinfo=UTC) - BEGINS) // MINUTE
        offsets += [offset] * (until - len(offsets))
    offsets += [offsets[-1]] * (MINUTES - len(offsets))
    return [minute + offset for minute, offset in enumerate(offsets)]


def first_minutes(local: Sequence[int], clock: time) -> set[int]:
    """The minutes of the year at which the clock first shows this time of each local day. On a day that skips the time:
    as many minutes after the jump as the time is after the jump's start."""
    wanted, found, done = clock.hour * 60 + clock.minute, set(), set()
    for minute, shown in enumerate(local):
        if minute and shown > local[minute - 1] + 1:  # clocks went forward
            for skipped in range(local[minute - 1] + 1, shown):
                if skipped % 1440 == wanted and skipped // 1440 not in done:
                    done.add(skipped // 1440)
                    found.add(minute + skipped - (local[minute - 1] + 1))
        if shown % 1440 == wanted and shown // 1440 not in done:
            done.add(shown // 1440)
            found.add(minute)
    return found


def whose_turn(rotation: Rotation) -> list[str | None]:
    """The person at each minute of the year by one rotation without its layers; None if no one is on duty."""
    local = local_minutes(rotation.zone.key)
    handovers = first_minutes(local, rotation.handover)
    opens = first_minutes(local, rotation.hours.begins if rotation.hours else time())
    closes = first_minutes(local, rotation.hours.ends) if rotation.hours else set[int]()
    starts, until = _day(rotation.starts), _day(rotation.until) if rotation.until else 10**6
    found: list[str | None] = []
    turn, is_open = _turns_before(rotation, local[0]), _is_open_at_first(rotation, local[0])
    over = False
    for minute, shown in enumerate(local):
        day = shown // 1440
        if minute in handovers:
            since = day - starts
            turn = turn + 1 if since >= 0 and since % rotation.days == 0 else turn
            over = over or day >= until
        if minute in closes:
            is_open = False
        if minute in opens:
            is_open = (date(2026, 1, 1) + timedelta(days=day)).weekday() in rotation.weekdays
        name = rotation.people[turn % len(rotation.people)] if turn >= 0 and not over and is_open else None
        found.append(name)
    return found


def _day(day: date) -> int:
    return (day - date(2026, 1, 1)).days


def _turns_before(rotation: Rotation, shown: int) -> int:
    """The number of the turn in the year's first minute; -1 before the first turn."""
    handover = rotation.handover.hour * 60 + rotation.handover.minute
    turn, day = -1, _day(rotation.starts)
    while day * 1440 + handover < shown:
        turn, day = turn + 1, day + rotation.days
    return turn


def _is_open_at_first(rotation: Rotation, shown: int) -> bool:
    """True if the rotation is on duty in the year's first minute; no clock changes in the weeks before it."""
    hours = rotation.hours or Hours(time(), time())
    begins, ends = (clock.hour * 60 + clock.minute for clock in (hours.begins, hours.ends))
    lasts = (ends - begins) % 1440 or 1440
    first = shown // 1440
    return any(
        day * 1440 + begins < shown < day * 1440 + begins + lasts
        and (date(2026, 1, 1) + timedelta(days=day)).weekday() in rotation.weekdays
        for day in (first - 1, first)
    )


def who_the_rules_say(rotation: Rotation) -> list[str | None]:
    """The person at each minute of the year by the rotation and its layers, the last layer first."""
    found = whose_turn(rotation)
    for layer in rotation.layers:
        found = [above or below for above, below in zip(whose_turn(layer), found, strict=True)]
    return found


def overridden(by_file: Sequence[str | None], overrides: Sequence[Override]) -> list[str | None]:
    """The person at each minute after the overrides, applied in the order in which they were made."""
    found = list(by_file)
    names = {person.slack: name for name, person in PEOPLE.items()}
    for override in overrides:
        first, last = ((moment - BEGINS) // MINUTE for moment in (override.begins_at, override.ends_at))
        found[max(first, 0) : max(last, 0)] = [names[override.user_id]] * (min(last, MINUTES) - max(first, 0))
    return found


def spread(found: Sequence[Shift]) -> Iterator[str | None]:
    """Yield the name at each minute of the shifts."""
    for shift in found:
        yield from [shift.person.name if shift.person else None] * ((shift.ends - shift.begins) // MINUTE)


def overlapping(rotation: str, seed: int) -> list[Override]:
    """Random overrides of hours or days, some at the clock changes; many of them overlap."""
    random = Random(seed)  # noqa: S311
    centers = [random.randrange(MINUTES) for _ in range(25)]
    changes = ((3, 29, 1, 0), (10, 25, 1, 0), (3, 8, 7, 0), (11, 1, 6, 0))
    centers += [(datetime(2026, *at, tzinfo=UTC) - BEGINS) // MINUTE for at in changes]
    begins = sorted(max(center - random.randrange(600), 0) for center in centers)
    return [
        Override(
            number,
            rotation,
            random.choice([person.slack for person in PEOPLE.values()]),
            BEGINS + minute * MINUTE,
            min(BEGINS + (minute + random.randrange(1, 6000)) * MINUTE, ENDS),
            BY,
            BEGINS,
        )
        for number, minute in enumerate(begins, start=1)
    ]


def rotation(zone: str, handover: time, **given: object) -> Rotation:
    made = Rotation("primary", ("ann", "ben", "cem"), 7, date(2025, 12, 1), handover, ZoneInfo(zone))
    return replace(made, **given)  # type: ignore[arg-type]


MIDNIGHT, HALF_PAST_TWO = time(), time(2, 30)
NIGHTS = Hours(time(20), time(6))
CASES: dict[str, Callable[[], Rotation]] = {
    "weekly at midnight in Berlin": lambda: rotation("Europe/Berlin", MIDNIGHT),
    "daily at half past two in New York, from March until November": lambda: rotation(
        "America/New_York", HALF_PAST_TWO, days=1, starts=date(2026, 3, 7), until=date(2026, 11, 2)
    ),
    "weekdays only, with a layer at half past two, on Lord Howe Island": lambda: rotation(
        "Australia/Lord_Howe",
        HALF_PAST_TWO,
        weekdays=frozenset(range(5)),
        layers=(
            rotation(
                "Australia/Lord_Howe", HALF_PAST_TWO, people=("dora",), hours=Hours(HALF_PAST_TWO, time(4)), days=1
            ),
        ),
    ),
    "nights and weekends as layers in Berlin": lambda: rotation(
        "Europe/Berlin",
        MIDNIGHT,
        layers=(
            rotation(
                "Europe/Berlin", HALF_PAST_TWO, people=("dora", "ann"), hours=NIGHTS, weekdays=frozenset(range(5))
            ),
            rotation("Europe/Berlin", HALF_PAST_TWO, people=("cem", "dora"), days=1, weekdays=frozenset((5, 6))),
        ),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_shifts_equal_the_rules_at_every_minute_of_a_year(case: str) -> None:
    rotation = CASES[case]()
    level = Level(("primary",), frozenset(Channel), 5 * MINUTE)
    schedule = Schedule(PEOPLE, {"primary": rotation}, (level,))
    by_file = who_the_rules_say(rotation)
    # Also without overrides: those at the clock changes would hide the file's result there.
    assert first_difference(list(spread(shifts(schedule, "primary", BEGINS, ENDS, ()))), by_file) is None

    overrides = overlapping("primary", seed=len(case))
    expected = overridden(by_file, overrides)
    found = shifts(schedule, "primary", BEGINS, ENDS, overrides)

    assert first_difference(list(spread(found)), expected) is None
    assert all(one.person != following.person for one, following in pairwise(found))
    announced = silent_minutes((one.begins, one.ends) for one in gaps(schedule, BEGINS, ENDS, overrides))
    assert first_difference(announced, [name is None for name in expected]) is None
    # `on_call`, another function, names the same person around each change.
    for change in Random(7).sample(found[1:], min(len(found) - 1, 60)):  # noqa: S311
        for moment in (change.begins - MINUTE, change.begins):
            people = on_call(schedule, level, moment, overrides)
            assert [one.name for one in people] == [name for name in [expected[(moment - BEGINS) // MINUTE]] if name]


def silent_minutes(spans: Iterator[tuple[datetime, datetime]]) -> list[bool]:
    found = [False] * MINUTES
    for begins, ends in spans:
        first, last = (begins - BEGINS) // MINUTE, (ends - BEGINS) // MINUTE
        found[first:last] = [True] * (last - first)
    return found


def first_difference(found: Sequence[object], expected: Sequence[object]) -> tuple[datetime, object, object] | None:
    """`(moment, found, expected)` of the first difference, None if there is none; a readable assertion."""
    assert len(found) == len(expected)
    if found == expected:
        return None
    pairs = enumerate(zip(found, expected, strict=True))
    return next((BEGINS + minute * MINUTE, one, other) for minute, (one, other) in pairs if one != other)


def test_the_oracle_knows_the_clocks() -> None:
    """Python's zones show the same local time in the minute before and after each jump of the table."""
    for zone, changes in CLOCKS.items():
        local = local_minutes(zone)
        for change, _ in changes[1:]:
            assert change is not None
            at = datetime(2026, *change, tzinfo=UTC)
            for moment in (at - MINUTE, at):
                shown = moment.astimezone(ZoneInfo(zone)).replace(tzinfo=UTC)
                assert local[(moment - BEGINS) // MINUTE] == (shown - BEGINS) // MINUTE
