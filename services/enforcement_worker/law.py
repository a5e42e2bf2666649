"""New York law: interest on judgments, and the time limits for collecting them. Pure; docs/enforcement.md.

Simple interest from the judgment's entry (CPLR 5003), 9 % per year, or 2 % for consumer debt (CPLR 5004). The 2 % took
effect on 30 April 2022. Their effect on older consumer judgments depends on the `Reading`.

A day's interest is a 365th of a year's. The day of entry earns nothing, the day of the balance does (General
Construction Law § 20). 29 February and the day before it count as one day (§ 58), so that every year earns the same. A
payment pays accrued interest first, then principal. Only results are rounded, half up to cents.

Internally, amounts are integers of a fraction of a cent: as exact as fractions, and several times faster.

Everything is counted from the day of entry, on which the judgment-roll is filed (CPLR 5017); an uploaded file reports
neither that nor the docketing.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

LIEN_YEARS = 10  # CPLR 5203(a): a docketed judgment binds real property for so many years after the filing of its roll
RENEWAL_OPENS_YEARS = 9  # CPLR 5014: the action for a renewal judgment may begin in the lien's last year
PRESUMED_PAID_YEARS = 20  # CPLR 211(b): after so many years it is presumed paid


def lien_ends_on(entered_on: date) -> date:
    """The day on which the lien on real property ends, unless a renewal judgment follows (CPLR 5014)."""
    return years_after(entered_on, LIEN_YEARS)


def renewal_opens_on(entered_on: date) -> date:
    """The first day for an action to renew the lien. The renewed lien works only once it is granted, so begin early."""
    return years_after(entered_on, RENEWAL_OPENS_YEARS)


def presumed_paid_on(entered_on: date, paid_on: Iterable[date] = ()) -> date:
    """The day from which it is presumed paid.

    A payment within the 20 years starts them again, as against the person who made it; so does a written
    acknowledgment, but the files don't report those.
    """
    end = years_after(entered_on, PRESUMED_PAID_YEARS)
    for day in sorted(paid_on):
        if entered_on <= day < end:
            end = years_after(day, PRESUMED_PAID_YEARS)
    return end


def years_after(day: date, years: int) -> date:
    """The same day `years` later; 28 February if that year has no 29 February (General Construction Law §§ 30, 58)."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return day.replace(year=day.year + years, day=28)


CONSUMER_RATE_FROM = date(2022, 4, 30)
LAST_OLD_DAY = CONSUMER_RATE_FROM - timedelta(days=1)
PER_CENT = 9
CONSUMER_PER_CENT = 2
A_YEAR = 365 * 100  # divisor for a sum of daily rates in per cent


class Debt(StrEnum):
    """The kind of debt, which decides the rate. Consumer debt is a natural person's (CPLR 5004(b))."""

    ORDINARY = "ordinary"
    CONSUMER = "consumer"


class Reading(StrEnum):
    """The reading of the 2 % for a consumer judgment that was entered before they took effect.

    `SPLIT`: days before stay at 9 %. `AS_ENACTED`: the amount unpaid on that day has borne 2 % since the entry (CPLR
    5004(a)(ii)), so of the accrued and unpaid interest two ninths remain.
    """

    SPLIT = "split"
    AS_ENACTED = "as_enacted"


@dataclass(frozen=True)
class Payment:
    """A payment of `amount` US dollars, above zero, received on a day."""

    received_on: date
    amount: Decimal


@dataclass(frozen=True)
class Balance:
    """The debt in US dollars, to the cent. `per_diem`: the interest of one more day; `paid_off_on`: the date of the
    payment that left nothing."""

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
    """The debt at the end of `as_of`; later payments are ignored, and an overpayment leaves zero.

    Raises ValueError for a negative amount, a part of a cent, a payment of zero or less, or one before the entry.
    """
    if amount < 0 or any(payment.amount <= 0 or payment.received_on < entered_on for payment in payments):
        raise ValueError("the amount is negative, or a payment is not above zero or precedes the judgment's entry")
    account, paid_off_on = _Account(_whole_cents(amount), 0, 1, entered_on, debt, reading), None
    for payment in sorted(payments, key=lambda payment: payment.received_on):
        if payment.received_on > as_of or paid_off_on:
            break
        account = account.on(payment.received_on).after_payment(_whole_cents(payment.amount))
        if account.principal == 0:
            paid_off_on = payment.received_on
    account = account.on(as_of)
    principal = account.cents(account.principal)
    interest = account.cents(account.principal + account.interest) - principal
    per_diem = _rounded(account.principal * per_cent_on(account.day + timedelta(days=1), debt), account.scale * A_YEAR)
    return Balance(as_of, _dollars(principal), _dollars(interest), _dollars(per_diem), paid_off_on)


def grown(balance: Balance, *, until: date, debt: Debt) -> Balance:
    """The balance on a later day without further payments; unchanged for an earlier day.

    It avoids a full computation every day: the result is within 2 cents of `balance_on`, since both start from rounded
    cents. It also fits the amount by the law as enacted, from the day on which the 2 % took effect.
    """
    if until <= balance.as_of:
        return balance
    more = _whole_cents(balance.principal) * percent_days(debt, after=balance.as_of, until=until)
    per_diem = _whole_cents(balance.principal) * per_cent_on(until + timedelta(days=1), debt)
    return replace(
        balance,
        as_of=until,
        interest=balance.interest + _dollars(_rounded(more, A_YEAR)),
        per_diem=_dollars(_rounded(per_diem, A_YEAR)),
    )


def per_cent_on(day: date, debt: Debt) -> int:
    """The yearly rate in per cent on this day."""
    return CONSUMER_PER_CENT if debt is Debt.CONSUMER and day >= CONSUMER_RATE_FROM else PER_CENT


def percent_days(debt: Debt, *, after: date, until: date) -> int:
    """The yearly rates in per cent, summed over the days after `after` up to and including `until`."""
    if debt is Debt.ORDINARY:
        return PER_CENT * counted_days(after, until)
    old_days = counted_days(after, min(until, LAST_OLD_DAY))
    new_days = counted_days(max(after, LAST_OLD_DAY), until)
    return PER_CENT * old_days + CONSUMER_PER_CENT * new_days


def counted_days(after: date, until: date) -> int:
    """The days after `after` up to and including `until`, without each 29 February; 0 if there are none."""
    if until <= after:
        return 0
    return (until - after).days - (_leap_days(until) - _leap_days(after))


class _Account(NamedTuple):
    """The exact debt at the end of `day`, in integers of which `scale` make a cent."""

    principal: int
    interest: int
    scale: int
    day: date
    debt: Debt
    reading: Reading

    def on(self, day: date) -> _Account:
        """The account on a later day, with the interest accrued until then; unchanged for an earlier day."""
        if day <= self.day:
            return self
        if not self._is_reduced_before(day):
            return self._accrue(day)
        then = self._accrue(LAST_OLD_DAY) if self.day < LAST_OLD_DAY else self
        return then._replace(
            principal=then.principal * PER_CENT,
            interest=then.interest * CONSUMER_PER_CENT,
            scale=then.scale * PER_CENT,
        )._accrue(day)

    def after_payment(self, amount_cents: int) -> _Account:
        amount = amount_cents * self.scale
        to_interest = min(self.interest, amount)
        left = self.principal - (amount - to_interest)
        is_paid_off = left <= 0 or not self.cents(left)  # a part of a cent can't be paid
        return self._replace(principal=0 if is_paid_off else left, interest=self.interest - to_interest)

    def cents(self, parts: int) -> int:
        return _rounded(parts, self.scale)

    def _is_reduced_before(self, day: date) -> bool:
        is_reread = self.debt is Debt.CONSUMER and self.reading is Reading.AS_ENACTED
        return is_reread and self.day <= LAST_OLD_DAY < day

    def _accrue(self, day: date) -> _Account:
        interest = self.interest * A_YEAR + self.principal * percent_days(self.debt, after=self.day, until=day)
        return self._replace(principal=self.principal * A_YEAR, interest=interest, scale=self.scale * A_YEAR, day=day)


def _leap_days(until: date) -> int:
    """The number of days named 29 February from year 1 to this day."""
    this_year = calendar.isleap(until.year) and (until.month, until.day) >= (2, 29)
    return calendar.leapdays(1, until.year) + this_year


def _rounded(parts: int, to: int) -> int:
    """`parts / to`, half up; for values of zero or more."""
    return (2 * parts + to) // (2 * to)


def _whole_cents(amount: Decimal) -> int:
    cents = int(amount.scaleb(2))
    if cents != amount.scaleb(2):
        raise ValueError("an amount has parts of a cent")
    return cents


def _dollars(cents: int) -> Decimal:
    return Decimal(cents).scaleb(-2)
