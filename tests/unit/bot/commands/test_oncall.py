"""Who stands in: the words of `oncall override`."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.commands.oncall import parse_override
from services.domain.errors import UsageError

ONE, TWO = ("primary",), ("primary", "secondary")


@pytest.mark.parametrize("person", ["<@U0BEN>", "<@U0BEN|ben>", "@U0BEN", "U0BEN"])
def test_a_person_stands_in_for_a_while(person: str) -> None:
    assert parse_override((person, "2h", "Secondary"), TWO) == ("secondary", "U0BEN", timedelta(hours=2))


def test_the_only_rotation_need_not_be_named() -> None:
    assert parse_override(("U0BEN", "2", "hours"), ONE) == ("primary", "U0BEN", timedelta(hours=2))
    assert parse_override(("U0BEN", "1hr", "secondary"), TWO) == ("secondary", "U0BEN", timedelta(hours=1))
    assert parse_override(("U0BEN", "2h"), ONE) == ("primary", "U0BEN", timedelta(hours=2))
    assert parse_override(("end",), ONE) == ("primary", None, timedelta())


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((), "no one is named"),
        (("ben", "2h"), "is not a person"),
        (("U0BEN",), "no time span"),
        (("U0BEN", "soon"), "is not a time span"),
        (("U0BEN", "32d", "primary"), "is out of range"),
        (("U0BEN", "2h"), "the on-call file has several"),
        (("U0BEN", "2h", "nights"), "none with this name"),
        (("end", "primary", "now"), "is not expected here"),
    ],
)
def test_what_is_missing_or_wrong_is_named(words: tuple[str, ...], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        parse_override(words, TWO)
