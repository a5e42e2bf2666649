"""What to do next to collect a judgment, and until when, by fixed rules. Pure.

The rules follow New York's practice (CPLR articles 50 and 52; sources in docs/enforcement.md); they are a first sorting
for a clerk, not legal advice.
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

from services.domain.enforceability import (
    LIEN_YEARS,
    PRESUMED_PAID_YEARS,
    lien_ends_on,
    presumed_paid_on,
    renewal_opens_on,
)
from services.domain.interest import Balance
from services.enforcement_worker.case import Case, Kind, NextStep

TRANSCRIPT_FROM = Decimal(2000)  # below that, a lien on a house rarely repays its fees

DAYS_TO_ACT = {
    Kind.CLOSE: 30,
    Kind.FILE_SATISFACTION: 20,  # CPLR 5020(c)
    Kind.RENEW_LIEN: 14,
    Kind.DOCKET_TRANSCRIPT: 14,
    Kind.INFORMATION_SUBPOENA: 30,
}


def decide_next_step(case: Case, balance: Balance) -> NextStep:
    """The step for the case on the day of `balance`.

    Its days are counted from when it first could be taken: the day on which the case was taken in, or the later one
    from which the step made sense. So deciding again, on the same day or on another, moves no deadline.
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
    """The law counts from the last payment, whenever the case was taken in."""
    reason = "Nothing is owed any more; the creditor has to say so to the court."
    since = balance.paid_off_on or case.taken_in_on
    return NextStep(Kind.FILE_SATISFACTION, since + timedelta(days=DAYS_TO_ACT[Kind.FILE_SATISFACTION]), reason)


def _renewal(case: Case) -> NextStep:
    """Before the lien ends, if that is still possible: until the renewal is granted, others may step in between."""
    reason = f"Its lien of {LIEN_YEARS} years has ended or ends within a year."
    step = _step(Kind.RENEW_LIEN, case, renewal_opens_on(case.entered_on), reason)
    end = lien_ends_on(case.entered_on)
    return NextStep(step.kind, end, reason) if case.taken_in_on < end < step.due_on else step


def _step(kind: Kind, case: Case, possible_from: date, reason: str) -> NextStep:
    began_on = max(case.taken_in_on, possible_from)
    return NextStep(kind, began_on + timedelta(days=DAYS_TO_ACT[kind]), reason)
