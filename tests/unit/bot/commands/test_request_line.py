"""Parsing of the line of a change: its own words, `at` and a time, the reason for an exception from freezes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from bot.changes import CHANGES
from bot.commands.request_change import is_timed, parse_line
from playbooks.later import asked_again
from services.domain.errors import UsageError

NOW = datetime(2026, 1, 7, 12, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def parsed(line: str) -> dict[str, str]:
    verb, *words = line.split()
    return dict(parse_line(CHANGES[verb], tuple(words), NOW, BERLIN))


def test_a_time_and_an_exception_are_parameters_beside_the_changes_own() -> None:
    own = {"service": "ingest", "to": "2"}

    assert parsed("scale ingest 2") == own
    assert parsed("scale ingest 2 at 02:00") == own | {"at": "2026-01-08T01:00:00+00:00"}
    assert parsed("scale ingest 2 at fri 22:00") == own | {"at": "2026-01-09T21:00:00+00:00"}
    assert parsed("scale ingest 2 at 13:30 --exception we meet at noon") == own | {
        "at": "2026-01-07T12:30:00+00:00",
        "exception": "we meet at noon",
    }
    assert parsed("redeploy api --exception the fix") == {"service": "api", "exception": "the fix"}


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("scale ingest 2 at", "start time"),
        ("scale ingest 2 at night", "start time"),
        ("scale ingest 2 at 02:00 sharp", "start time"),
        ("scale ingest 2 at 2026-01-01 02:00", "next 7 days"),
        ("scale ingest 2 at 2026-01-15 12:00", "next 7 days"),
        ("redeploy api at 02:00", "at"),
        ("restart api --exception the fix", "--exception"),
        ("scale ingest 2 --exception", "the reason is missing"),
    ],
)
def test_request_line_refuses_invalid_times_and_exceptions(line: str, why: str) -> None:
    with pytest.raises(UsageError) as refused:
        parsed(line)

    assert why in f"{refused.value.what} {refused.value.why}"


def test_a_request_that_is_made_again_leaves_out_a_time_that_is_over() -> None:
    filed = {"service": "api", "at": NOW.isoformat(), "exception": "the fix", "freezes": "3"}

    assert asked_again(filed, NOW) == {"service": "api", "exception": "the fix"}
    assert asked_again(filed, NOW - timedelta(seconds=1)) == {
        "service": "api", "at": NOW.isoformat(), "exception": "the fix"
    }  # fmt: skip


@pytest.mark.parametrize("at", ["at", "At", "AT"])
def test_the_clock_of_the_person_counts_however_at_is_typed(at: str) -> None:
    words = ("ingest", "2", at, "02:00")

    assert is_timed(CHANGES["scale"], words)
    assert parsed(f"scale {' '.join(words)}")["at"] == "2026-01-08T01:00:00+00:00"
    assert not is_timed(CHANGES["scale"], words[:2])
    assert not is_timed(CHANGES["restart"], words)
