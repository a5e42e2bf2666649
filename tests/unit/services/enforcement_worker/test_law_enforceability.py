from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.enforcement_worker.law import lien_ends_on, presumed_paid_on, renewal_opens_on, years_after

entries = st.dates(min_value=date(1950, 1, 1), max_value=date(2025, 12, 20))


@pytest.mark.parametrize(
    ("entered", "renewal", "lien", "paid"),
    [
        (date(2015, 12, 20), date(2024, 12, 20), date(2025, 12, 20), date(2035, 12, 20)),
        (date(2004, 2, 29), date(2013, 2, 28), date(2014, 2, 28), date(2024, 2, 29)),
    ],
)
def test_dates_of_the_renewal_the_lien_and_the_presumption(
    entered: date, renewal: date, lien: date, paid: date
) -> None:
    assert (renewal_opens_on(entered), lien_ends_on(entered), presumed_paid_on(entered)) == (renewal, lien, paid)


@pytest.mark.parametrize(
    ("paid_on", "presumed"),
    [
        ([date(2019, 12, 31)], date(2039, 12, 31)),
        ([date(2020, 1, 1)], date(2020, 1, 1)),  # too late: the twenty years were over
        ([date(1999, 12, 31)], date(2020, 1, 1)),  # before the entry: not on this judgment
        ([date(2025, 1, 1), date(2010, 6, 1)], date(2045, 1, 1)),  # in any order, each within 20 years
    ],
)
def test_a_payment_within_the_limitation_period_restarts_it(paid_on: list[date], presumed: date) -> None:
    assert presumed_paid_on(date(2000, 1, 1), paid_on) == presumed


@given(entries, st.integers(1, 40))
def test_years_end_on_the_same_day_or_on_the_last_of_february(day: date, years: int) -> None:
    end = years_after(day, years)

    assert end.year == day.year + years
    assert (end.month, end.day) in {(day.month, day.day), (2, 28)}


@given(entries, st.lists(entries, max_size=4))
def test_payments_never_shorten_the_years(entered: date, paid_on: list[date]) -> None:
    assert presumed_paid_on(entered, paid_on) >= presumed_paid_on(entered) > lien_ends_on(entered)
