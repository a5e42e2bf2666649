"""What a language model is told of a case: only words of our own, so that it fits many cases and names none. Pure.

No name, no case number, no text of the file. Amounts and dates become bands, and a county that New York does not have
becomes "unknown", because an uploaded cell may hold anything. Cases with the same profile share one memo.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from uuid import UUID

from services.domain.counties import known_county
from services.domain.enforceability import years_after
from services.enforcement_worker.case import Assessment, Case, Kind

NOTHING_TO_COLLECT = frozenset({Kind.CLOSE, Kind.FILE_SATISFACTION})
UNKNOWN = "unknown"

_OWED = (1_000, 2_000, 5_000, 10_000, 25_000, 100_000)
_OWED_BANDS = (
    *("below 1,000", "1,000 to 2,000", "2,000 to 5,000", "5,000 to 10,000", "10,000 to 25,000", "25,000 to 100,000"),
    "above 100,000",
)
_AGES = (1, 3, 5, 9, 10, 15, 19, 20)
_AGE_BANDS = (
    *("less than 1 year", "1 to 3 years", "3 to 5 years", "5 to 9 years", "9 to 10 years", "10 to 15 years"),
    *("15 to 19 years", "19 to 20 years", "20 years or more"),
)


@dataclass(frozen=True)
class Profile:
    """Each field is one of a few words; `owed` in US dollars."""

    county: str
    debt: str
    owed: str
    paid: str
    age: str
    lien: str
    presumption: str
    score: str
    next_step: str
    amount_in_doubt: bool


def profile_of(case: Case, assessment: Assessment) -> Profile | None:
    """None where there is nothing to collect, so nothing to plan."""
    if assessment.step.kind in NOTHING_TO_COLLECT:
        return None
    day = assessment.as_of
    return Profile(
        county=known_county(case.county) or UNKNOWN,
        debt=case.debt or UNKNOWN,
        owed=_OWED_BANDS[bisect_right(_OWED, assessment.balance.total)],
        paid=_paid(case, assessment),
        age=_AGE_BANDS[bisect_right(_AGES, _full_years(case.entered_on, day))],
        lien=_lien(assessment, day),
        presumption="within two years" if years_after(day, 2) >= assessment.presumed_paid_on else "later",
        score=f"{assessment.score.points // 20 * 20} or more of 100",
        next_step=assessment.step.kind,
        amount_in_doubt=bool(assessment.cautions),
    )


@lru_cache(maxsize=4096)
def facts_of(profile: Profile) -> str:
    """The profile as JSON, always the same for the same profile."""
    return json.dumps(asdict(profile), sort_keys=True)


@lru_cache(maxsize=4096)
def memo_id_of(profile: Profile, *, question: str) -> UUID:
    """The id of the memo about this profile: the same for the same `question` (the instructions that go with it)."""
    return UUID(bytes=hashlib.sha256(f"{question}\n{facts_of(profile)}".encode()).digest()[:16])


def _paid(case: Case, assessment: Assessment) -> str:
    known = [payment for payment in case.payments if case.entered_on <= payment.received_on <= assessment.as_of]
    if not known:
        return "nothing"
    is_recent = assessment.as_of < years_after(max(payment.received_on for payment in known), 1)
    is_much = sum((payment.amount for payment in known), Decimal(0)) >= case.amount / 2
    share = "half or more of the judgment" if is_much else "less than half of the judgment"
    return f"{share}, the last {'within a year' if is_recent else 'longer ago'}"


def _lien(assessment: Assessment, day: date) -> str:
    if day >= assessment.lien_ends_on:
        return "ended"
    return "in its last year" if day >= assessment.renewal_opens_on else "more than a year left"


def _full_years(since: date, until: date) -> int:
    years = until.year - since.year
    return years if years_after(since, years) <= until else years - 1
