"""Assesses a judgment for a given day: next action, deadline, next assessment date, and how collectable it is. Pure.

The rules follow New York's practice (CPLR articles 50 and 52; sources in docs/enforcement.md); they are a first sorting
for a clerk, not legal advice.

Interest grows every day, by arithmetic alone (`services.enforcement_worker.law.grown`). A step, its deadline and the
score change only on some days, which are known in advance: nothing is computed in between.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum

from services.enforcement_worker.law import (
    CONSUMER_RATE_FROM,
    LIEN_YEARS,
    PRESUMED_PAID_YEARS,
    Balance,
    Debt,
    Payment,
    Reading,
    balance_on,
    lien_ends_on,
    presumed_paid_on,
    renewal_opens_on,
    years_after,
)

LARGE = Decimal(10_000)
MODEST = Decimal(2_000)
RECENT_YEARS = 3
PAYING_YEARS = 1


@dataclass(frozen=True)
class Score:
    """0 (hopeless) to 100 points. Each reason is a sentence without the names or amounts of the case."""

    points: int
    reasons: tuple[str, ...]


def score(*, owed: Decimal, entered_on: date, as_of: date, paid_on: Sequence[date] = ()) -> Score:
    """The points for a judgment with `owed` US dollars due: 40 for its age, 40 for its size, 20 for payments."""
    if owed <= 0:
        return Score(0, ("Nothing is owed.",))
    if as_of >= presumed_paid_on(entered_on, paid_on):
        return Score(0, ("It is presumed paid: nothing can be collected.",))
    parts = (_age(entered_on, as_of), _size(owed), _payments(paid_on, as_of))
    return Score(sum(points for points, _ in parts), tuple(reason for _, reason in parts))


def _age(entered_on: date, as_of: date) -> tuple[int, str]:
    if as_of < years_after(entered_on, RECENT_YEARS):
        return 40, f"+40: it is less than {RECENT_YEARS} years old, so what is known of the debtor is fresh."
    if as_of < lien_ends_on(entered_on):
        return 25, "+25: its lien on real property can still bind."
    return 10, "+10: its lien has ended, but it can still be collected."


def _size(owed: Decimal) -> tuple[int, str]:
    if owed >= LARGE:
        return 40, f"+40: from ${LARGE:,} on, every remedy repays its fees."
    if owed >= MODEST:
        return 28, f"+28: from ${MODEST:,} on, most remedies repay their fees."
    return 12, f"+12: below ${MODEST:,}, fees take much of what comes in."


def _payments(paid_on: Sequence[date], as_of: date) -> tuple[int, str]:
    if not paid_on:
        return 0, "+0: no payment is known."
    if as_of < years_after(max(paid_on), PAYING_YEARS):
        return 20, "+20: a payment was made within a year."
    return 8, "+8: a payment was made, more than a year ago."


@dataclass(frozen=True)
class Case:
    """A judgment without names: `amount` in US dollars, days by New York's calendar, `debt` None when it is unknown."""

    amount: Decimal
    county: str
    entered_on: date
    taken_in_on: date
    debt: Debt | None = None
    payments: tuple[Payment, ...] = ()


class Kind(StrEnum):
    """The kind of a next step, as stored in `enforcement.next_steps.kind`."""

    CLOSE = "close_presumed_paid"
    FILE_SATISFACTION = "file_satisfaction"
    RENEW_LIEN = "renew_lien"
    DOCKET_TRANSCRIPT = "docket_transcript"
    INFORMATION_SUBPOENA = "information_subpoena"


@dataclass(frozen=True)
class NextStep:
    """One step for one judgment. `reason` is a sentence without the names or amounts of the case."""

    kind: Kind
    due_on: date
    reason: str


@dataclass(frozen=True)
class Assessment:
    """The result for one judgment on one day.

    `balance` uses the rates of each period, and counts an unknown kind of debt as ordinary. `least` is the lowest
    possible debt, if a court reads the law the other way or the debt is consumer debt; equal to `balance` if nothing is
    in doubt. `cautions` name the doubts, each in a sentence without names or amounts. `next_review_on`: see
    `next_review_on()`.
    """

    as_of: date
    balance: Balance
    least: Balance
    renewal_opens_on: date
    lien_ends_on: date
    presumed_paid_on: date
    score: Score
    step: NextStep
    cautions: tuple[str, ...]
    next_review_on: date | None


TRANSCRIPT_FROM = Decimal(2000)  # US dollars; below that, a lien on a house rarely repays its fees

DAYS_TO_ACT = {
    Kind.CLOSE: 30,
    Kind.FILE_SATISFACTION: 20,  # CPLR 5020(c)
    Kind.RENEW_LIEN: 14,
    Kind.DOCKET_TRANSCRIPT: 14,
    Kind.INFORMATION_SUBPOENA: 30,
}


def decide_next_step(case: Case, balance: Balance) -> NextStep:
    """The step for the case on the day of `balance`.

    Its deadline is counted from the first possible day: the day on which the case was taken in, or the later one from
    which the step made sense. So deciding again, on any day, moves no deadline.
    """
    if balance.total == 0:
        return _satisfaction(case, balance)
    presumed = presumed_paid_on(case.entered_on, [payment.received_on for payment in case.payments])
    if balance.as_of >= presumed:
        reason = f"It was entered, or last paid on, {PRESUMED_PAID_YEARS} or more years ago and is presumed paid."
        return _step(Kind.CLOSE, case, presumed, reason)
    if balance.principal < TRANSCRIPT_FROM:
        reason = f"Below ${TRANSCRIPT_FROM:,}, finding a bank account comes first."
        return _step(Kind.INFORMATION_SUBPOENA, case, case.entered_on, reason)
    if balance.as_of >= renewal_opens_on(case.entered_on):
        return _renewal(case)
    reason = f"From ${TRANSCRIPT_FROM:,} on, a lien on real property is worth its fees."
    return _step(Kind.DOCKET_TRANSCRIPT, case, case.entered_on, reason)


def _satisfaction(case: Case, balance: Balance) -> NextStep:
    """The law counts from the last payment, even if the case was taken in later."""
    reason = "Nothing is owed any more; the creditor has to say so to the court."
    since = balance.paid_off_on or case.taken_in_on
    return NextStep(Kind.FILE_SATISFACTION, since + timedelta(days=DAYS_TO_ACT[Kind.FILE_SATISFACTION]), reason)


def _renewal(case: Case) -> NextStep:
    """Due before the lien ends, if still possible: until the renewal is granted, other liens may take precedence."""
    reason = f"Its lien of {LIEN_YEARS} years has ended or ends within a year."
    step = _step(Kind.RENEW_LIEN, case, renewal_opens_on(case.entered_on), reason)
    end = lien_ends_on(case.entered_on)
    return NextStep(step.kind, end, reason) if case.taken_in_on < end < step.due_on else step


def _step(kind: Kind, case: Case, possible_from: date, reason: str) -> NextStep:
    began_on = max(case.taken_in_on, possible_from)
    return NextStep(kind, began_on + timedelta(days=DAYS_TO_ACT[kind]), reason)


REVIEW_AFTER_DAYS = 30  # even if nothing changes: it updates memo bands, and cautions that depend on a cent

_ENDED = (Kind.CLOSE, Kind.FILE_SATISFACTION)
_HALF_A_CENT = Decimal("0.005")


def next_review_on(case: Case, balance: Balance, step: NextStep) -> date | None:
    """The first later day on which the step, its deadline or the score may differ; 30 days later at the latest.

    None if nothing changes until a payment or another file arrives. A payment with a later date counts from that date
    on.
    """
    day = balance.as_of
    to_come = [payment.received_on for payment in case.payments if payment.received_on > day]
    if step.kind in _ENDED:
        return min(to_come, default=None)
    days_ahead = (*to_come, *_turning_days(case, day), *_days_of_growth(balance))
    return min(day_ahead for day_ahead in days_ahead if day_ahead > day)


def _turning_days(case: Case, day: date) -> Iterator[date]:
    paid_on = [payment.received_on for payment in case.payments if case.entered_on <= payment.received_on <= day]
    yield CONSUMER_RATE_FROM
    yield years_after(case.entered_on, RECENT_YEARS)
    yield renewal_opens_on(case.entered_on)
    yield lien_ends_on(case.entered_on)
    yield presumed_paid_on(case.entered_on, paid_on)
    if paid_on:
        yield years_after(max(paid_on), PAYING_YEARS)
    yield day + timedelta(days=REVIEW_AFTER_DAYS)


def _days_of_growth(balance: Balance) -> Iterator[date]:
    """Days on which interest may raise the debt to a limit of the score: never late, at most early by rounding."""
    a_day = balance.per_diem + _HALF_A_CENT
    for limit in (MODEST, LARGE):
        days = int(((limit - balance.total - 2 * _HALF_A_CENT) / a_day).to_integral_value(ROUND_CEILING))
        if balance.total < limit and days < REVIEW_AFTER_DAYS:
            yield balance.as_of + timedelta(days=max(days, 1))


def assess(given: Case, *, as_of: date) -> Assessment:
    """The assessment of a case at the end of `as_of`; later payments are not known yet."""
    counted = tuple(p for p in given.payments if given.entered_on <= p.received_on <= as_of)
    case = replace(given, payments=counted)
    paid_on = [payment.received_on for payment in counted]
    balance = _balance(case, as_of, case.debt or Debt.ORDINARY, Reading.SPLIT)
    least = _least(case, balance)
    step = decide_next_step(case, balance)
    return Assessment(
        as_of,
        balance,
        least,
        renewal_opens_on(case.entered_on),
        lien_ends_on(case.entered_on),
        presumed_paid_on(case.entered_on, paid_on),
        score(owed=balance.total, entered_on=case.entered_on, as_of=as_of, paid_on=paid_on),
        step,
        tuple(_cautions(given, balance, least)),
        next_review_on(given, balance, step),
    )


def _least(case: Case, balance: Balance) -> Balance:
    if case.debt is Debt.ORDINARY or (case.debt is Debt.CONSUMER and case.entered_on >= CONSUMER_RATE_FROM):
        return balance
    return _balance(case, balance.as_of, Debt.CONSUMER, Reading.AS_ENACTED)


def _balance(case: Case, as_of: date, debt: Debt, reading: Reading) -> Balance:
    return balance_on(
        as_of,
        amount=case.amount,
        entered_on=case.entered_on,
        debt=debt,
        payments=case.payments,
        reading=reading,
    )


def _cautions(case: Case, balance: Balance, least: Balance) -> Iterator[str]:
    if case.debt is None:
        yield "Whether it is consumer debt is not known: interest is counted at 9 %, the least that is owed at 2 %."
    elif least.total != balance.total:
        yield "It is consumer debt from before 30 April 2022: as enacted, the 2 % reach back to its entry."
    if balance.total and not least.total:
        yield "By the lower count it is paid in full: a person has to decide before anything is collected."
    if any(payment.received_on < case.entered_on for payment in case.payments):
        yield "A payment dated before its entry is not counted."
