"""How promising it is to collect a judgment, from what we know of it: its age and its amount. Pure.

The points are a house rule for sorting work, not a prediction: no outcome of past cases stands behind them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from services.domain.enforceability import lien_ends_on, presumed_paid_on, years_after

LARGE = Decimal(10_000)
MODEST = Decimal(2_000)
RECENT_YEARS = 3


@dataclass(frozen=True)
class Score:
    """0 (hopeless) to 100. Each reason is a sentence without the names or amounts of the case."""

    points: int
    reasons: tuple[str, ...]


def score(*, amount: Decimal, entered_on: date, as_of: date) -> Score:
    """The points for a judgment of `amount` US dollars: half for its age, half for its size."""
    if as_of >= presumed_paid_on(entered_on):
        return Score(0, ("It is presumed paid: nothing can be collected.",))
    if amount <= 0:
        return Score(0, ("Nothing is owed.",))
    (age_points, age), (size_points, size) = _age(entered_on, as_of), _size(amount)
    return Score(age_points + size_points, (age, size))


def _age(entered_on: date, as_of: date) -> tuple[int, str]:
    if as_of < years_after(entered_on, RECENT_YEARS):
        return 50, f"+50: it is less than {RECENT_YEARS} years old, so what is known of the debtor is fresh."
    if as_of < lien_ends_on(entered_on):
        return 30, "+30: its lien on real property can still bind."
    return 10, "+10: its lien has ended, but it can still be collected."


def _size(amount: Decimal) -> tuple[int, str]:
    if amount >= LARGE:
        return 50, f"+50: from ${LARGE:,} on, every remedy repays its fees."
    if amount >= MODEST:
        return 35, f"+35: from ${MODEST:,} on, most remedies repay their fees."
    return 15, f"+15: below ${MODEST:,}, fees take much of what comes in."
