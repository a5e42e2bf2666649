"""What is known of one judgment, and what was found out about it on one day. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from services.domain.collectability import Score
from services.domain.interest import Balance, Debt, Payment


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
    """What is stored in `enforcement.next_steps.kind`."""

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
    """What holds for one judgment on one day.

    `balance` follows the rates as they came, the unknown kind of debt counted as ordinary. `least` is what is owed at
    least, should a court read the law the other way or the debt be consumer debt; equal to `balance` where nothing is
    in doubt. `cautions` say what is, each in a sentence without names or amounts. `next_review_on`: see `due.py`.
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
