from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.enforcement_worker.assess import Assessment, Case, assess
from services.enforcement_worker.law import Debt, Payment
from tests.unit.services.enforcement_worker.cases import TODAY, case

MONTH = timedelta(days=30)


def review(given: Case, *, as_of: date = TODAY) -> date | None:
    return assess(given, as_of=as_of).next_review_on


def test_a_case_in_which_nothing_turns_is_reviewed_after_30_days() -> None:
    assert review(case(entered=date(2025, 1, 1))) == TODAY + MONTH


@pytest.mark.parametrize(
    ("entered", "turns"),
    [
        (date(2022, 12, 30), date(2025, 12, 30)),  # no longer fresh
        (date(2016, 12, 30), date(2025, 12, 30)),  # its lien may be renewed
        (date(2015, 12, 30), date(2025, 12, 30)),  # its lien ends
        (date(2005, 12, 30), date(2025, 12, 30)),  # presumed paid
    ],
)
def test_a_case_is_reviewed_on_the_day_on_which_something_turns(entered: date, turns: date) -> None:
    assert review(case(entered=entered)) == turns


def test_a_payment_that_is_a_year_old_is_a_turn() -> None:
    paid = ((date(2024, 12, 30), "100.00"),)

    assert review(case(entered=date(2024, 2, 1), paid=paid)) == date(2025, 12, 30)


def test_a_payment_that_is_dated_later_counts_from_its_day_on() -> None:
    assert review(case(paid=((TODAY + timedelta(days=3), "100.00"),))) == TODAY + timedelta(days=3)


def test_the_day_on_which_interest_reaches_a_limit_of_the_score_is_a_turn() -> None:
    given = case(amount="9999.00", entered=TODAY - timedelta(days=1), debt=Debt.ORDINARY)  # +2.47 per day, 1.47 below

    assert review(given, as_of=TODAY - timedelta(days=1)) == TODAY
    assert assess(given, as_of=TODAY).score.points > assess(given, as_of=TODAY - timedelta(days=1)).score.points


@pytest.mark.parametrize(
    "given",
    [
        case(entered=date(2025, 12, 1), paid=((date(2025, 12, 1), "5000.00"),)),
        case(entered=date(2000, 1, 1)),
    ],
    ids=["paid", "presumed paid"],
)
def test_a_case_that_is_over_is_never_reviewed_by_itself(given: Case) -> None:
    assert review(given) is None


def what_turns(found: Assessment) -> tuple[object, ...]:
    return found.step, found.score, found.lien_ends_on, found.presumed_paid_on


@st.composite
def cases(draw: st.DrawFn) -> Case:
    entered = draw(st.dates(date(2004, 1, 1), date(2025, 12, 1)))
    amount = draw(st.decimals("1.00", "12000.00", places=2))
    received = st.dates(entered, date(2026, 3, 1))
    paid = st.lists(st.builds(Payment, received, st.decimals("0.01", "9000.00", places=2)), max_size=3)
    debt = draw(st.sampled_from([None, *Debt]))
    return Case(Decimal(amount), "Kings", entered, date(2025, 12, 1), debt, tuple(draw(paid)))


@given(cases(), st.dates(date(2025, 12, 1), date(2026, 3, 1)))
def test_nothing_but_the_per_diem_changes_before_the_review(given: Case, as_of: date) -> None:
    found = assess(given, as_of=as_of)
    until = found.next_review_on or as_of + timedelta(days=400)

    assert as_of < until
    for days in range(1, (until - as_of).days):
        assert what_turns(assess(given, as_of=as_of + timedelta(days=days))) == what_turns(found)
