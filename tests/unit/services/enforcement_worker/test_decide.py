from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.enforcement_worker.decide import Kind, NextStep, decide_next_step

TODAY = date(2025, 12, 20)


def step_for(*, amount: str = "5000", filed: date = date(2025, 1, 1)) -> NextStep:
    return decide_next_step(amount=Decimal(amount), filing_date=filed, taken_in_on=TODAY)


@pytest.mark.parametrize(
    ("amount", "kind"),
    [
        ("1999.99", Kind.INFORMATION_SUBPOENA),
        ("2000.00", Kind.DOCKET_TRANSCRIPT),
    ],
)
def test_a_lien_is_for_judgments_that_are_worth_its_fees(amount: str, kind: Kind) -> None:
    assert step_for(amount=amount).kind is kind


@pytest.mark.parametrize(
    ("filed", "kind"),
    [
        (date(2016, 12, 21), Kind.DOCKET_TRANSCRIPT),
        (date(2016, 12, 20), Kind.RENEW_LIEN),
        (date(2005, 12, 21), Kind.RENEW_LIEN),
        (date(2005, 12, 20), Kind.CLOSE),
    ],
)
def test_age_comes_before_amount(filed: date, kind: Kind) -> None:
    assert step_for(filed=filed).kind is kind


def test_is_due_counted_from_the_day_it_was_taken_in() -> None:
    assert step_for(amount="100").due_on == TODAY + timedelta(days=30)


@given(
    st.decimals(min_value="0.01", max_value="999999999999.99", places=2),
    st.dates(min_value=date(1900, 1, 1), max_value=TODAY),
)
def test_every_judgment_has_one_step_and_always_the_same(amount: Decimal, filed: date) -> None:
    first, second = (decide_next_step(amount=amount, filing_date=filed, taken_in_on=TODAY) for _ in range(2))

    assert first == second
    assert first.due_on > TODAY
