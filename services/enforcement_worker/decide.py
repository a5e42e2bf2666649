"""What to do next to collect a judgment, by fixed rules. Pure.

The rules follow New York's practice (CPLR articles 50 and 52); they are a first sorting for a clerk, not legal advice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum

from services.domain.enforceability import LIEN_YEARS, PRESUMED_PAID_YEARS, lien_ends_on, presumed_paid_on

RENEW_BEFORE = timedelta(days=365)  # CPLR 5014: the action for renewal may begin in the lien's last year
TRANSCRIPT_FROM = Decimal(2000)  # below that, a lien on a house rarely repays its fees


class Kind(StrEnum):
    """What is stored in `enforcement.next_steps.kind`."""

    CLOSE = "close_presumed_paid"
    RENEW_LIEN = "renew_lien"
    DOCKET_TRANSCRIPT = "docket_transcript"
    INFORMATION_SUBPOENA = "information_subpoena"


DAYS_TO_ACT = {Kind.CLOSE: 30, Kind.RENEW_LIEN: 14, Kind.DOCKET_TRANSCRIPT: 14, Kind.INFORMATION_SUBPOENA: 30}


@dataclass(frozen=True)
class NextStep:
    """One step for one judgment. `reason` is a sentence without the names or amounts of the case."""

    kind: Kind
    due_on: date
    reason: str


def decide_next_step(*, amount: Decimal, filing_date: date, taken_in_on: date) -> NextStep:
    """The step for a judgment of `amount` US dollars; due counted from the day on which it was taken in.

    That day, not today, so that deciding again gives the same answer.
    """
    kind, reason = _kind(amount, filing_date, taken_in_on)
    return NextStep(kind, taken_in_on + timedelta(days=DAYS_TO_ACT[kind]), reason)


def _kind(amount: Decimal, filing_date: date, on: date) -> tuple[Kind, str]:
    if on >= presumed_paid_on(filing_date):
        return Kind.CLOSE, f"It was filed {PRESUMED_PAID_YEARS} or more years ago and is presumed paid."
    if on >= lien_ends_on(filing_date) - RENEW_BEFORE:
        return Kind.RENEW_LIEN, f"Its lien of {LIEN_YEARS} years has ended or ends within a year."
    if amount >= TRANSCRIPT_FROM:
        return Kind.DOCKET_TRANSCRIPT, f"From ${TRANSCRIPT_FROM:,} on, a lien on real property is worth its fees."
    return Kind.INFORMATION_SUBPOENA, f"Below ${TRANSCRIPT_FROM:,}, finding a bank account comes first."
