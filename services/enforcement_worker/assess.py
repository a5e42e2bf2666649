"""Everything that can be reckoned about one judgment for one day. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

from services.domain.collectability import score
from services.domain.enforceability import lien_ends_on, presumed_paid_on, renewal_opens_on
from services.domain.interest import CONSUMER_RATE_FROM, Balance, Debt, Reading, balance_on
from services.enforcement_worker.case import Assessment, Case
from services.enforcement_worker.decide import decide_next_step
from services.enforcement_worker.due import next_review_on


def assess(given: Case, *, as_of: date) -> Assessment:
    """The assessment of a case at the end of `as_of`; what is dated later is not known yet."""
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
