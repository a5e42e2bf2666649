from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.enforcement_worker.assess import Case, Kind, NextStep, assess
from services.enforcement_worker.law import Debt
from tests.unit.services.enforcement_worker.cases import TODAY, case


def step_for(given_case: Case, *, on: date = TODAY) -> NextStep:
    return assess(given_case, as_of=on).step


@pytest.mark.parametrize(
    ("amount", "kind"),
    [
        ("1999.99", Kind.INFORMATION_SUBPOENA),
        ("2000.00", Kind.DOCKET_TRANSCRIPT),
    ],
)
def test_a_lien_is_for_judgments_that_are_worth_its_fees(amount: str, kind: Kind) -> None:
    assert step_for(case(amount=amount)).kind is kind


@pytest.mark.parametrize(
    ("entered", "kind"),
    [
        (date(2016, 12, 21), Kind.DOCKET_TRANSCRIPT),
        (date(2016, 12, 20), Kind.RENEW_LIEN),
        (date(2005, 12, 21), Kind.RENEW_LIEN),
        (date(2005, 12, 20), Kind.CLOSE),
    ],
)
def test_age_decides_about_the_lien(entered: date, kind: Kind) -> None:
    assert step_for(case(entered=entered)).kind is kind


def test_a_lien_that_is_not_worth_its_fees_is_not_renewed() -> None:
    assert step_for(case(amount="1999.99", entered=date(2016, 12, 20))).kind is Kind.INFORMATION_SUBPOENA


def test_a_payment_keeps_it_from_being_presumed_paid() -> None:
    assert step_for(case(entered=date(2005, 12, 20), paid=((date(2015, 1, 1), "1.00"),))).kind is Kind.RENEW_LIEN


def test_paid_judgment_needs_a_satisfaction_within_20_days_of_the_last_payment() -> None:
    paid_off = case(taken_in=date(2025, 3, 1), paid=((date(2025, 2, 1), "100.00"), (date(2025, 2, 2), "9000.00")))

    assert step_for(paid_off) == NextStep(
        Kind.FILE_SATISFACTION,
        date(2025, 2, 22),
        "Nothing is owed any more; the creditor has to say so to the court.",
    )


@pytest.mark.parametrize(
    ("entered", "taken_in", "due"),
    [
        (date(2025, 1, 1), date(2025, 12, 1), date(2025, 12, 15)),  # docket a transcript: 14 days from then on
        (date(2016, 6, 1), date(2020, 1, 1), date(2025, 6, 15)),  # renew: from the day on which it may be renewed
        (date(2016, 6, 1), date(2025, 12, 1), date(2025, 12, 15)),
        (date(2015, 12, 10), date(2025, 12, 1), date(2025, 12, 10)),  # never later than the lien's end
        (date(2015, 12, 1), date(2025, 12, 1), date(2025, 12, 15)),  # which is over already
        (date(2005, 1, 1), date(2020, 1, 1), date(2025, 1, 31)),  # close: from the day of the presumption
    ],
)
def test_is_due_counted_from_when_it_could_first_be_done(entered: date, taken_in: date, due: date) -> None:
    assert step_for(case(entered=entered, taken_in=taken_in)).due_on == due


@given(
    st.decimals(min_value="0.01", max_value="999999999999.99", places=2),
    st.dates(min_value=date(1900, 1, 1), max_value=TODAY),
    st.sampled_from([None, *Debt]),
    st.integers(0, 3000),
)
def test_the_same_step_keeps_its_deadline_on_a_later_day(
    amount: Decimal, entered: date, debt: Debt | None, later: int
) -> None:
    known = case(amount=str(amount), entered=entered, debt=debt)

    now, then = step_for(known), step_for(known, on=TODAY + timedelta(days=later))

    assert now.due_on >= TODAY
    assert now.kind is not then.kind or now == then
