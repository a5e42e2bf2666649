"""Counts in words: singular and plural."""

from datetime import UTC, datetime, timedelta

import pytest

from services.domain.text import ago, counted, dated_time, ordinal, read_span


@pytest.mark.parametrize(
    ("number", "noun", "posted"),
    [
        (0, "job", "0 jobs"),
        (1, "job", "1 job"),
        (2, "job", "2 jobs"),
        (1, "batch", "1 batch"),
        (2, "batch", "2 batches"),
    ],
)
def test_a_count_of_one_is_singular(number: int, noun: str, posted: str) -> None:
    assert counted(number, noun) == posted


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        *(("90s", 90), ("90sec", 90), ("90 secs", 90), ("1 second", 1), ("90seconds", 90)),
        *(("30m", 1800), ("30min", 1800), ("30mins", 1800), ("30 minutes", 1800), ("1minute", 60)),
        *(("1h", 3600), ("1hr", 3600), ("2hrs", 7200), ("2 hours", 7200), ("1HOUR", 3600), (" 2  hours ", 7200)),
        *(("2d", 172800), ("1 day", 86400), ("2days", 172800)),
    ],
)
def test_a_span_is_read_as_people_write_it(written: str, seconds: int) -> None:
    assert read_span(written) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "written", ["", "h", "2", "2x", "2 hourss", "1.5h", "-1h", "\u0661h", "2 h 3", "1h30m", "9999999s"]
)
def test_anything_else_is_no_span(written: str) -> None:
    assert read_span(written) is None


@pytest.mark.parametrize(
    ("number", "posted"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th"), (13, "13th"), (21, "21st")],
)
def test_an_ordinal_ends_as_it_is_spoken(number: int, posted: str) -> None:
    assert ordinal(number) == posted


@pytest.mark.parametrize(
    ("hours", "posted"),
    [(11.9, "00:06 UTC"), (12, "23 Nov 00:00 UTC"), (-11.9, "23:54 UTC"), (-12, "24 Nov 00:00 UTC")],
)
def test_a_moment_half_a_day_away_has_its_day(hours: float, posted: str) -> None:
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)

    assert dated_time(now - timedelta(hours=hours), now) == posted


def test_ago_is_a_time_of_day_in_stored_text() -> None:
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)

    assert (ago(now - timedelta(minutes=6), now, stored=True), ago(now - timedelta(minutes=6), now, stored=False)) == (
        "at 11:54 UTC",
        "6 min ago",
    )
