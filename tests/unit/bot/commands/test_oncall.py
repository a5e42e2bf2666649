"""Parsing of the lines of `oncall override`, `oncall take` and `oncall swap`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from bot.commands.oncall_changes import parse_override, parse_swap, parse_take
from bot.oncall.overrides import Desired
from services.domain.errors import UsageError

ONE, TWO = ("primary",), ("primary", "secondary")
BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 1, 7, 11, tzinfo=UTC)  # a Wednesday, noon in Berlin
HOUR = timedelta(hours=1)


def override(typed: str, rotations: tuple[str, ...] = TWO) -> Desired:
    return parse_override(typed.split(), rotations, NOW, BERLIN)


@pytest.mark.parametrize("person", ["<@U0BEN>", "<@U0BEN|ben>", "@U0BEN", "U0BEN"])
def test_a_person_stands_in_for_a_while(person: str) -> None:
    assert override(f"{person} 2h Secondary") == Desired("secondary", "U0BEN", NOW + 2 * HOUR)


def test_the_only_rotation_need_not_be_named() -> None:
    assert override("U0BEN 2 hours", ONE) == Desired("primary", "U0BEN", NOW + 2 * HOUR)
    assert override("U0BEN 1hr secondary") == Desired("secondary", "U0BEN", NOW + HOUR)


def test_a_person_stands_in_later() -> None:
    saturday, sunday = datetime(2026, 1, 10, 8, tzinfo=UTC), datetime(2026, 1, 11, 20, tzinfo=UTC)

    assert override("U0BEN from Sat 09:00 until Sun 21:00 primary") == Desired("primary", "U0BEN", sunday, saturday)
    assert override("U0BEN sat 09:00 for 36h primary") == Desired("primary", "U0BEN", sunday, saturday)
    assert override("U0BEN until sun 21:00 primary") == Desired("primary", "U0BEN", sunday)
    assert override("U0BEN from today until sun 21:00 primary") == Desired("primary", "U0BEN", sunday)  # since midnight


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("", "no one"),
        ("ben 2h", "`ben`.*person"),
        ("U0BEN", "time span is"),
        ("U0BEN soon", "`soon`.*time span"),
        ("U0BEN sat 09:00 primary", "time span is"),
        ("U0BEN 32d primary", "`32d primary`.*range"),
        ("U0BEN from 2027-02-01 for 2h primary", "2027-02-01.*range"),
        ("U0BEN from sat until frdiay", "`frdiay`.*`until`"),
        ("U0BEN every sat 09:00 for 2h primary", "can't repeat"),
        ("U0BEN 2h", "several"),
        ("U0BEN 2h nights", "no rotation"),
        ("U0BEN 2h primary now", "`now`.*expected"),
    ],
)
def test_override_error_names_the_missing_or_wrong_word(typed: str, why: str) -> None:
    with pytest.raises(UsageError) as refused:
        override(typed)

    assert re.search(why, refused.value.why)


def test_a_shift_is_taken_until_it_ends_or_for_a_while() -> None:
    found = {
        typed: parse_take(typed.split(), rotations, NOW, BERLIN)
        for typed, rotations in {"": ONE, "primary": TWO, "secondary 2h": TWO, "2h secondary": TWO, "2h": ONE}.items()
    }

    assert found == {
        "": ("primary", None),
        "primary": ("primary", None),
        "secondary 2h": ("secondary", NOW + 2 * HOUR),
        "2h secondary": ("secondary", NOW + 2 * HOUR),
        "2h": ("primary", NOW + 2 * HOUR),
    }
    for typed in ("primary soon", "nights", "primary 32d"):
        with pytest.raises(UsageError):
            parse_take(typed.split(), TWO, NOW, BERLIN)


def test_a_swap_names_the_other_person_and_perhaps_a_day_of_each() -> None:
    saturday, monday = datetime(2026, 1, 9, 23, tzinfo=UTC), datetime(2026, 1, 11, 23, tzinfo=UTC)
    table: dict[str, tuple[str, str, datetime | None, datetime | None]] = {
        "U0BEN primary": ("primary", "U0BEN", None, None),
        "U0BEN sat primary": ("primary", "U0BEN", saturday, None),
        "U0BEN secondary sat for mon": ("secondary", "U0BEN", saturday, monday),
        "U0BEN for mon primary": ("primary", "U0BEN", None, monday),
    }

    assert {typed: parse_swap(typed.split(), TWO, NOW, BERLIN) for typed in table} == table
    for typed in ("", "ben", "U0BEN", "U0BEN primary soon", "U0BEN primary for", "U0BEN primary sat mon"):
        with pytest.raises(UsageError):
            parse_swap(typed.split(), TWO, NOW, BERLIN)
