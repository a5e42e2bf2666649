from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.enforcement_worker.law import (
    Balance,
    Debt,
    Payment,
    Reading,
    balance_on,
    counted_days,
    grown,
    percent_days,
)

DOCUMENT = Path(__file__).parents[4] / "docs" / "enforcement.md"
ENTERED = date(2021, 6, 1)

debts = st.sampled_from(Debt)
readings = st.sampled_from(Reading)
amounts = st.decimals(min_value="0.00", max_value="999999999999.99", places=2)
days = st.dates(min_value=ENTERED, max_value=date(2041, 6, 1))
payments = st.builds(Payment, days, st.decimals(min_value="0.01", max_value="99999.99", places=2))


def owed_on(
    as_of: date,
    amount: Decimal | str,
    debt: Debt,
    *,
    entered: date = ENTERED,
    paid: list[Payment] | None = None,
    reading: Reading = Reading.SPLIT,
) -> Balance:
    return balance_on(
        as_of, amount=Decimal(amount), entered_on=entered, debt=debt, payments=paid or [], reading=reading
    )


def worked_examples() -> list[list[str]]:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in DOCUMENT.read_text().splitlines()]
    return [row for row in rows if len(row) == 9 and row[0] in set(Debt)]


@pytest.mark.parametrize("row", worked_examples(), ids=" ".join)
def test_agrees_with_the_documents_examples(row: list[str]) -> None:
    debt, amount, entered, paid, as_of, principal, interest, per_diem, as_enacted = row
    words = paid.split()
    paid_in = [Payment(date.fromisoformat(words[0]), Decimal(words[1]))] if words else []
    day, began = date.fromisoformat(as_of), date.fromisoformat(entered)

    found = owed_on(day, amount, Debt(debt), entered=began, paid=paid_in)
    reread = owed_on(day, amount, Debt(debt), entered=began, paid=paid_in, reading=Reading.AS_ENACTED)

    assert [str(part) for part in (found.principal, found.interest, found.per_diem)] == [principal, interest, per_diem]
    assert reread.total == Decimal(as_enacted)


def test_the_document_has_examples() -> None:
    assert len(worked_examples()) == 8


@given(debts, st.lists(days, min_size=3, max_size=3).map(sorted))
def test_split_periods_add_up(debt: Debt, cut: list[date]) -> None:
    first, middle, last = cut
    parts = [percent_days(debt, after=a, until=b) for a, b in ((first, middle), (middle, last))]

    assert sum(parts) == percent_days(debt, after=first, until=last)


def reckoned_day_by_day(as_of: date, amount: Decimal, debt: Debt, paid: list[Payment]) -> tuple[Fraction, Fraction]:
    """Principal and interest computed day by day, in fractions of a dollar."""
    principal, interest, day = Fraction(amount), Fraction(0), ENTERED
    while True:
        for payment in paid:
            if payment.received_on == day and principal:
                to_interest = min(interest, Fraction(payment.amount))
                principal, interest = principal - (Fraction(payment.amount) - to_interest), interest - to_interest
                principal = principal if principal >= Fraction(1, 200) else Fraction(0)
        if day >= as_of:
            return principal, interest
        day += timedelta(days=1)
        if (day.month, day.day) != (2, 29):
            rate = Fraction(2 if debt is Debt.CONSUMER and day >= date(2022, 4, 30) else 9, 100)
            interest += principal * rate / 365


@given(
    amounts,
    debts,
    st.dates(min_value=ENTERED, max_value=date(2024, 6, 1)),
    st.lists(
        st.builds(
            Payment,
            st.dates(min_value=ENTERED, max_value=date(2024, 6, 1)),
            st.decimals(min_value="0.01", max_value="99999.99", places=2),
        ),
        max_size=4,
    ),
)
@settings(max_examples=40)
def test_agrees_with_a_reckoning_day_by_day(amount: Decimal, debt: Debt, as_of: date, paid: list[Payment]) -> None:
    principal, interest = reckoned_day_by_day(as_of, amount, debt, paid)
    half_a_cent = Fraction(1, 200)

    found = owed_on(as_of, amount, debt, paid=paid)

    assert abs(Fraction(found.principal) - principal) <= half_a_cent
    assert abs(Fraction(found.total) - (principal + interest)) <= half_a_cent


@given(days, st.integers(0, 30))
def test_every_year_counts_the_same_days(day: date, years: int) -> None:
    if (day.month, day.day) != (2, 29):
        assert counted_days(day, day.replace(year=day.year + years)) == 365 * years


@pytest.mark.parametrize(
    ("after", "until", "counted"),
    [
        (date(2024, 2, 27), date(2024, 2, 28), 1),
        (date(2024, 2, 28), date(2024, 2, 29), 0),
        (date(2024, 2, 28), date(2024, 3, 1), 1),
        (date(2024, 2, 29), date(2024, 3, 1), 1),
        (date(2025, 2, 28), date(2025, 3, 1), 1),
    ],
)
def test_the_leap_day_and_the_day_before_count_as_one(after: date, until: date, counted: int) -> None:
    assert counted_days(after, until) == counted


@given(amounts, debts, readings, days, st.integers(0, 5000))
def test_grows_with_time_but_for_the_day_on_which_the_law_changed(
    amount: Decimal, debt: Debt, reading: Reading, day: date, more: int
) -> None:
    earlier, later = (
        owed_on(day + timedelta(days=days_more), amount, debt, reading=reading) for days_more in (0, more)
    )

    assert later.total >= amount
    if reading is Reading.SPLIT or debt is Debt.ORDINARY or not day < date(2022, 4, 30) <= later.as_of:
        assert later.total >= earlier.total


@given(amounts, debts, readings, days, st.lists(payments, max_size=5), payments)
def test_a_payment_never_adds_and_never_makes_negative(
    amount: Decimal, debt: Debt, reading: Reading, as_of: date, paid: list[Payment], one_more: Payment
) -> None:
    without = owed_on(as_of, amount, debt, paid=paid, reading=reading)
    with_it = owed_on(as_of, amount, debt, paid=[*paid, one_more], reading=reading)

    assert with_it.total <= without.total
    assert min(with_it.principal, with_it.interest, with_it.per_diem) >= 0


@given(amounts, days, st.lists(payments, max_size=5))
def test_consumer_debt_never_owes_more_and_least_as_enacted(amount: Decimal, as_of: date, paid: list[Payment]) -> None:
    ordinary = owed_on(as_of, amount, Debt.ORDINARY, paid=paid)
    split, enacted = (owed_on(as_of, amount, Debt.CONSUMER, paid=paid, reading=reading) for reading in Reading)

    assert enacted.total <= split.total <= ordinary.total


@given(amounts, st.dates(date(2000, 1, 1), date(2022, 4, 29)), days)
def test_as_enacted_an_older_consumer_judgment_bears_two_per_cent_from_its_entry(
    amount: Decimal, entered: date, as_of: date
) -> None:
    if as_of >= date(2022, 4, 30):
        exact = Fraction(amount) * Fraction(2, 100) * counted_days(entered, as_of) / 365
        found = owed_on(as_of, amount, Debt.CONSUMER, entered=entered, reading=Reading.AS_ENACTED)

        assert abs(Fraction(found.interest) - exact) <= Fraction(1, 100)


def test_interest_paid_before_the_law_changed_stays_paid() -> None:
    """CPLR 5004(c): of 1,800.00 that had accrued 900.00 were paid; of the other 900.00 two ninths are left."""
    paid = [Payment(date(2022, 4, 29), Decimal("900.00"))]
    entered = date(2020, 4, 29)

    split, enacted = (
        owed_on(date(2022, 4, 30), "10000.00", Debt.CONSUMER, entered=entered, paid=paid, reading=reading)
        for reading in Reading
    )

    assert (split.interest, enacted.interest) == (Decimal("900.55"), Decimal("200.55"))


@pytest.mark.parametrize(("paid", "paid_off_on"), [("10899.99", None), ("10900.00", date(2024, 1, 1))])
def test_names_the_day_on_which_it_was_paid_off(paid: str, paid_off_on: date | None) -> None:
    payment = Payment(date(2024, 1, 1), Decimal(paid))

    found = owed_on(date(2024, 6, 1), "10000.00", Debt.ORDINARY, entered=date(2023, 1, 1), paid=[payment])

    assert found.paid_off_on == paid_off_on
    assert (found.total == 0) is (paid_off_on is not None)


@pytest.mark.parametrize(
    ("amount", "payment"),
    [
        ("-0.01", Payment(ENTERED, Decimal(1))),
        ("1.00", Payment(ENTERED, Decimal(0))),
        ("1.00", Payment(ENTERED - timedelta(days=1), Decimal(1))),
        ("1.005", Payment(ENTERED, Decimal(1))),
        ("1.00", Payment(ENTERED, Decimal("0.001"))),
    ],
)
def test_refuses_what_cannot_be(amount: str, payment: Payment) -> None:
    with pytest.raises(ValueError, match=r"negative|parts of a cent"):
        owed_on(ENTERED, amount, Debt.ORDINARY, paid=[payment])


@given(amounts, st.lists(payments, max_size=3), debts, readings, days, st.integers(0, 1000))
def test_a_balance_grows_to_what_is_owed_later(
    amount: Decimal, paid: list[Payment], debt: Debt, reading: Reading, day: date, more: int
) -> None:
    last = max([day, date(2022, 4, 30), *(payment.received_on for payment in paid)])
    later = last + timedelta(days=more)

    found = grown(owed_on(last, amount, debt, paid=paid, reading=reading), until=later, debt=debt)

    expected = owed_on(later, amount, debt, paid=paid, reading=reading)
    assert (found.as_of, found.principal, found.paid_off_on) == (later, expected.principal, expected.paid_off_on)
    assert abs(found.interest - expected.interest) <= Decimal("0.02")
    assert abs(found.per_diem - expected.per_diem) <= Decimal("0.01")


def test_a_balance_does_not_shrink_to_an_earlier_day() -> None:
    balance = owed_on(date(2023, 1, 1), "1000", Debt.ORDINARY)

    assert grown(balance, until=date(2022, 12, 31), debt=Debt.ORDINARY) == balance
