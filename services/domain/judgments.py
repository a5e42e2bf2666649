"""A court's judgment as we keep it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

ENFORCEMENT_JOB_TYPE = "enforcement_next_step"  # one job a batch: what to do next about each of its judgments


@dataclass(frozen=True)
class Judgment:
    """One judgment. `amount` is in US dollars with at most two decimals; a case number is unique within its county."""

    case_number: str
    plaintiff: str
    defendant: str
    amount: Decimal
    filing_date: date
    county: str
