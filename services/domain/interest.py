"""What is owed on a New York money judgment on a given day. Pure; sources and examples in docs/enforcement.md.

Simple interest from the judgment's entry (CPLR 5003), 9 % a year, or 2 % where the debt is consumer debt (CPLR 5004).
The 2 % came on 30 April 2022. What they do to older consumer judgments is a matter of `Reading`.

A day's interest is a 365th of a year's. The day of entry earns nothing, the day asked about does (General Construction
Law § 20). 29 February and the day before it count as one day (§ 58), so that every year earns the same. A payment pays
accrued interest first, then principal. Nothing is rounded in between; results are rounded half up to cents.
"""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

CONSUMER_RATE_FROM = date(2022, 4, 30)
LAST_OLD_DAY = CONSUMER_RATE_FROM - timedelta(days=1)
DAYS_A_YEAR = 365
RATE = Fraction(9, 100)
CONSUMER_RATE = Fraction(2, 100)


class Debt(StrEnum):
    """What the judgment is for: it decides the rate. Consumer debt is a natural person's (CPLR 5004(b))."""

    ORDINARY = "ordinary"
    CONSUMER = "consumer"


class Reading(StrEnum):
    """What the 2 % mean for a consumer judgment that was entered before they came.

    `SPLIT`: days before stay at 9 %. `AS_ENACTED`: what was unpaid on that day has borne 2 % from the entry on (CPLR
    5004(a)(ii)), so of the interest that had accrued and was unpaid, two ninths are left.
    """

    SPLIT = "split"
    AS_ENACTED = "as_enacted"


@dataclass(frozen=True)
class Payment:
    """`amount` US dollars, above zero, received on a day."""

    received_on: date
    amount: Decimal


@dataclass(frozen=True)
class Balance:
    """US dollars, to the cent. `per_diem` is what a day more adds; `paid_off_on` of the payment that left nothing."""

    as_of: date
    principal: Decimal
    interest: Decimal
    per_diem: Decimal
    paid_off_on: date | None = None

    @property
    def total(self) -> Decimal:
        return self.principal + self.interest


def balance_on(
    as_of: date,
    *,
    amount: Decimal,
    entered_on: date,
    debt: Debt,
    payments: Sequence[Payment] = (),
    reading: Reading = Reading.SPLIT,
) -> Balance:
    """What is owed at the end of `as_of`; payments after that day are left out, and too much paid leaves zero.

    Raises ValueError for a negative amount, a payment of zero or less, or one before the entry.
    """
    if amount < 0 or any(payment.amount <= 0 or payment.received_on < entered_on for payment in payments):
        raise ValueError("the amount is negative, or a payment is not above zero or precedes the judgment's entry")
    account, paid_off_on = _Account(Fraction(amount), Fraction(0), entered_on, debt, reading), None
    for payment in sorted(payments, key=lambda payment: payment.received_on):
        if payment.received_on > as_of or paid_off_on:
            break
        account = account.on(payment.received_on).after_payment(Fraction(payment.amount))
        if account.principal == 0:
            paid_off_on = payment.received_on
    account = account.on(as_of)
    principal, interest = account.principal, account.interest
    per_diem = principal * rate_on(max(as_of, entered_on) + timedelta(days=1), debt) / DAYS_A_YEAR
    return Balance(
        as_of, cents(principal), cents(principal + interest) - cents(principal), cents(per_diem), paid_off_on
    )


def accrued(principal: Fraction, debt: Debt, *, after: date, until: date) -> Fraction:
    """Exact interest of the days after `after` up to and including `until`; zero when there are none."""
    if debt is Debt.ORDINARY:
        return principal * RATE * counted_days(after, until) / DAYS_A_YEAR
    old_days = counted_days(after, min(until, LAST_OLD_DAY))
    new_days = counted_days(max(after, LAST_OLD_DAY), until)
    return principal * (RATE * old_days + CONSUMER_RATE * new_days) / DAYS_A_YEAR


def rate_on(day: date, debt: Debt) -> Fraction:
    """A year's rate on this day."""
    return CONSUMER_RATE if debt is Debt.CONSUMER and day >= CONSUMER_RATE_FROM else RATE


def counted_days(after: date, until: date) -> int:
    """The days after `after` up to and including `until`, without each 29 February; zero when there are none."""
    if until <= after:
        return 0
    return (until - after).days - (_leap_days(until) - _leap_days(after))


def cents(value: Fraction) -> Decimal:
    """Rounded half up to cents; for values of zero or more."""
    return Decimal(int(value * 100 + Fraction(1, 2))).scaleb(-2)


@dataclass(frozen=True)
class _Account:
    """What is owed at the end of `day`, exactly."""

    principal: Fraction
    interest: Fraction
    day: date
    debt: Debt
    reading: Reading

    def on(self, day: date) -> _Account:
        """Later, with what accrues until then; unchanged for an earlier day."""
        if not self._is_reduced_before(day):
            return self._accrue(day)
        then = self._accrue(LAST_OLD_DAY)
        return replace(then, interest=then.interest * CONSUMER_RATE / RATE)._accrue(day)

    def after_payment(self, amount: Fraction) -> _Account:
        to_interest = min(self.interest, amount)
        left = self.principal - (amount - to_interest)
        is_paid_off = left <= 0 or not cents(left)  # nobody can pay a part of a cent
        return replace(self, principal=Fraction(0) if is_paid_off else left, interest=self.interest - to_interest)

    def _is_reduced_before(self, day: date) -> bool:
        is_reread = self.debt is Debt.CONSUMER and self.reading is Reading.AS_ENACTED
        return is_reread and self.day <= LAST_OLD_DAY < day

    def _accrue(self, day: date) -> _Account:
        interest = self.interest + accrued(self.principal, self.debt, after=self.day, until=day)
        return replace(self, interest=interest, day=max(day, self.day))


def _leap_days(until: date) -> int:
    """How many days named 29 February there were from year 1 to this day."""
    this_year = calendar.isleap(until.year) and (until.month, until.day) >= (2, 29)
    return calendar.leapdays(1, until.year) + this_year
