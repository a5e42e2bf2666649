"""Assesses a page of judgments, and writes the assessments as COPY wants them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from uuid import UUID

from services.enforcement_worker.assess import Assessment, Case, assess
from services.enforcement_worker.memo import INSTRUCTIONS, facts_of, memo_id_of, profile_of

_NULL = r"\N"
_IN_COPY = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})
_IN_ARRAY = str.maketrans({"\\": r"\\", '"': r"\""})


@dataclass(frozen=True)
class AssessedPage:
    """`lines`: see `services.clients.postgres.enforcement.copy_assessments`. `wanted` is `{memo id: facts as JSON}`."""

    lines: bytes
    wanted: Mapping[UUID, str]


def assess_page(page: Iterable[tuple[str, Case]], *, as_of: date) -> AssessedPage:
    """Assess `(judgment id, case)` for the end of `as_of`."""
    lines: list[str] = []
    wanted: dict[UUID, str] = {}
    for judgment_id, case in page:
        assessment = assess(case, as_of=as_of)
        profile = profile_of(case, assessment)
        memo_id = memo_id_of(profile, question=INSTRUCTIONS) if profile else None
        if profile and memo_id:
            wanted[memo_id] = facts_of(profile)
        lines.append(_line(judgment_id, assessment, memo_id))
    return AssessedPage("".join(lines).encode(), wanted)


def _line(judgment_id: str, found: Assessment, memo_id: UUID | None) -> str:
    balance, least, step = found.balance, found.least, found.step
    fields = (
        judgment_id,
        *(found.as_of, balance.principal, balance.interest, balance.per_diem, least.total, least.per_diem),
        *(found.renewal_opens_on, found.lien_ends_on, found.presumed_paid_on, found.score.points),
        *(_array(found.score.reasons), _array(found.cautions), memo_id or _NULL, found.next_review_on or _NULL),
        *(step.kind, step.due_on, _text(step.reason)),
    )
    return "\t".join(map(str, fields)) + "\n"


@lru_cache(maxsize=1024)
def _array(texts: tuple[str, ...]) -> str:
    return _text("{" + ",".join(f'"{text.translate(_IN_ARRAY)}"' for text in texts) + "}")


@lru_cache(maxsize=1024)
def _text(text: str) -> str:
    return text.translate(_IN_COPY)
