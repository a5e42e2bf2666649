from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.enforcement_worker.assess import Score, score

TODAY = date(2025, 12, 20)
amounts = st.decimals(min_value="0.01", max_value="999999999999.99", places=2)
entries = st.dates(min_value=date(1950, 1, 1), max_value=TODAY)


def score_of(*, owed: str = "5000.00", entered: date = TODAY, paid_on: tuple[date, ...] = ()) -> Score:
    return score(owed=Decimal(owed), entered_on=entered, as_of=TODAY, paid_on=paid_on)


@pytest.mark.parametrize(
    ("owed", "entered", "points"),
    [
        ("10000.00", date(2022, 12, 21), 80),
        ("9999.99", date(2022, 12, 20), 53),
        ("1999.99", date(2015, 12, 20), 22),
        ("10000.00", date(2005, 12, 21), 50),
        ("10000.00", date(2005, 12, 20), 0),
        ("0.00", TODAY, 0),
    ],
)
def test_points_at_the_edges(owed: str, entered: date, points: int) -> None:
    assert score_of(owed=owed, entered=entered).points == points


@pytest.mark.parametrize(("paid", "more"), [(date(2024, 12, 21), 20), (date(2024, 12, 20), 8)])
def test_a_payment_is_worth_more_while_it_is_fresh(paid: date, more: int) -> None:
    entered = date(2024, 1, 1)

    assert score_of(entered=entered, paid_on=(paid,)).points == score_of(entered=entered).points + more


def test_a_payment_keeps_a_judgment_alive_that_would_be_presumed_paid() -> None:
    assert score_of(entered=date(2005, 12, 20)).points == 0
    assert score_of(entered=date(2005, 12, 20), paid_on=(date(2010, 1, 1),)).points > 0


@given(amounts, amounts, entries, entries)
def test_more_money_and_a_younger_judgment_never_score_less(
    some: Decimal, other: Decimal, day: date, another: date
) -> None:
    worse = score(owed=min(some, other), entered_on=min(day, another), as_of=TODAY)
    better = score(owed=max(some, other), entered_on=max(day, another), as_of=TODAY)

    assert 0 <= worse.points <= better.points <= 100


@given(amounts, entries, st.lists(st.integers(0, 9000), max_size=4), st.integers(0, 9000))
def test_one_more_payment_never_scores_less(owed: Decimal, entered: date, ago: list[int], one_more: int) -> None:
    paid_on = [max(entered, TODAY - timedelta(days=days)) for days in ago]
    without = score(owed=owed, entered_on=entered, as_of=TODAY, paid_on=paid_on)
    with_it = score(
        owed=owed, entered_on=entered, as_of=TODAY, paid_on=[*paid_on, max(entered, TODAY - timedelta(days=one_more))]
    )

    assert with_it.points >= without.points


@given(amounts, entries)
def test_the_reasons_add_up_to_the_points(owed: Decimal, entered: date) -> None:
    found = score(owed=owed, entered_on=entered, as_of=TODAY)

    added = [int(reason[1:].split(":")[0]) for reason in found.reasons if reason.startswith("+")]
    assert sum(added) == found.points
    assert found.reasons
