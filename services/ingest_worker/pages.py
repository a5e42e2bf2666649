"""Turns a page of rows into what is stored of it, as COPY wants it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice

from services.csv_files.reader import CsvFile, Row
from services.domain.csv_layouts import Header
from services.ingest_worker.rows import Cases, PaymentRow, judge_payments, judge_rows

ROWS = 8000  # some ten milliseconds of work: little to lose, and locks are held briefly
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
    """The same for a file of payments. Whether their cases are known is for the database to say."""
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
