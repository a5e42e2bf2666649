from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.enforcement_worker.assess import Case, assess
from services.enforcement_worker.law import Debt
from tests.unit.services.enforcement_worker.cases import TODAY, case

amounts = st.decimals(min_value="0.01", max_value="999999999999.99", places=2).map(str)
entries = st.dates(min_value=date(1990, 1, 1), max_value=TODAY)
kinds = st.sampled_from([None, *Debt])
payments = st.lists(
    st.tuples(
        st.dates(min_value=date(1990, 1, 1), max_value=TODAY + timedelta(days=400)),
        st.decimals(min_value="0.01", max_value="99999.99", places=2).map(str),
    ),
    max_size=4,
).map(tuple)


@given(amounts, entries, kinds, payments)
def test_the_least_is_never_more_than_the_balance(
    amount: str, entered: date, debt: Debt | None, paid: tuple[tuple[date, str], ...]
) -> None:
    found = assess(case(amount=amount, entered=entered, debt=debt, paid=paid), as_of=TODAY)

    assert 0 <= found.least.total <= found.balance.total
    assert found.least.per_diem <= found.balance.per_diem
    assert (found.least.total == found.balance.total) or found.cautions


def test_an_unknown_kind_of_debt_is_counted_at_both_rates() -> None:
    found = assess(case(entered=date(2023, 1, 1), amount="10000.00", debt=None), as_of=date(2024, 1, 1))

    assert (found.balance.total, found.least.total) == (Decimal("10900.00"), Decimal("10200.00"))
    assert found.cautions == (
        "Whether it is consumer debt is not known: interest is counted at 9 %, the least that is owed at 2 %.",
    )


def test_an_older_consumer_judgment_is_counted_by_both_readings() -> None:
    found = assess(case(entered=date(2020, 4, 29), amount="10000.00", debt=Debt.CONSUMER), as_of=date(2023, 4, 29))

    assert (found.balance.total, found.least.total) == (Decimal("12000.00"), Decimal("10600.00"))
    assert found.cautions == (
        "It is consumer debt from before 30 April 2022: as enacted, the 2 % reach back to its entry.",
    )


@pytest.mark.parametrize(
    "certain",
    [case(entered=date(2020, 1, 1)), case(entered=date(2022, 4, 30), debt=Debt.CONSUMER)],
    ids=["ordinary", "consumer since the law changed"],
)
def test_assessment_has_no_caution_when_nothing_is_in_doubt(certain: Case) -> None:
    found = assess(certain, as_of=TODAY)

    assert found.least == found.balance
    assert found.cautions == ()


def test_reports_when_only_the_higher_count_leaves_anything() -> None:
    paid = ((date(2022, 6, 1), "10700.00"),)
    found = assess(case(entered=date(2020, 6, 1), amount="10000.00", debt=Debt.CONSUMER, paid=paid), as_of=TODAY)

    assert found.balance.total > 0
    assert found.least.total == 0
    assert "a person has to decide" in found.cautions[-1]


def test_a_payment_from_before_the_entry_is_left_out_and_reported() -> None:
    early = case(entered=date(2025, 1, 1), paid=((date(2024, 12, 31), "5000.00"),))

    assert assess(early, as_of=TODAY).balance == assess(case(entered=date(2025, 1, 1)), as_of=TODAY).balance
    assert assess(early, as_of=TODAY).cautions == ("A payment dated before its entry is not counted.",)


def test_a_payment_that_is_dated_later_is_not_known_yet() -> None:
    later = case(paid=((TODAY + timedelta(days=1), "5000.00"),))

    found = assess(later, as_of=TODAY)

    assert found == replace(assess(case(), as_of=TODAY), next_review_on=TODAY + timedelta(days=1))
    assert assess(later, as_of=TODAY + timedelta(days=1)).balance.principal < Decimal(5000)
