"""Judges a page of rows, and writes its judgments as COPY wants them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from services.domain.judgments import Judgment
from services.ingest_worker.decide import Rejected, judge_row

_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


@dataclass(frozen=True)
class JudgedPage:
    """`lines`: see `services.postgres.uploads.copy_judgments`. `failed` is `{row_number: reason}`."""

    lines: bytes
    failed: Mapping[int, str]


def judge_page(page: Iterable[tuple[int, Mapping[str, object]]], *, today: date) -> JudgedPage:
    """Judge `(row_number, {key: cell})`. Of rows with the same county and case number the last one is kept."""
    judgments: dict[tuple[str, str], Judgment] = {}
    failed: dict[int, str] = {}
    for row_number, cells in page:
        judged = judge_row(cells, today=today)
        if isinstance(judged, Rejected):
            failed[row_number] = judged.text
        else:
            judgments[judged.county, judged.case_number] = judged
    return JudgedPage("".join(map(_line, judgments.values())).encode(), failed)


def _line(judgment: Judgment) -> str:
    texts = (judgment.case_number, judgment.county, judgment.plaintiff, judgment.defendant)
    fields = [text.translate(_ESCAPES) if "\\" in text else text for text in texts]  # tabs and newlines are gone
    return "\t".join([*fields, str(judgment.amount), judgment.filing_date.isoformat()]) + "\n"
