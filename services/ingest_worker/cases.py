"""The rows of a page by the case that they are about. Pure.

A file may name a case on several lines: a co-defendant, a correction, the same line twice. What then counts is for the
database to say, which knows the rows of earlier pages too (`services.postgres.ingest.refuse_conflicts`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from services.domain.judgments import Judgment


@dataclass(slots=True)
class Statement:
    """What one row, and any further rows with the same words, say of a case; `is_first` of the page's on that case."""

    row_number: int
    judgment: Judgment
    is_first: bool
    also_in: list[int] | None = None


class Cases:
    """The judgments of rows that follow each other; those that are equal are one statement."""

    def __init__(self) -> None:
        self._first: dict[tuple[str, str], Statement] = {}
        self._others: dict[Judgment, Statement] = {}

    def add(self, first: int, judgments: Mapping[int, Judgment]) -> None:
        """Take judgments by their position behind row `first`."""
        add_first = self._first.setdefault
        for position, judgment in judgments.items():
            statement = Statement(first + position, judgment, True)
            known = add_first((judgment.case_number, judgment.county), statement)
            if known is not statement:
                self._add_to(known, statement)

    def _add_to(self, known: Statement, statement: Statement) -> None:
        if known.judgment != statement.judgment:
            statement.is_first = False
            known = self._others.setdefault(statement.judgment, statement)
        if known is not statement:
            known.also_in = known.also_in or []
            known.also_in.append(statement.row_number)

    def statements(self) -> Iterator[Statement]:
        """Each case's first, then all others, both in the order of the file."""
        yield from self._first.values()
        yield from self._others.values()
