from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.domain.interest import Balance, Debt, Payment, accrued, balance_on

DOCUMENT = Path(__file__).parents[4] / "docs" / "enforcement.md"
ENTERED = date(2021, 6, 1)

debts = st.sampled_from(Debt)
amounts = st.decimals(min_value="0.00", max_value="999999999999.99", places=2)
days = st.dates(min_value=ENTERED, max_value=date(2041, 6, 1))
payments = st.builds(Payment, days, st.decimals(min_value="0.01", max_value="99999.99", places=2))


def worked_examples() -> list[list[str]]:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in DOCUMENT.read_text().splitlines()]
    return [row for row in rows if row[0] in set(Debt)]


@pytest.mark.parametrize("row", worked_examples(), ids=" ".join)
def test_agrees_with_the_documents_examples(row: list[str]) -> None:
    debt, amount, entered, paid, as_of, principal, interest, per_diem = row
    words = paid.split()
    paid_in = [Payment(date.fromisoformat(words[0]), Decimal(words[1]))] if words else []

    found = balance_on(
        date.fromisoformat(as_of),
        amount=Decimal(amount),
        entered_on=date.fromisoformat(entered),
        debt=Debt(debt),
        payments=paid_in,
    )

    assert found == Balance(date.fromisoformat(as_of), Decimal(principal), Decimal(interest), Decimal(per_diem))


def test_the_document_has_examples() -> None:
    assert len(worked_examples()) == 5


@given(amounts, debts, st.lists(days, min_size=3, max_size=3).map(sorted))
def test_split_periods_add_up(amount: Decimal, debt: Debt, cut: list[date]) -> None:
    first, middle, last = cut
    parts = [accrued(Fraction(amount), debt, after=a, until=b) for a, b in ((first, middle), (middle, last))]

    assert sum(parts) == accrued(Fraction(amount), debt, after=first, until=last)


@given(amounts, debts, days, st.integers(0, 5000))
def test_grows_with_time(amount: Decimal, debt: Debt, day: date, more: int) -> None:
    later = balance_on(day + timedelta(days=more), amount=amount, entered_on=ENTERED, debt=debt)

    assert later.total >= balance_on(day, amount=amount, entered_on=ENTERED, debt=debt).total >= amount


@given(amounts, debts, days, st.lists(payments, max_size=5), payments)
def test_a_payment_never_adds_and_never_makes_negative(
    amount: Decimal, debt: Debt, as_of: date, paid: list[Payment], one_more: Payment
) -> None:
    without = balance_on(as_of, amount=amount, entered_on=ENTERED, debt=debt, payments=paid)
    with_it = balance_on(as_of, amount=amount, entered_on=ENTERED, debt=debt, payments=[*paid, one_more])

    assert with_it.total <= without.total
    assert min(with_it.principal, with_it.interest, with_it.per_diem) >= 0


@given(amounts, days, st.lists(payments, max_size=5))
def test_consumer_debt_never_owes_more(amount: Decimal, as_of: date, paid: list[Payment]) -> None:
    ordinary, consumer = (
        balance_on(as_of, amount=amount, entered_on=ENTERED, debt=debt, payments=paid)
        for debt in (Debt.ORDINARY, Debt.CONSUMER)
    )

    assert consumer.total <= ordinary.total


@pytest.mark.parametrize(
    ("amount", "payment"),
    [
        ("-0.01", Payment(ENTERED, Decimal(1))),
        ("1.00", Payment(ENTERED, Decimal(0))),
        ("1.00", Payment(ENTERED - timedelta(days=1), Decimal(1))),
    ],
)
def test_refuses_what_cannot_be(amount: str, payment: Payment) -> None:
    with pytest.raises(ValueError, match="negative"):
        balance_on(ENTERED, amount=Decimal(amount), entered_on=ENTERED, debt=Debt.ORDINARY, payments=[payment])
