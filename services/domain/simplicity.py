"""The CSV that Simplicity exports: its columns, the other names people give them, and how a header is read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

SOURCE_SYSTEM = "simplicity"
JOB_TYPE = "simplicity_ingest"  # the runbook's name for the job that ingests one batch


class Column(StrEnum):
    """A column that every file must have."""

    CASE_NUMBER = "case_number"
    PLAINTIFF = "plaintiff"
    DEFENDANT = "defendant"
    AMOUNT = "judgment_amount"
    FILING_DATE = "filing_date"
    COUNTY = "county"

    @property
    def heading(self) -> str:
        """As the header writes it: `Case Number`."""
        return self.value.replace("_", " ").title()


ALIASES: dict[Column, tuple[str, ...]] = {
    Column.CASE_NUMBER: (
        "case no",
        "case num",
        "case #",
        "case",
        "case id",
        "index number",
        "index no",
        "docket number",
    ),
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


class OptionalColumn(StrEnum):
    """A column that a file may have; a file without it is one in which its cells are empty."""

    CONSUMER_DEBT = "consumer_debt"

    @property
    def heading(self) -> str:
        return self.value.replace("_", " ").title()


# Not "consumer credit transaction": what is none may still be consumer debt (CPLR 105(f), 5004(b)).
OPTIONAL_ALIASES: dict[OptionalColumn, tuple[str, ...]] = {
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


@dataclass(frozen=True)
class Header:
    """A header that has every column: where, in the order of `Column`, and how many cells there are in all.

    `consumer_debt` is None where the file does not have that column.
    """

    positions: tuple[int, ...]
    width: int
    consumer_debt: int | None = None


@dataclass(frozen=True)
class HeaderFault:
    """Why a header cannot be used: columns that no cell names, and columns that two cells name."""

    missing: tuple[Column, ...]
    doubled: tuple[Column | OptionalColumn, ...]


def read_header(cells: Sequence[str]) -> Header | HeaderFault:
    """Find the columns in the file's first line, in any order, whatever the case, punctuation and spacing.

    Cells with other names, or none, are columns that nobody reads.
    """
    found = [_COLUMN_OF.get(_plain(cell)) for cell in cells]
    missing = tuple(column for column in Column if column not in found)
    doubled = tuple(column for column in (*Column, *OptionalColumn) if found.count(column) > 1)
    if missing or doubled:
        return HeaderFault(missing, doubled)
    optional = OptionalColumn.CONSUMER_DEBT
    consumer_debt = found.index(optional) if optional in found else None
    return Header(tuple(found.index(column) for column in Column), len(cells), consumer_debt)


def _plain(name: str) -> str:
    return " ".join(re.findall(r"[^\W_]+|#", name.lower()))


_KNOWN: Iterable[tuple[Column | OptionalColumn, tuple[str, ...]]] = (*ALIASES.items(), *OPTIONAL_ALIASES.items())
_COLUMN_OF = {_plain(name): column for column, aliases in _KNOWN for name in (column.value, *aliases)}
