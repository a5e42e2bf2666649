"""The CSV intake: its layouts (headers and columns), judgments, and the golden path's test data."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from itertools import chain
from typing import NamedTuple

from services.domain.systems import ENFORCEMENT_JOB_TYPE, JOB_TYPE


class Heading(StrEnum):
    """A column that the intake reads, by its own name; each kind of file has its own columns."""

    @property
    def heading(self) -> str:
        """The column's name as the header writes it: `Case Number`."""
        return self.value.replace("_", " ").title()


# Names that courts and their software use for a case's number, in files of every kind.
CASE_NUMBER_NAMES = (
    *("case no", "case num", "case #", "case", "case id", "index number", "index no", "index num", "index #", "index"),
    *("docket number", "docket no", "docket num", "docket #", "docket", "file number", "file no", "file #"),
)

Aliases = Mapping[Heading, Sequence[str]]


@dataclass(frozen=True)
class Header:
    """A header that has every required column: their positions, in the order of the layout, and the number of cells.

    `optional`: the positions of the optional columns, None if the file lacks one.
    """

    positions: tuple[int, ...]
    width: int
    optional: tuple[int | None, ...] = ()

    def position_of(self, layout: Layout, column: Heading) -> int:
        """The position of one of the layout's required columns, from 0."""
        return self.positions[list(layout.required).index(column)]


@dataclass(frozen=True)
class HeaderFault:
    """Why a header cannot be used: columns that no cell names, and columns that two cells name."""

    missing: tuple[Heading, ...]
    doubled: tuple[Heading, ...]


@dataclass(frozen=True)
class Layout:
    """The required and the optional columns of one kind of file, each with its other names.

    `day`: the required column that holds a date.
    """

    required: Aliases
    day: Heading
    optional: Aliases = field(default_factory=dict)

    @cached_property
    def _column_of(self) -> Mapping[str, Heading]:
        every = chain(self.required.items(), self.optional.items())
        return {_plain(name): column for column, names in every for name in (column.value, *names)}

    def read(self, cells: Sequence[str]) -> Header | HeaderFault:
        """Find the columns in the file's first line, in any order, whatever the case, punctuation and spacing.

        Cells with unknown names, or none, are ignored. If one cell has a column's own name, cells with its other names
        are ignored too: a file may have a Filing Date and a Judgment Date.
        """
        names = [_plain(cell) for cell in cells]
        found = [self._column_among(name, names) for name in names]
        missing = tuple(column for column in self.required if column not in found)
        doubled = tuple(column for column in chain(self.required, self.optional) if found.count(column) > 1)
        if missing or doubled:
            return HeaderFault(missing, doubled)
        optional = tuple(found.index(column) if column in found else None for column in self.optional)
        return Header(tuple(found.index(column) for column in self.required), len(cells), optional)

    def _column_among(self, name: str, names: Sequence[str]) -> Heading | None:
        column = self._column_of.get(name)
        own = "" if column is None else _plain(column.value)
        return None if name != own and own in names else column


def _plain(name: str) -> str:
    """`Case Number`, `CASE_NUMBER` and `CaseNumber` are `casenumber`, also with invisible characters within."""
    return "".join(re.findall(r"[^\W_]+|#", unicodedata.normalize("NFKC", name).lower()))


PAYMENTS_SOURCE_SYSTEM = "payments"  # the source system of an upload of payments


class PaymentColumn(Heading):
    """A column that every file of payments must have. The reference (a receipt number, say) makes a payment unique."""

    CASE_NUMBER = "case_number"
    COUNTY = "county"
    AMOUNT = "payment_amount"
    RECEIVED_ON = "payment_date"
    REFERENCE = "reference"


LAYOUT = Layout(
    {
        PaymentColumn.CASE_NUMBER: CASE_NUMBER_NAMES,
        PaymentColumn.COUNTY: ("county name", "court county", "venue"),
        PaymentColumn.AMOUNT: ("amount", "amount paid", "amount received", "payment", "paid"),
        PaymentColumn.RECEIVED_ON: ("date paid", "paid on", "date received", "received on", "received", "date"),
        PaymentColumn.REFERENCE: (
            *("reference number", "reference no", "ref", "receipt", "receipt number", "receipt no", "payment id"),
            *("transaction id", "check number", "check no"),
        ),
    },
    PaymentColumn.RECEIVED_ON,
)

SOURCE_SYSTEM = "simplicity"


class Column(Heading):
    """A column that every file of judgments must have."""

    CASE_NUMBER = "case_number"
    PLAINTIFF = "plaintiff"
    DEFENDANT = "defendant"
    AMOUNT = "judgment_amount"
    FILING_DATE = "filing_date"
    COUNTY = "county"


ALIASES: Aliases = {
    Column.CASE_NUMBER: CASE_NUMBER_NAMES,
    Column.PLAINTIFF: ("plaintiff name", "plaintiffs", "creditor", "creditor name", "judgment creditor"),
    Column.DEFENDANT: ("defendant name", "defendants", "debtor", "debtor name", "judgment debtor"),
    Column.AMOUNT: ("judgement amount", "amount", "judgment", "judgment amt", "judgment total", "amount awarded"),
    Column.FILING_DATE: (
        "date filed",
        "filed date",
        "file date",
        "filed",
        "judgment date",
        "entry date",
        "date entered",
    ),
    Column.COUNTY: ("county name", "court county", "venue"),
}


class OptionalColumn(Heading):
    """A column that a file of judgments may have; without it, its cells count as empty."""

    CONSUMER_DEBT = "consumer_debt"


# Not "consumer credit transaction": consumer debt includes more than these (CPLR 105(f), 5004(b)).
OPTIONAL_ALIASES: Aliases = {
    OptionalColumn.CONSUMER_DEBT: (
        "is consumer debt",
        "consumer",
        "consumer y n",
        "consumer debt y n",
        "consumer debt yes no",
        "consumer flag",
        "consumer debt flag",
        "consumer case",
    ),
}


SIMPLICITY_LAYOUT = Layout(ALIASES, Column.FILING_DATE, OPTIONAL_ALIASES)


def read_header(cells: Sequence[str]) -> Header | HeaderFault:
    """Find the columns of a file of judgments; see `Layout.read`."""
    return SIMPLICITY_LAYOUT.read(cells)


LAYOUTS: Mapping[str, Layout] = {
    SOURCE_SYSTEM: SIMPLICITY_LAYOUT,
    PAYMENTS_SOURCE_SYSTEM: LAYOUT,
}


class Judgment(NamedTuple):
    """One judgment. `amount` is in US dollars with two decimals; a case number is unique within its county.

    `is_consumer_debt` is None if the file does not report it.
    """

    case_number: str
    plaintiff: str
    defendant: str
    amount: Decimal
    filing_date: date
    county: str
    is_consumer_debt: bool | None = None


SAMPLE = "data_in/simplicity_test_single.csv"  # the runbook's name for it
MARK = "GOLDEN-PATH"  # the prefix of each of its case numbers, so that no run can match a real case


@dataclass(frozen=True)
class SampleFile:
    """The test file as stored in the repository. `rows`: lines below its header. Make it with `read_sample`."""

    content: bytes
    rows: int

    @property
    def checksum(self) -> str:
        """SHA-256 of its bytes, 64 hexadecimal characters."""
        return sha256_of(self.content)

    def of_run(self, run_id: int, created_at: datetime) -> bytes:
        """The same file with case numbers that no other run has, even if the run numbers start again from 1."""
        own = f"{MARK}-{run_id}-{int(created_at.timestamp())}"
        return self.content.replace(MARK.encode(), own.encode())


def read_sample(content: bytes) -> SampleFile:
    """Parse the test file. Raises ValueError, which names the fault, for a file that could be more than test data."""
    lines = [line for line in csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")) if any(line)]
    header = read_header(lines[0] if lines else [])
    if isinstance(header, HeaderFault):
        raise ValueError("it lacks a column, or names one twice")  # noqa: TRY004 - the file is wrong, not its type
    if len(lines) < 2:
        raise ValueError("it has no rows")
    case_number = header.positions[list(Column).index(Column.CASE_NUMBER)]
    cases = [line[case_number] for line in lines[1:]]
    if not all(case.startswith(MARK) for case in cases):
        raise ValueError(f"a case number does not begin with {MARK}")
    return SampleFile(content, len(cases))


def sha256_of(content: bytes) -> str:
    """SHA-256 as 64 hexadecimal characters, as the intake stores it."""
    return hashlib.sha256(content).hexdigest()


def job_keys(batch_id: str) -> tuple[str, str]:
    """The idempotency keys of the jobs of one batch, as the API and the ingest worker queue them."""
    return f"{JOB_TYPE}:{batch_id}", f"{ENFORCEMENT_JOB_TYPE}:{batch_id}"
