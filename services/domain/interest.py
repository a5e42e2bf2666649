"""What is owed on a New York money judgment on a given day. Pure; sources and examples in docs/enforcement.md.

Simple interest from the judgment's entry (CPLR 5003), 9 % a year, or 2 % where the debt is consumer debt (CPLR
5004). The 2 % hold from 30 April 2022 on; what an older consumer judgment earned before that day stays at 9 %. A day's
interest is a 365th of a year's, in leap years too. The day of entry earns nothing, the day asked about does (General
Construction Law 20).

A payment pays accrued interest first, then principal. Nothing is rounded in between; results are rounded half up to
cents.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

CONSUMER_RATE_FROM = date(2022, 4, 30)
DAYS_A_YEAR = 365
RATE = Fraction(9, 100)
CONSUMER_RATE = Fraction(2, 100)


class Debt(StrEnum):
    """What the judgment is for: it decides the rate."""

    ORDINARY = "ordinary"
    CONSUMER = "consumer"


@dataclass(frozen=True)
class Payment:
    """`amount` US dollars, above zero, received on a day."""

    received_on: date
    amount: Decimal


@dataclass(frozen=True)
class Balance:
    """US dollars, to the cent. `per_diem` is what the day after `as_of` adds."""

    as_of: date
    principal: Decimal
    interest: Decimal
    per_diem: Decimal

    @property
    def total(self) -> Decimal:
        return self.principal + self.interest


def accrued(principal: Fraction, debt: Debt, *, after: date, until: date) -> Fraction:
    """Exact interest of the days after `after` up to and including `until`; zero when there are none."""
    if until <= after:
        return Fraction(0)
    if debt is Debt.ORDINARY:
        return principal * RATE * (until - after).days / DAYS_A_YEAR
    last_old_day = CONSUMER_RATE_FROM - timedelta(days=1)
    old_days = max(0, (min(until, last_old_day) - after).days)
    new_days = (until - after).days - old_days
    return principal * (RATE * old_days + CONSUMER_RATE * new_days) / DAYS_A_YEAR


def balance_on(
    as_of: date, *, amount: Decimal, entered_on: date, debt: Debt, payments: Sequence[Payment] = ()
) -> Balance:
    """What is owed at the end of `as_of`; payments after that day are left out, and too much paid leaves zero.

    Raises ValueError for a negative amount, a payment of zero or less, or one before the entry.
    """
    if amount < 0 or any(payment.amount <= 0 or payment.received_on < entered_on for payment in payments):
        raise ValueError("the amount is negative, or a payment is not above zero or precedes the judgment's entry")
    principal, interest, last = Fraction(amount), Fraction(0), entered_on
    for payment in sorted(payments, key=lambda payment: payment.received_on):
        if payment.received_on > as_of:
            break
        interest += accrued(principal, debt, after=last, until=payment.received_on)
        to_interest = min(interest, Fraction(payment.amount))
        interest -= to_interest
        principal = max(Fraction(0), principal - (Fraction(payment.amount) - to_interest))
        last = payment.received_on
    interest += accrued(principal, debt, after=last, until=as_of)
    next_day = max(as_of, entered_on)
    per_diem = accrued(principal, debt, after=next_day, until=next_day + timedelta(days=1))
    return Balance(as_of, cents(principal), cents(principal + interest) - cents(principal), cents(per_diem))


def cents(value: Fraction) -> Decimal:
    """Rounded half up to cents; for values of zero or more."""
    return Decimal(int(value * 100 + Fraction(1, 2))).scaleb(-2)
