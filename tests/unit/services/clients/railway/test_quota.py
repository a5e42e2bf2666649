"""The reserves of Railway's rate limit: who may still use it, at both sides of each floor and share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.clients.railway.quota import ASSUMED_LIMIT, REPORT_VALID_FOR, Purpose, Quota, RateLimit, Reader, Shares

NOW = datetime(2025, 12, 20, 10, 30, tzinfo=UTC)
RESET = NOW + timedelta(minutes=30)
BOT = Reader(Purpose.WATCH)


def reported(remaining: int, *, limit: int = 100, reset_at: datetime | None = RESET) -> Quota:
    """A quota after one answer with these rate-limit values."""
    quota = Quota()
    assert quota.begin(BOT, NOW) is None
    quota.end(RateLimit(limit, remaining, reset_at), NOW)
    return quota


@pytest.mark.parametrize(("purpose", "floor"), [(Purpose.ANSWER, 40), (Purpose.PLAN, 25), (Purpose.WATCH, 15)])
def test_keeps_a_part_of_the_limit_for_what_is_more_urgent(purpose: Purpose, floor: int) -> None:
    assert reported(floor + 1).begin(Reader(purpose), NOW) is None

    why = reported(floor).begin(Reader(purpose), NOW)

    assert why == f"not asked: {floor} requests of 100 are left until 11:00 UTC, kept for more urgent reads and changes"


@pytest.mark.parametrize("purpose", [Purpose.CHANGE, Purpose.EMERGENCY])
def test_changes_may_use_the_last_request(purpose: Purpose) -> None:
    assert reported(0).begin(Reader(purpose), NOW) is None


def test_counts_what_is_under_way() -> None:
    quota = reported(42)

    assert quota.begin(Reader(Purpose.ANSWER), NOW) is None
    assert quota.begin(Reader(Purpose.ANSWER), NOW) is None
    assert quota.begin(Reader(Purpose.ANSWER), NOW) is not None

    quota.end(None, NOW)
    assert quota.begin(Reader(Purpose.ANSWER), NOW) is None


@pytest.mark.parametrize(("reset_at", "until"), [(RESET, RESET), (None, NOW + REPORT_VALID_FOR)])
def test_asks_again_once_the_figure_is_out_of_date(reset_at: datetime | None, until: datetime) -> None:
    quota = reported(0, reset_at=reset_at)

    assert quota.begin(BOT, until - timedelta(seconds=1)) is not None
    assert quota.begin(BOT, until) is None


def test_one_person_has_a_share_that_fills_up_again() -> None:
    quota, otto = reported(100), Reader(Purpose.ANSWER, "U0OTTO")
    for _ in range(20):
        assert quota.begin(otto, NOW) is None
        quota.end(None, NOW)

    why = quota.begin(otto, NOW)

    assert why == "not asked: you used your share of its rate limit (20 per hour); ask again in 180 s"
    assert quota.begin(otto, NOW + timedelta(seconds=179)) is not None
    assert quota.begin(otto, NOW + timedelta(seconds=181)) is None


def test_the_share_of_one_person_is_no_one_elses_and_not_that_of_their_changes() -> None:
    quota, otto = reported(100), Reader(Purpose.ANSWER, "U0OTTO")
    while quota.begin(otto, NOW) is None:
        quota.end(None, NOW)

    assert quota.begin(Reader(Purpose.ANSWER, "U0ANN"), NOW) is None
    assert quota.begin(Reader(Purpose.PLAN, "U0OTTO"), NOW) is None
    assert quota.begin(Reader(Purpose.EMERGENCY, "U0OTTO"), NOW) is None
    assert quota.begin(BOT, NOW) is None


def test_assumes_a_limit_until_the_first_answer() -> None:
    quota, otto = Quota(Shares(person=0.01)), Reader(Purpose.ANSWER, "U0OTTO")

    begun = sum(quota.begin(otto, NOW) is None for _ in range(ASSUMED_LIMIT))

    assert begun == ASSUMED_LIMIT * 0.01
