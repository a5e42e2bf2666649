"""Moments and windows as people type them: accepted words, both clock changes, and refusals."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.domain.moments import DAY, MomentError, take_moment
from services.domain.windows import (
    EVERY_DAY,
    Recurrence,
    WallEnd,
    decode_recurrence,
    encode_recurrence,
    take_days,
    take_window,
)

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
KIRITIMATI = ZoneInfo("Pacific/Kiritimati")  # UTC+14: its date differs from UTC's
WEDNESDAY = "2026-01-07 12:00"  # by Berlin's clock


def local(written: str, zone: ZoneInfo = BERLIN, *, fold: int = 0) -> datetime:
    return datetime.fromisoformat(written).replace(tzinfo=zone, fold=fold).astimezone(UTC)


def moment(typed: str, now: str = WEDNESDAY, zone: ZoneInfo = BERLIN, *, day_ends: bool = False) -> datetime | None:
    found = take_moment(typed.split(), local(now, zone), zone, day_ends=day_ends)
    assert found is None or not found[1], f"{typed}: {found[1]} is left"
    return found and found[0]


def test_reads_moments_as_people_type_them() -> None:
    table = {
        "now": "2026-01-07 12:00",
        "in 2h": "2026-01-07 14:00",
        "in 90 minutes": "2026-01-07 13:30",
        "at 13:00": "2026-01-07 13:00",
        "at 12:00": "2026-01-08 12:00",  # not right now
        "02:00": "2026-01-08 02:00",
        "2am": "2026-01-08 02:00",
        "4:30pm": "2026-01-07 16:30",
        "12am": "2026-01-08 00:00",
        "12pm": "2026-01-08 12:00",
        "noon": "2026-01-08 12:00",
        "midnight": "2026-01-08 00:00",
        "at 13:00 UTC": "2026-01-07 14:00",
        "13:00 America/New_York": "2026-01-07 19:00",
        "today": "2026-01-07 00:00",
        "today 18:00": "2026-01-07 18:00",
        "today at 6pm": "2026-01-07 18:00",
        "tomorrow 9:00": "2026-01-08 09:00",
        "Friday": "2026-01-09 00:00",
        "fri at 16:00": "2026-01-09 16:00",
        "wed": "2026-01-07 00:00",
        "wed 13:00": "2026-01-07 13:00",
        "wed 11:00": "2026-01-14 11:00",  # over today
        "thurs 08.15": "2026-01-08 08:15",
        "2026-02-28": "2026-02-28 00:00",
        "2026-01-01 09:00": "2026-01-01 09:00",  # a date is never moved
        "24 dec 09:00": "2026-12-24 09:00",
        "Dec 24th": "2026-12-24 00:00",
        "5 january": "2027-01-05 00:00",
    }
    assert {typed: moment(typed) for typed in table} == {typed: local(text) for typed, text in table.items()}
    assert moment("friday", day_ends=True) == local("2026-01-10 00:00")
    assert moment("friday 16:00", day_ends=True) == local("2026-01-09 16:00")


@pytest.mark.parametrize("typed", ["", "soon", "25:00", "9", "in", "in two hours", "at", "at noonish", "the 5", "13pm"])
def test_reads_no_moment_in_other_words(typed: str) -> None:
    assert moment(typed) is None


def test_refuses_a_date_that_no_calendar_has() -> None:
    for typed in ("2026-02-30", "31 apr", "feb 30th"):
        with pytest.raises(MomentError, match="does not exist"):
            moment(typed)


def test_leaves_the_words_after_a_moment() -> None:
    for typed, rest in {"fri we move": "we move", "in 2 hours at last": "at last", "fri at once": "at once"}.items():
        found = take_moment(typed.split(), local(WEDNESDAY), BERLIN)
        assert found is not None
        assert " ".join(found[1]) == rest


def test_a_day_is_the_typists_not_that_of_utc() -> None:
    now = local("2026-01-07 01:00", KIRITIMATI)
    assert now.date().isoformat() == "2026-01-06"

    assert moment("today", "2026-01-07 01:00", KIRITIMATI) == local("2026-01-07 00:00", KIRITIMATI)
    assert moment("wed 02:00", "2026-01-07 01:00", KIRITIMATI) == local("2026-01-07 02:00", KIRITIMATI)


def test_a_time_that_is_left_out_is_after_the_jump() -> None:
    assert moment("at 02:30", "2026-03-28 23:00") == local("2026-03-29 03:30")
    assert moment("at 03:00", "2026-03-28 23:00") == local("2026-03-29 03:00")


def test_a_time_that_comes_twice_is_the_next_of_the_two() -> None:
    first, second = local("2026-10-25 02:30"), local("2026-10-25 02:30", fold=1)
    assert second - first == timedelta(hours=1)

    assert moment("at 02:30", "2026-10-24 23:00") == first
    between = take_moment(["02:30"], first, BERLIN)
    assert between is not None
    assert between[0] == second
    after = take_moment(["02:30"], second, BERLIN)
    assert after is not None
    assert after[0] == local("2026-10-26 02:30")


def window(typed: str, now: str = WEDNESDAY) -> tuple[str, str, str, str]:
    written, rest = take_window(typed.split(), local(now), BERLIN)

    def shown(at: datetime | None) -> str:
        return f"{at.astimezone(BERLIN):%a %d %H:%M}" if at else "-"

    recurring = written.recurrence.words if written.recurrence else "-"
    return shown(written.begins), shown(written.ends), recurring, " ".join(rest)


def test_reads_windows_as_people_type_them() -> None:
    table = {
        "we move": ("-", "-", "-", "we move"),
        "2h we move": ("-", "Wed 07 14:00", "-", "we move"),
        "for 2 hours we move": ("-", "Wed 07 14:00", "-", "we move"),
        "for the move": ("-", "-", "-", "for the move"),
        "from fri 16:00 until mon 08:00 quiet": ("Fri 09 16:00", "Mon 12 08:00", "-", "quiet"),
        "until fri quiet": ("-", "Fri 09 00:00", "-", "quiet"),
        "from fri 16:00 to 18:00 quiet": ("Fri 09 16:00", "Fri 09 18:00", "-", "quiet"),
        "sat 02:00 for 2h backup": ("Sat 10 02:00", "Sat 10 04:00", "-", "backup"),
        "sat 02:00 until sat 04:00 x": ("Sat 10 02:00", "Sat 10 04:00", "-", "x"),
        "from sat until sat x": ("Sat 10 00:00", "Sat 17 00:00", "-", "x"),
        "sat 02:00 for 2h every week backup": ("Sat 10 02:00", "Sat 10 04:00", "every sat 02:00 for 2 h", "backup"),
        "every fri from 16:00 x": ("Fri 09 16:00", "Sat 10 00:00", "every fri 16:00 until midnight", "x"),
        "every fri 16:00 until mon 08:00": ("Fri 09 16:00", "Mon 12 08:00", "every fri 16:00 until mon 08:00", ""),
        "every weekday 18:00 until 08:00 x": (
            *("Wed 07 18:00", "Thu 08 08:00", "every weekday 18:00 until the next day 08:00", "x"),
        ),
        "every day 11:00 for 2h x": ("Wed 07 11:00", "Wed 07 13:00", "every day 11:00 for 2 h", "x"),  # open already
        "every mon and thu 9:00 for 30m x": ("Thu 08 09:00", "Thu 08 09:30", "every mon, thu 09:00 for 30 min", "x"),
        "every day at 14:00 for 1h x": ("Wed 07 14:00", "Wed 07 15:00", "every day 14:00 for 1 h", "x"),
        "every day from in 2h for 1h x": ("Wed 07 14:00", "Wed 07 15:00", "every day 14:00 for 1 h", "x"),
        "today 14:00 every day for 1h x": ("Wed 07 14:00", "Wed 07 15:00", "every day 14:00 for 1 h", "x"),
        "8 jan 14:00 every thu for 1h x": ("Thu 08 14:00", "Thu 08 15:00", "every thu 14:00 for 1 h", "x"),
        "wed 11:00 for 2h every week x": ("Wed 07 11:00", "Wed 07 13:00", "every wed 11:00 for 2 h", "x"),
        "2h at last": ("-", "Wed 07 14:00", "-", "at last"),
        "2h today we move": ("-", "Wed 07 14:00", "-", "today we move"),
    }
    assert {typed: window(typed) for typed in table} == {
        typed: (*times, words if words == "-" else f"{words} (Europe/Berlin)", rest)
        for typed, (*times, words, rest) in table.items()
    }


def test_a_named_zone_is_that_of_the_recurrence() -> None:
    assert window("every day 02:00 UTC for 1h x")[2] == "every day 02:00 for 1 h (UTC)"


def test_a_recurring_time_is_the_typed_one_on_the_day_of_a_clock_change() -> None:
    assert window("every day 02:30 for 1h x", "2026-03-28 23:00")[2] == "every day 02:30 for 1 h (Europe/Berlin)"


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        ("until frdiay quiet", "^frdiay .* time after `until`$"),
        ("until", "until ends"),
        ("from 2h", "^2h .* time after `from`$"),
        ("every frday 16:00", "frday is not a day after `every`"),
        ("every week 2h", "every week does not say on which day"),
        ("for 2hh quiet", "^2hh .* time span$"),
        ("from fri 16:00 until 2026-01-08", "2026-01-08 is not after the beginning"),
        ("every fri 16:00 until 2026-01-12", "2026-01-12 does not come again"),
        ("every day for 700000d x", "every takes windows of 7 days at most"),
        ("for 999999d every day", "every takes windows of 7 days at most"),
        ("every fri for 169h x", "every takes windows of 7 days at most"),
        ("every day for 0m x", "every takes windows that end after they begin"),
        ("from 24 dec 18:00 every fri", "24 dec 18:00 is not when the first window begins"),
        ("24 dec 18:00 for 30m every week x", "^24 dec 18:00 .* first window begins$"),
        ("every day from tomorrow 14:00 x", "tomorrow 14:00 is not when the first window begins"),
        ("every day from in 3d x", "in 3d is not when the first window begins"),
        ("every fri from sat 16:00 x", "sat 16:00 is not when the first window begins"),
        ("from 9999-12-31 for 2d x", "9999-12-31 is too far away"),
        ("from 0001-01-01 x", "0001-01-01 is too far away"),
        ("every mon,wed 16:00 until fri", "fri names one day, but it begins on several"),
    ],
)
def test_refuses_a_window_that_is_not_understood(typed: str, problem: str) -> None:
    with pytest.raises(MomentError) as refused:
        window(typed)

    assert re.search(problem, str(refused.value))
    assert refused.value.what_next


def test_reads_days() -> None:
    table = {
        "day": EVERY_DAY,
        "weekday": {0, 1, 2, 3, 4},
        "weekends": {5, 6},
        "fri": {4},
        "fri,sat": {4, 5},
        "mon-wed": {0, 1, 2},
        "sat-mon": {5, 6, 0},
        "mon and wed": {0, 2},
        "week": set[int](),
    }
    assert {typed: take_days(typed.split()) for typed in table} == {
        typed: (frozenset(days), []) for typed, days in table.items()
    }
    assert take_days(["mo"]) is None


def test_a_window_keeps_its_wall_clock_over_both_clock_changes() -> None:
    nightly = Recurrence(EVERY_DAY, local("2026-01-01 02:30").astimezone(BERLIN).time(), timedelta(hours=1), BERLIN)
    spring = nightly.next_after(local("2026-03-28 12:00"))
    autumn = nightly.next_after(local("2026-10-24 12:00"))

    assert (spring.begins, spring.ends) == (local("2026-03-29 03:30"), local("2026-03-29 04:30"))
    assert (autumn.begins, autumn.ends) == (local("2026-10-25 02:30"), local("2026-10-25 02:30", fold=1))
    assert nightly.next_after(autumn.begins).begins == local("2026-10-26 02:30")


def test_a_window_that_the_clock_change_leaves_no_time_for_is_left_out() -> None:
    before = local("2026-03-28 12:00")
    empty, backwards = (
        take_window(typed.split(), before, BERLIN)[0]
        for typed in ("every sun 02:00 until 03:00 backup", "every day 02:30 until 03:15 backup")
    )

    assert (empty.begins, empty.ends) == (local("2026-04-05 02:00"), local("2026-04-05 03:00"))
    assert (backwards.begins, backwards.ends) == (local("2026-03-30 02:30"), local("2026-03-30 03:15"))


def test_the_longest_window_that_comes_again_lasts_a_week() -> None:
    assert window("every fri 16:00 for 7d x")[1] == "Fri 09 16:00"
    assert window("every fri until fri x")[1] == "Fri 09 00:00"


def test_a_stored_recurrence_that_cannot_be_meant_is_unreadable() -> None:
    readable = {"days": [0], "begins": "02:00", "zone": "UTC", "lasts_s": 604800.0}
    assert decode_recurrence(readable) is not None
    ends: dict[str, object] = {"lasts_s": None, "end_days": 0, "end_clock": "02:00"}
    wrong: list[dict[str, object]] = [
        {"lasts_s": 604801.0},
        {"lasts_s": 1e300},
        {"lasts_s": 0},
        {"days": []},
        {"days": [7]},
        {"days": ["mon"]},
        {"begins": "25:00"},
        {"zone": "Nowhere/City"},
        {"zone": "../etc"},
        {"zone": 5},
        ends,
        ends | {"end_days": 8},
        ends | {"end_days": -1},
        ends | {"end_days": 10**300},
    ]
    for one in wrong:
        stored = {name: value for name, value in (readable | one).items() if value is not None}
        assert decode_recurrence(stored) is None, one


_clocks = st.times().map(lambda clock: clock.replace(second=0, microsecond=0, fold=0))
_ends = st.one_of(
    st.integers(1, 7 * 24 * 60).map(lambda minutes: timedelta(minutes=minutes)),
    st.builds(WallEnd, st.integers(1, 7), _clocks),
)
_recurrences = st.builds(
    Recurrence,
    st.frozensets(st.integers(0, 6), min_size=1),
    _clocks,
    _ends,
    st.sampled_from([BERLIN, NEW_YORK, KIRITIMATI]),
)
_moments = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))  # noqa: DTZ001


@settings(max_examples=50)
@given(_recurrences, _moments)
def test_a_recurrence_contains_what_its_windows_contain(recurrence: Recurrence, at: datetime) -> None:
    coming = recurrence.next_after(at)
    assert at < coming.begins <= at + 8 * DAY
    assert coming.begins.astimezone(recurrence.zone).weekday() in recurrence.days
    assert recurrence.contains(coming.begins)

    held = recurrence.span_at(at)
    walked, span = at - 16 * DAY, None  # iterate over every window that can contain the moment
    while (one := recurrence.next_after(walked)).begins <= at:
        walked = one.begins
        if one.contains(at) and (span is None or one.ends > span.ends):
            span = one
    assert held == span
    assert decode_recurrence(encode_recurrence(recurrence)) == recurrence
