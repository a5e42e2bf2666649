"""Judges the rows of a file, judgments and payments, and formats them for COPY, page by page. Pure.

Many rows are judged at once, column by column, because Python calls are the main cost. Reasons name the column and the
rule, never the cell: they are shown where personal data must not be.

A file may name a case on several lines: a co-defendant, a correction, the same line twice. The database decides which
one counts, because it also knows the rows of earlier pages (`services.clients.postgres.intake.refuse_conflicts`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache, partial
from itertools import islice
from typing import Any, NamedTuple

from services.csv_files.identifiers import PLACEHOLDER, is_placeholder
from services.csv_files.reader import CsvFile, Row
from services.domain.intake import Column, Header, Heading, Judgment, OptionalColumn, PaymentColumn
from services.ingest_worker.cells import (
    case_number,
    county_name,
    parse_amount,
    parse_consumer_debt,
    parse_filing_date,
    party_name,
    payment_reference,
)


@dataclass(slots=True)
class Statement:
    """A judgment from one row, and from others with the same words. `is_first`: the page's first one on that case."""

    row_number: int
    judgment: Judgment
    is_first: bool
    also_in: list[int] | None = None


class Cases:
    """The judgments of consecutive rows; equal ones are one statement."""

    def __init__(self) -> None:
        self._first: dict[tuple[str, str], Statement] = {}
        self._others: dict[Judgment, Statement] = {}

    def add(self, first: int, judgments: Mapping[int, Judgment]) -> None:
        """Add judgments by their position after row `first`."""
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
        """Each case's first statement, then all others, both in the order of the file."""
        yield from self._first.values()
        yield from self._others.values()


MAX_LENGTH = 500  # characters; a longer text is a paragraph in the wrong column
_TOO_LONG = "x" * (MAX_LENGTH + 1)
SURPLUS = "the line has more cells than the header"
CONFLICT = "conflicts with another row of this case, which was kept"

_REMEMBERED = 4096  # dates and counties that the readers cache, because they repeat

_Readers = Mapping[Heading, Callable[[str], Any]]  # in the order of the layout
_Cells = tuple[Any, ...]


@dataclass(frozen=True)
class Verdicts:
    """The results of some rows, by their position: each is a judgment or has a reason why it failed."""

    judgments: Mapping[int, Judgment]
    reasons: Mapping[int, str]


class PaymentRow(NamedTuple):
    """A payment on a case, as the file states it: `amount` in US dollars, above zero."""

    case_number: str
    county: str
    amount: Decimal
    received_on: date
    reference: str


@dataclass(frozen=True)
class Fault:
    """The rule that a cell breaks."""

    rule: str


def judge_rows(rows: Sequence[Sequence[str]], header: Header, *, today: date) -> Verdicts:
    """Judge each row, and report all its faults at once, in the order of the columns.

    `today` bounds the filing date. Missing cells are empty; cells beyond the header may only be empty.
    """
    good, reasons = _judge(rows, header, _readers(today))
    return Verdicts({position: Judgment._make(cells) for position, cells in good.items()}, reasons)


def judge_payments(
    rows: Sequence[Sequence[str]], header: Header, *, today: date
) -> tuple[Mapping[int, PaymentRow], Mapping[int, str]]:
    """The payments by position, and the reasons of the rows that failed. The database matches payments to cases."""
    good, reasons = _judge(rows, header, _payment_readers(today))
    return {position: PaymentRow._make(cells) for position, cells in good.items()}, reasons


def _judge(
    rows: Sequence[Sequence[str]], header: Header, readers: _Readers
) -> tuple[dict[int, _Cells], dict[int, str]]:
    columns = map(_bounded, _columns(rows, header))
    values = [list(map(read, cells)) for read, cells in zip(readers.values(), columns, strict=True)]
    faults = [*_faults_of_cells(readers, values), *_faults_of_width(rows, header)]
    reasons: dict[int, str] = {}
    for position, reason in faults:
        reasons[position] = f"{reasons[position]}; {reason}" if position in reasons else reason
    every = enumerate(zip(*values, strict=True))
    return {position: cells for position, cells in every if position not in reasons}, reasons


def _bounded(cells: Sequence[str]) -> Sequence[str]:
    """The cells, each at most one character longer than readers accept, because some readers cache their cells."""
    return cells if max(map(len, cells), default=0) <= MAX_LENGTH else list(map(_folded, cells))


def _folded(cell: str) -> str:
    text = cell if len(cell) <= MAX_LENGTH else " ".join(cell.split())
    return text if len(text) <= MAX_LENGTH else _TOO_LONG


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


@lru_cache(maxsize=2)  # 2, for a worker that runs past midnight
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
    """A function that turns a cell into a value or a `Fault`; `empty` is the result for an empty cell."""

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


ROWS = 5000  # a crash loses little, locks are brief, and it takes 4 MB less than 8,000 (docs/benchmarks.md)
ROWS_AT_ONCE = 1000  # as Python objects they take ten times the memory

_IS_CONSUMER_DEBT = {None: "", True: "t", False: "f"}


@dataclass(frozen=True)
class Page:
    """The rows after the first `judged` ones.

    `raw_rows` and `records` are lines for COPY, in blocks of about 100 kB. The records are judgments or payments, in
    the format of `services.clients.postgres.intake`.
    """

    judged: int
    validated: int
    failed: int
    raw_rows: Sequence[bytes]
    records: Sequence[bytes]


def judged_pages(file: CsvFile, batch_id: str, *, judged: int, today: date) -> Iterator[Page]:
    """The rest of a file of judgments, page by page, after the rows that were judged before."""
    rows = islice(file.rows(), judged, None)
    while (page := _judge_page(rows, file.header, batch_id, judged, today)).raw_rows:
        yield page
        judged += page.validated + page.failed


def _judge_page(rows: Iterator[Row], header: Header, batch_id: str, judged: int, today: date) -> Page:
    validated = failed = 0
    raw_rows: list[bytes] = []
    cases = Cases()
    while validated + failed < ROWS and (some := list(islice(rows, ROWS_AT_ONCE))):
        raw, cells = zip(*some, strict=True)
        verdicts = judge_rows(cells, header, today=today)
        first = judged + validated + failed + 1
        raw_rows.append(_raw_rows(batch_id, first, raw, verdicts.reasons))
        cases.add(first, verdicts.judgments)
        validated += len(verdicts.judgments)
        failed += len(verdicts.reasons)
    return Page(judged, validated, failed, raw_rows, list(_blocks(_judgment_lines(batch_id, cases))))


def payment_pages(file: CsvFile, batch_id: str, *, judged: int, today: date) -> Iterator[Page]:
    """The rest of a file of payments, page by page. The database decides which cases are known."""
    rows = islice(file.rows(), judged, None)
    while some := list(islice(rows, ROWS)):
        raw, cells = zip(*some, strict=True)
        payments, reasons = judge_payments(cells, file.header, today=today)
        lines = [_payment_line(judged + 1 + position, payment) for position, payment in payments.items()]
        raw_rows = _raw_rows(batch_id, judged + 1, raw, reasons)
        yield Page(judged, len(payments), len(reasons), [raw_rows], list(_blocks(lines)))
        judged += len(some)


def _payment_line(row_number: int, payment: PaymentRow) -> str:
    case_number, county, amount, received_on, reference = payment
    return f"{row_number}\t{case_number}\t{county}\t{amount!s}\t{received_on!s}\t{reference}\n"


def _raw_rows(batch_id: str, first: int, raw: Sequence[str], reasons: Mapping[int, str]) -> bytes:
    """Lines of `batch id, row number, status, raw, error`."""
    texts = _escaped(raw)
    lines = [f"{batch_id}\t{number}\tvalidated\t{text}\t\\N\n" for number, text in enumerate(texts, start=first)]
    for position, reason in reasons.items():
        lines[position] = f"{batch_id}\t{first + position}\tfailed\t{texts[position]}\t{reason}\n"
    return "".join(lines).encode()


def _escaped(texts: Sequence[str]) -> list[str]:
    """Escape the characters that COPY interprets, in all texts at once; no text holds NUL."""
    joined = "\0".join(texts).replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
    return joined.split("\0")


def _judgment_lines(batch_id: str, cases: Cases) -> Iterator[str]:
    """One line per statement, in the format of `services.clients.postgres.intake.copy_judgments`.

    The id of a new judgment is its batch's with the row's number at the end: sequential ids cost the index a fraction
    of what random ones do.
    """
    prefix = batch_id[: -len("000000000000")]
    for statement in cases.statements():
        number = statement.row_number
        case_number, plaintiff, defendant, amount, filing_date, county, is_consumer_debt = statement.judgment
        also_in = f"{{{','.join(map(str, statement.also_in))}}}" if statement.also_in else ""
        yield (
            f"{prefix}{number:012x}\t{case_number}\t{county}\t{plaintiff}\t{defendant}\t{amount!s}\t{filing_date!s}"
            f"\t{_IS_CONSUMER_DEBT[is_consumer_debt]}\t{number}\t{'t' if statement.is_first else 'f'}\t{also_in}\n"
        )


def _blocks(lines: Iterable[str]) -> Iterator[bytes]:
    rest = iter(lines)
    while block := "".join(islice(rest, ROWS_AT_ONCE)):
        yield block.replace("\\", "\\\\").encode()  # judged values have no tabs or newlines
