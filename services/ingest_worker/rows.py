"""Parses and validates the rows of a file: judgments and payments. Pure.

Many rows are judged at once, a column at a time: calls of Python are what costs here. Reasons name the column and the
rule, never the cell: they are shown in places where personal data must not be.

A file may name a case on several lines: a co-defendant, a correction, the same line twice. What then counts is for the
database to say, which knows the rows of earlier pages too (`services.clients.postgres.intake.refuse_conflicts`).

Each function takes text without surplus spaces, and raises ValueError with the rule that is broken, never the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache, partial
from itertools import islice
from typing import Any, NamedTuple

from services.csv_files.identifiers import (
    LONGEST_PLACEHOLDER,
    PLACEHOLDER,
    UNREADABLE,
    canonical_county,
    check_identifier,
    check_name,
    find_damage,
    is_placeholder,
    normalize_identifier,
    unwrap_formula,
    visible,
)
from services.csv_files.reader import CsvFile, Row
from services.domain.intake import Column, Header, Heading, Judgment, OptionalColumn, PaymentColumn


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


MAX_AMOUNT = Decimal("999999999999.99")  # what numeric(14, 2) holds
EARLIEST_FILING = date(1900, 1, 1)

_CENT = Decimal("0.01")
# `.50`, `1200.` and the four decimals of a database's money have one meaning; the three of `1.200` have two.
_DOLLARS = re.compile(
    r"(?:USD )?([-(])?(?:US)?\$? ?([-(])?(?=\.?[0-9])"
    r"((?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{0,13})(?:\.(?:[0-9]{0,2}|[0-9]{2}00+))?)(?:\)|(-| ?CR))?(?: USD)?"
)
_DECIMAL_COMMA = re.compile(r"[^0-9]*[0-9][0-9.' ]*,[0-9]{1,2}[^0-9]*")
# Most cells of most files: for these the long way gives the same (tests compare the two), in a third of the time.
_PLAIN_DOLLARS = re.compile(r"[0-9]{1,12}\.[0-9]{2}")
_PLAIN_CASE_NUMBER = re.compile(r"[0-9]{4,9}(?:-[A-Z]{1,4}-[0-9]{3,12}|/[0-9]{4})")
_TIME = re.compile(
    r"[ T][0-9]{1,2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?( ?[AP]M)?( ?(?:Z|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2})?))?$",
    re.IGNORECASE,
)
# What a spreadsheet shows of an empty or a zero cell that is formatted as a date, and of a date that is not.
_NO_DAY = re.compile(r"0?1/0?0/(?:19)?00|1899([-/.]?)12\1(?:30|31)|12/3[01]/1899|1900([-/.]?)01\2(?:00)")
_DAY_NUMBER = re.compile(r"[1-6][0-9]{4}(?:\.[0-9]+)?|[1-6][0-9],[0-9]{3}")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_CONSUMER_DEBT: dict[str, bool | None] = {
    **dict.fromkeys(("yes", "y", "true", "t", "1", "x", "consumer", "consumer debt"), True),
    **dict.fromkeys(("no", "n", "false", "f", "0", "non-consumer", "nonconsumer", "commercial", "business"), False),
    **dict.fromkeys(("unknown", "unk", "n/a", "na", "?", "-"), None),
}
_MONTH = (
    r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sep(?:t(?:ember)?)?|"
    r"oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_DAY = r"(?P<day>[0-9]{1,2})(?:st|nd|rd|th)?"
_WEEKDAY = r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\.?,? )?"
_DATES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?P<month>[0-9]{1,2})(?P<by>[/-])(?P<day>[0-9]{1,2})(?P=by)(?P<year>[0-9]{4}|[0-9]{2})",  # 3/31/2024
        r"(?P<year>[0-9]{4})(?P<by>[-/.])(?P<month>[0-9]{1,2})(?P=by)(?P<day>[0-9]{1,2})",  # 2024-03-31, 2024/3/31
        r"(?P<year>(?:19|20)[0-9]{2})(?P<month>[0-9]{2})(?P<day>[0-9]{2})",  # 20240331
        rf"{_WEEKDAY}{_MONTH}\.? {_DAY},? (?P<year>[0-9]{{4}})",  # Sunday, March 31, 2024
        rf"{_WEEKDAY}{_DAY}(?P<by>[ -]?){_MONTH}(?P=by)(?P<year>[0-9]{{4}}|[0-9]{{2}})",  # 31-Mar-24, 31MAR2024
    )
)
_DAY_FIRST = re.compile(r"(?:1[3-9]|2[0-9]|3[01])[/.-](?:0?[1-9]|1[0-2])[/.-](?:[0-9]{4}|[0-9]{2})")


def parse_amount(text: str) -> Decimal:
    """Dollars: `1200`, `$1,200.00`, `1200.0000`, `USD 1,200`. Parentheses, a minus behind and `CR` are a minus, as in
    accounting; a judgment is above zero."""
    if _PLAIN_DOLLARS.fullmatch(text) and (plain := Decimal(text)):
        return plain
    text = normalize_identifier(text)
    match = _DOLLARS.fullmatch(text)
    if match is None or ("(" in text) != (")" in text):
        raise ValueError(find_damage(text, "amount") or f"{_name_amount_fault(text)}not an amount like $1,200.00")
    *marks, dollars, credit = match.groups()
    if any((*marks, credit)):
        raise ValueError("negative")
    amount = Decimal(dollars.replace(",", ""))
    if not 0 < amount <= MAX_AMOUNT:
        raise ValueError("must be above zero" if amount == 0 else "too large")
    return amount.quantize(_CENT)


def _name_amount_fault(text: str) -> str:
    if any(currency in text for currency in "€£¥"):
        return "in another currency, "
    return "with a decimal comma, " if _DECIMAL_COMMA.fullmatch(text) else ""


def parse_filing_date(text: str, *, today: date) -> date:
    """A day: `3/31/2024`, `03-31-24`, `March 31, 2024`, `31-Mar-2024`, `2024-03-31`, `2024/3/31`, `20240331`.

    A day of the week before it and a time behind it are passed over. With the year first the month is second.

    `today` bounds it: no court has filed tomorrow. Two digits mean the latest such year that has begun.
    """
    normalized = normalize_identifier(text)
    written = _TIME.sub("", normalized)
    if _NO_DAY.fullmatch(written):
        raise ValueError("missing, a spreadsheet wrote its day zero")
    parsed = _read_date(written, today)
    if parsed is None:
        raise ValueError(_find_damaged_date(normalized) or _name_wrong_order(written))
    if parsed > today:
        raise ValueError("in the future")
    if parsed < EARLIEST_FILING:
        raise ValueError(f"before {EARLIEST_FILING.year}")
    return parsed


def parse_consumer_debt(text: str) -> bool | None:
    """Whether it is consumer debt; None where the file marks it as unknown."""
    known = _CONSUMER_DEBT.get(text.lower(), text)
    if isinstance(known, str):
        if is_placeholder(text):
            return None
        raise ValueError("neither yes nor no")
    return known


def case_number(text: str) -> str:
    """By which a case is known within its county, as `services.csv_files.identifiers` compares it."""
    if _PLAIN_CASE_NUMBER.fullmatch(text):
        return text
    return check_identifier(normalize_identifier(text), "case number")


def payment_reference(text: str) -> str:
    """By which a payment is known within its case."""
    return check_identifier(normalize_identifier(text), "reference")


def party_name(text: str) -> str:
    """A plaintiff or defendant as the file writes it, without invisible characters."""
    if len(text) > LONGEST_PLACEHOLDER and text.isascii() and text.isprintable() and text[0] not in "=#":
        return text
    return check_name(_present(" ".join(visible(unwrap_formula(text)).split())))


def county_name(text: str) -> str:
    """The usual spelling of the county that is meant: `KINGS COUNTY` and `County of Kings` are `Kings`."""
    written = check_identifier(normalize_identifier(text), "county")
    if not any(map(str.isalpha, written)):
        raise ValueError("a number, not the county's name")
    county = canonical_county(_present(unwrap_formula(text)))
    if county.lower() in _NO_COUNTY or _COURT.search(county):
        raise ValueError("names no county")
    return county


_NO_COUNTY = frozenset({"county", "state", "the state", "usa", "united states"})
_COURT = re.compile(r"\b(?:court(?:s|house)?|supreme|clerks?|surrogates?)\b", re.IGNORECASE)


def _present(text: str) -> str:
    if not text:
        raise ValueError("empty")
    if is_placeholder(text):
        raise ValueError(PLACEHOLDER)
    if UNREADABLE in text:
        raise ValueError("holds a character that cannot be read")
    return text


def _find_damaged_date(text: str) -> str | None:
    """What a spreadsheet has made of a date; one that is written as a date is only not written as we read it."""
    if _DAY_NUMBER.fullmatch(text):
        return "a spreadsheet damaged the date (it became a number of days)"
    is_written = any(mark in text for mark in "/-")
    return None if is_written else find_damage(text, "date")


def _name_wrong_order(text: str) -> str:
    order = ", its day comes first" if _DAY_FIRST.fullmatch(text) else ""
    return f"not a date like 03/31/2024{order}"


def _read_date(text: str, today: date) -> date | None:
    match = next(filter(None, (pattern.fullmatch(text) for pattern in _DATES)), None)
    if match is None:
        return None
    month = match["month"][:3].lower()
    number = _MONTHS.index(month) + 1 if month in _MONTHS else int(month)
    try:
        return date(_year(match["year"], today), number, int(match["day"]))
    except ValueError:
        return None


def _year(digits: str, today: date) -> int:
    year = int(digits)
    if len(digits) == 4:
        return year
    century = today.year - today.year % 100
    return century + year if century + year <= today.year else century + year - 100


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
    """The payments by their positions, and why the other rows are none. Whose they are is for the database to
    decide."""
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


ROWS = 5000  # little to lose, locks are held briefly, and 4 MB less than with 8,000 (docs/benchmarks.md)
ROWS_AT_ONCE = 1000  # as objects of Python they take ten times the memory

_IS_CONSUMER_DEBT = {None: "", True: "t", False: "f"}


@dataclass(frozen=True)
class Page:
    """Rows behind the first `judged`.

    `raw_rows` and `records` are lines for COPY, in blocks of some 100 kB. The records are judgments or payments, as
    `services.clients.postgres.intake` and `services.clients.postgres.intake` want them.
    """

    judged: int
    validated: int
    failed: int
    raw_rows: Sequence[bytes]
    records: Sequence[bytes]


def judged_pages(file: CsvFile, batch_id: str, *, judged: int, today: date) -> Iterator[Page]:
    """The rest of the file, page by page, behind the rows that were judged before."""
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
    """The same for a file of payments. Whether their cases are known is for the database to decide."""
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
    """What COPY would read as its own, in all of them at once; no text holds NUL."""
    joined = "\0".join(texts).replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
    return joined.split("\0")


def _judgment_lines(batch_id: str, cases: Cases) -> Iterator[str]:
    """A line per statement, as `services.clients.postgres.intake.copy_judgments` wants it.

    The id of a new judgment is its batch's with the row's number at the end: ids that follow each other cost the index
    a fraction of what random ones do.
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
        yield block.replace("\\", "\\\\").encode()  # tabs and newlines are gone from judged values
