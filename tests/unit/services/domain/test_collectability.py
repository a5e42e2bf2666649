from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.domain.collectability import score
from services.domain.enforceability import lien_ends_on, presumed_paid_on

TODAY = date(2025, 12, 20)
amounts = st.decimals(min_value="0.01", max_value="999999999999.99", places=2)
entries = st.dates(min_value=date(1950, 1, 1), max_value=TODAY)


@pytest.mark.parametrize(
    ("entered", "lien", "paid"),
    [
        (date(2015, 12, 20), date(2025, 12, 20), date(2035, 12, 20)),
        (date(2004, 2, 29), date(2014, 2, 28), date(2024, 2, 29)),
    ],
)
def test_dates_of_the_lien_and_of_the_presumption(entered: date, lien: date, paid: date) -> None:
    assert (lien_ends_on(entered), presumed_paid_on(entered)) == (lien, paid)


@pytest.mark.parametrize(
    ("amount", "entered", "points"),
    [
        ("10000.00", date(2022, 12, 21), 100),
        ("9999.99", date(2022, 12, 20), 65),
        ("1999.99", date(2015, 12, 20), 25),
        ("10000.00", date(2005, 12, 20), 0),
        ("0.00", TODAY, 0),
    ],
)
def test_points_at_the_edges(amount: str, entered: date, points: int) -> None:
    assert score(amount=Decimal(amount), entered_on=entered, as_of=TODAY).points == points


@given(amounts, amounts, entries, entries)
def test_more_money_and_a_younger_judgment_never_score_less(
    some: Decimal, other: Decimal, day: date, another: date
) -> None:
    worse = score(amount=min(some, other), entered_on=min(day, another), as_of=TODAY)
    better = score(amount=max(some, other), entered_on=max(day, another), as_of=TODAY)

    assert 0 <= worse.points <= better.points <= 100
    assert better.reasons
