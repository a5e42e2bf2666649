"""Are the rows of a file judgments, or payments, and if not, why? Pure.

Many rows are judged at once, a column at a time: calls of Python are what costs here. Reasons name the column and the
rule, never the cell: they are shown in places where personal data must not be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache, partial
from typing import Any, NamedTuple

from services.domain.headers import Header, Heading
from services.domain.identifiers import PLACEHOLDER, is_placeholder
from services.domain.judgments import Judgment
from services.domain.payments import PaymentColumn
from services.domain.simplicity import Column, OptionalColumn
from services.ingest_worker.values import (
    case_number,
    county_name,
    parse_amount,
    parse_consumer_debt,
    parse_filing_date,
    party_name,
    payment_reference,
)

MAX_LENGTH = 500  # characters; longer is a paragraph that slipped into the wrong column
SURPLUS = "the line has more cells than the header"
CONFLICT = "conflicts with another row of this case, which was kept"

_REMEMBERED = 4096  # dates and counties come again and again

_Readers = Mapping[Heading, Callable[[str], Any]]  # in the order of the layout
_Cells = tuple[Any, ...]


@dataclass(frozen=True)
class Verdicts:
    """What became of some rows, by their position: each is a judgment or has a reason why not."""

    judgments: Mapping[int, Judgment]
    reasons: Mapping[int, str]


class PaymentRow(NamedTuple):
    """What was paid on a case, by the file: `amount` in US dollars, above zero."""

    case_number: str
    county: str
    amount: Decimal
    received_on: date
    reference: str


@dataclass(frozen=True)
class Fault:
    """Why a cell does not hold what its column should."""

    rule: str


def judge_rows(rows: Sequence[Sequence[str]], header: Header, *, today: date) -> Verdicts:
    """Judge each row, and name everything that is wrong with it at once, in the order of the columns.

    `today` bounds the filing date. Missing cells are empty; cells beyond the header may only be empty.
    """
    good, reasons = _judge(rows, header, _readers(today))
    return Verdicts({position: Judgment._make(cells) for position, cells in good.items()}, reasons)


def judge_payments(
    rows: Sequence[Sequence[str]], header: Header, *, today: date
) -> tuple[Mapping[int, PaymentRow], Mapping[int, str]]:
    """The payments by their positions, and why the other rows are none. Whose they are is for the database to say."""
    good, reasons = _judge(rows, header, _payment_readers(today))
    return {position: PaymentRow._make(cells) for position, cells in good.items()}, reasons


def _judge(
    rows: Sequence[Sequence[str]], header: Header, readers: _Readers
) -> tuple[dict[int, _Cells], dict[int, str]]:
    values = [list(map(read, cells)) for read, cells in zip(readers.values(), _columns(rows, header), strict=True)]
    faults = [*_faults_of_cells(readers, values), *_faults_of_width(rows, header)]
    reasons: dict[int, str] = {}
    for position, reason in faults:
        reasons[position] = f"{reasons[position]}; {reason}" if position in reasons else reason
    every = enumerate(zip(*values, strict=True))
    return {position: cells for position, cells in every if position not in reasons}, reasons


def _columns(rows: Sequence[Sequence[str]], header: Header) -> list[tuple[str, ...]]:
    """The cells of the columns that we read, in the order of the layout; a column that the file lacks is empty."""
    if set(map(len, rows)) != {header.width}:
        rows = [(*row, *[""] * header.width)[: header.width] for row in rows]
    columns = list(zip(*rows, strict=True))
    nothing = ("",) * len(rows)
    return [nothing if position is None else columns[position] for position in (*header.positions, *header.optional)]


def _faults_of_cells(columns: Iterable[Heading], values: Sequence[Sequence[object]]) -> Iterable[tuple[int, str]]:
    for column, cells in zip(columns, values, strict=True):
        if Fault in set(map(type, cells)):
            for position, cell in enumerate(cells):
                if isinstance(cell, Fault):
                    yield position, f"{column.heading}: {cell.rule}"


def _faults_of_width(rows: Sequence[Sequence[str]], header: Header) -> Iterable[tuple[int, str]]:
    for position, width in enumerate(map(len, rows)):
        if width > header.width and any(rows[position][header.width :]):
            yield position, SURPLUS


@lru_cache(maxsize=2)  # a worker that runs over midnight
def _readers(today: date) -> _Readers:
    return {
        Column.CASE_NUMBER: _reader(case_number),
        Column.PLAINTIFF: _reader(party_name),
        Column.DEFENDANT: _reader(party_name),
        Column.AMOUNT: _reader(parse_amount),
        Column.FILING_DATE: lru_cache(_REMEMBERED)(_reader(partial(parse_filing_date, today=today))),
        Column.COUNTY: lru_cache(_REMEMBERED)(_reader(county_name)),
        OptionalColumn.CONSUMER_DEBT: lru_cache(_REMEMBERED)(_reader(parse_consumer_debt, empty=None)),
    }


@lru_cache(maxsize=2)
def _payment_readers(today: date) -> _Readers:
    return {
        PaymentColumn.CASE_NUMBER: _reader(case_number),
        PaymentColumn.COUNTY: lru_cache(_REMEMBERED)(_reader(county_name)),
        PaymentColumn.AMOUNT: _reader(parse_amount),
        PaymentColumn.RECEIVED_ON: lru_cache(_REMEMBERED)(_reader(partial(parse_filing_date, today=today))),
        PaymentColumn.REFERENCE: _reader(payment_reference),
    }


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
            return Fault(PLACEHOLDER if is_placeholder(text) and not text[0].isdigit() else str(error))

    return read
