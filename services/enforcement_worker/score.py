"""How collectable a judgment is. Pure; docs/enforcement.md.

The points are a house rule for sorting work, not a prediction: no outcome of past cases stands behind them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from services.enforcement_worker.law import lien_ends_on, presumed_paid_on, years_after

LARGE = Decimal(10_000)
MODEST = Decimal(2_000)
RECENT_YEARS = 3
PAYING_YEARS = 1


@dataclass(frozen=True)
class Score:
    """0 (hopeless) to 100. Each reason is a sentence without the names or amounts of the case."""

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
        return 20, "+20: somebody paid within a year, so somebody can."
    return 8, "+8: somebody paid once, more than a year ago."
