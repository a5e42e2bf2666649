"""A court's judgment as we keep it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import NamedTuple

ENFORCEMENT_JOB_TYPE = "enforcement_next_step"  # one job a batch: what to do next about each of its judgments
MEMO_JOB_TYPE = "enforcement_memos"  # asks a language model about the cases of one batch
REVIEW_JOB_TYPE = "enforcement_review"  # makes assessments anew that are due, whatever their batch


class Judgment(NamedTuple):
    """One judgment. `amount` is in US dollars with two decimals; a case number is unique within its county.

    `is_consumer_debt` is None where the file does not say.
    """

    case_number: str
    plaintiff: str
    defendant: str
    amount: Decimal
    filing_date: date
    county: str
    is_consumer_debt: bool | None = None
