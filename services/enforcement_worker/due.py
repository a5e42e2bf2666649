"""When an assessment has to be made anew. Pure.

Interest grows every day, and that is arithmetic (`services.domain.interest.grown`). A step, its deadline and the score
change on some days only, and these are known beforehand: nothing is reckoned in between.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import ROUND_CEILING, Decimal

from services.domain.collectability import LARGE, MODEST, PAYING_YEARS, RECENT_YEARS
from services.domain.enforceability import lien_ends_on, presumed_paid_on, renewal_opens_on, years_after
from services.domain.interest import CONSUMER_RATE_FROM, Balance
from services.enforcement_worker.case import Case, Kind, NextStep

REVIEW_AFTER_DAYS = 30  # also when nothing turns: bands of memos, and cautions that hang on a cent, follow by then

_ENDED = (Kind.CLOSE, Kind.FILE_SATISFACTION)
_HALF_A_CENT = Decimal("0.005")


def next_review_on(case: Case, balance: Balance, step: NextStep) -> date | None:
    """The first later day on which the step, its deadline or the score may differ; 30 days on at the latest.

    None where nothing changes until a payment or another file comes. A payment dated later counts from its day on.
    """
    day = balance.as_of
    to_come = [payment.received_on for payment in case.payments if payment.received_on > day]
    if step.kind in _ENDED:
        return min(to_come, default=None)
    turns = (*to_come, *_turning_days(case, day), *_days_of_growth(balance))
    return min(turn for turn in turns if turn > day)


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
    """Days on which interest may bring what is owed to a limit of the score: never late, early by a rounding."""
    a_day = balance.per_diem + _HALF_A_CENT
    for limit in (MODEST, LARGE):
        days = int(((limit - balance.total - 2 * _HALF_A_CENT) / a_day).to_integral_value(ROUND_CEILING))
        if balance.total < limit and days < REVIEW_AFTER_DAYS:
            yield balance.as_of + timedelta(days=max(days, 1))
