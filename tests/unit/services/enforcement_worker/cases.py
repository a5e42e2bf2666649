"""Builders of cases; a test names only what matters to it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from services.enforcement_worker.assess import Case
from services.enforcement_worker.law import Debt, Payment

TODAY = date(2025, 12, 20)


def case(
    *,
    amount: str = "5000.00",
    county: str = "Kings",
    entered: date = date(2025, 1, 1),
    taken_in: date = TODAY,
    debt: Debt | None = Debt.ORDINARY,
    paid: tuple[tuple[date, str], ...] = (),
) -> Case:
    payments = tuple(Payment(day, Decimal(dollars)) for day, dollars in paid)
    return Case(Decimal(amount), county, entered, taken_in, debt, payments)
