"""The people paged while the database is away, and the time of each page."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.outage.levels import PagedLevel, first_pages, pages_due
from services.domain.channels import Channel

MINUTE = timedelta(minutes=1)
PHONE = ((Channel.WEBHOOK, "ann"),)


def level(number: int, *, wait: timedelta = 5 * MINUTE, outage_pagers: bool = True) -> PagedLevel:
    return PagedLevel(number, f"level {number}", PHONE if outage_pagers else (), ("U1",), wait)


@pytest.mark.parametrize(
    ("elapsed", "pages"),
    [
        (-MINUTE, 1),
        (timedelta(), 1),
        (5 * MINUTE - timedelta(microseconds=1), 1),
        (5 * MINUTE, 2),
        (15 * MINUTE - timedelta(microseconds=1), 2),
        (15 * MINUTE, 3),
        (20 * MINUTE, 4),
        (30 * MINUTE, 5),
    ],
)
def test_levels_follow_each_other_by_the_clock_and_begin_again(elapsed: timedelta, pages: int) -> None:
    levels = [level(1), level(2, wait=10 * MINUTE)]

    assert pages_due(levels, elapsed) == pages


def test_levels_without_a_phone_are_paged_together_with_the_first_that_has_one() -> None:
    levels = [level(1, outage_pagers=False), level(2, outage_pagers=False), level(3), level(4)]

    assert first_pages(levels) == 3
    assert pages_due(levels, timedelta()) == 3
    assert pages_due(levels, 5 * MINUTE) == 4
    assert first_pages([level(1, outage_pagers=False), level(2, outage_pagers=False)]) == 2
    assert (first_pages([]), pages_due([], MINUTE)) == (0, 0)


def test_levels_without_a_wait_are_not_paged_endlessly_at_once() -> None:
    assert pages_due([level(1, wait=timedelta())], timedelta(seconds=3)) == 4
