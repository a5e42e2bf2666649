"""New York law: interest owed, and until when a judgment can be collected. Pure; docs/enforcement.md.

Simple interest from the judgment's entry (CPLR 5003), 9 % a year, or 2 % where the debt is consumer debt (CPLR 5004).
The 2 % came on 30 April 2022. What they do to older consumer judgments is a matter of `Reading`.

A day's interest is a 365th of a year's. The day of entry earns nothing, the day asked about does (General Construction
Law § 20). 29 February and the day before it count as one day (§ 58), so that every year earns the same. A payment pays
accrued interest first, then principal. Nothing is rounded in between; results are rounded half up to cents.

Inside, whole numbers of parts of a cent are counted: as exact as fractions, and several times faster.

Everything is counted from the day of entry, on which the judgment-roll is filed (CPLR 5017); an uploaded file tells
neither that nor the docketing by itself.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

LIEN_YEARS = 10  # CPLR 5203(a): a docketed judgment binds real property until so long after the filing of its roll
RENEWAL_OPENS_YEARS = 9  # CPLR 5014: the action for a renewal judgment may begin in the year before the ten are over
PRESUMED_PAID_YEARS = 20  # CPLR 211(b): after that it is presumed paid


def lien_ends_on(entered_on: date) -> date:
    """The day on which the lien on real property ends, unless a renewal judgment follows (CPLR 5014)."""
    return years_after(entered_on, LIEN_YEARS)


def renewal_opens_on(entered_on: date) -> date:
    """From this day on an action may renew the lien. The renewed lien works only once it is granted, so begin early."""
    return years_after(entered_on, RENEWAL_OPENS_YEARS)


def presumed_paid_on(entered_on: date, paid_on: Iterable[date] = ()) -> date:
    """The day from which it is presumed paid.

    A payment within the twenty years begins them again, as against the one who made it; a written acknowledgment does
    too, but the files don't report those.
    """
    end = years_after(entered_on, PRESUMED_PAID_YEARS)
    for day in sorted(paid_on):
        if entered_on <= day < end:
            end = years_after(day, PRESUMED_PAID_YEARS)
    return end


def years_after(day: date, years: int) -> date:
    """The same day `years` later; where there is no 29 February, the 28th (General Construction Law §§ 30, 58)."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return day.replace(year=day.year + years, day=28)


CONSUMER_RATE_FROM = date(2022, 4, 30)
LAST_OLD_DAY = CONSUMER_RATE_FROM - timedelta(days=1)
PER_CENT = 9
CONSUMER_PER_CENT = 2
A_YEAR = 365 * 100  # what a year's days, each with its rate in per cent, are to be divided by


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
    """The balance on a later day on which nothing more has been paid, unchanged for an earlier one.

    It saves reckoning every day again: within two cents of `balance_on`, since both begin from rounded cents. For what
    is owed by the law as enacted too, from the day on which the 2 % came.
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
    """A year's rate on this day."""
    return CONSUMER_PER_CENT if debt is Debt.CONSUMER and day >= CONSUMER_RATE_FROM else PER_CENT


def percent_days(debt: Debt, *, after: date, until: date) -> int:
    """The year's rates in per cent, summed over the days after `after` up to and including `until`."""
    if debt is Debt.ORDINARY:
        return PER_CENT * counted_days(after, until)
    old_days = counted_days(after, min(until, LAST_OLD_DAY))
    new_days = counted_days(max(after, LAST_OLD_DAY), until)
    return PER_CENT * old_days + CONSUMER_PER_CENT * new_days


def counted_days(after: date, until: date) -> int:
    """The days after `after` up to and including `until`, without each 29 February; zero when there are none."""
    if until <= after:
        return 0
    return (until - after).days - (_leap_days(until) - _leap_days(after))


class _Account(NamedTuple):
    """What is owed at the end of `day`, exactly: whole numbers of which `scale` make a cent."""

    principal: int
    interest: int
    scale: int
    day: date
    debt: Debt
    reading: Reading

    def on(self, day: date) -> _Account:
        """Later, with what accrues until then; unchanged for an earlier day."""
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
    """How many days named 29 February there were from year 1 to this day."""
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
