"""Are the rows of a Simplicity file judgments, and if not, why? Pure.

Many rows are judged at once, a column at a time: calls of Python are what costs here. Reasons name the column and the
rule, never the cell: they are shown in places where personal data must not be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache, partial
from typing import Any

from services.domain.judgments import Judgment
from services.domain.simplicity import Column, Header, OptionalColumn
from services.ingest_worker.values import county_name, parse_amount, parse_consumer_debt, parse_filing_date

MAX_LENGTH = 500  # characters; longer is a paragraph that slipped into the wrong column
SURPLUS = "the line has more cells than the header"

_REMEMBERED = 4096  # dates and counties come again and again


@dataclass(frozen=True)
class Verdicts:
    """What became of some rows, by their position: each is a judgment or has a reason why not."""

    judgments: Mapping[int, Judgment]
    reasons: Mapping[int, str]


@dataclass(frozen=True)
class Fault:
    """Why a cell does not hold what its column should."""

    rule: str


def judge_rows(rows: Sequence[Sequence[str]], header: Header, *, today: date) -> Verdicts:
    """Judge each row, and name everything that is wrong with it at once, in the order of the columns.

    `today` bounds the filing date. Missing cells are empty; cells beyond the header may only be empty.
    """
    readers = _readers(today)
    values = [list(map(read, column)) for read, column in zip(readers, _columns(rows, header), strict=True)]
    faults = [*_faults_of_cells(values), *_faults_of_width(rows, header)]
    reasons: dict[int, str] = {}
    for position, reason in faults:
        reasons[position] = f"{reasons[position]}; {reason}" if position in reasons else reason
    judgments = {
        position: Judgment._make(cells)
        for position, cells in enumerate(zip(*values, strict=True))
        if position not in reasons
    }
    return Verdicts(judgments, reasons)


def _columns(rows: Sequence[Sequence[str]], header: Header) -> list[tuple[str, ...]]:
    """The cells of the columns that we read, in the order of `Column`, and behind them those of `OptionalColumn`."""
    if set(map(len, rows)) != {header.width}:
        rows = [(*row, *[""] * header.width)[: header.width] for row in rows]
    columns = list(zip(*rows, strict=True))
    consumer_debt = ("",) * len(rows) if header.consumer_debt is None else columns[header.consumer_debt]
    return [*(columns[position] for position in header.positions), consumer_debt]


def _faults_of_cells(values: Sequence[Sequence[object]]) -> Iterable[tuple[int, str]]:
    for column, cells in zip((*Column, *OptionalColumn), values, strict=True):
        if Fault in set(map(type, cells)):
            for position, cell in enumerate(cells):
                if isinstance(cell, Fault):
                    yield position, f"{column.heading}: {cell.rule}"


def _faults_of_width(rows: Sequence[Sequence[str]], header: Header) -> Iterable[tuple[int, str]]:
    for position, width in enumerate(map(len, rows)):
        if width > header.width and any(rows[position][header.width :]):
            yield position, SURPLUS


@lru_cache(maxsize=2)  # a worker that runs over midnight
def _readers(today: date) -> tuple[Callable[[str], Any], ...]:
    parsers: dict[Column, Callable[[str], Any]] = {
        Column.CASE_NUMBER: _reader(str.upper),  # clerks write 2024-cv-17 and 2024-CV-17 for the same case
        Column.PLAINTIFF: _reader(str),
        Column.DEFENDANT: _reader(str),
        Column.AMOUNT: _reader(parse_amount),
        Column.FILING_DATE: lru_cache(_REMEMBERED)(_reader(partial(parse_filing_date, today=today))),
        Column.COUNTY: lru_cache(_REMEMBERED)(_reader(county_name)),
    }
    return (*(parsers[column] for column in Column), _consumer_debt)


def _reader(parse: Callable[[str], Any], *, empty: Any = Fault("empty")) -> Callable[[str], Any]:
    """Makes a value or a `Fault` of a cell; `empty` is what an empty one means."""

    def read(cell: str) -> Any:
        text = " ".join(cell.split())
        if not text:
            return empty
        if len(text) > MAX_LENGTH:
            return Fault(f"longer than {MAX_LENGTH} characters")
        try:
            return parse(text)
        except ValueError as error:
            return Fault(str(error))

    return read


_consumer_debt = lru_cache(_REMEMBERED)(_reader(parse_consumer_debt, empty=None))
