"""The CSV that Simplicity exports: its columns, the other names people give them, and how a header is read."""

from __future__ import annotations

import re
from collections.abc import Sequence
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


@dataclass(frozen=True)
class Header:
    """A header that has every column: where, in the order of `Column`, and how many cells there are in all."""

    positions: tuple[int, ...]
    width: int


@dataclass(frozen=True)
class HeaderFault:
    """Why a header cannot be used: columns that no cell names, and columns that two cells name."""

    missing: tuple[Column, ...]
    doubled: tuple[Column, ...]


def read_header(cells: Sequence[str]) -> Header | HeaderFault:
    """Find the columns in the file's first line, in any order, whatever the case, punctuation and spacing.

    Cells with other names, or none, are columns that nobody reads.
    """
    found = [_COLUMN_OF.get(_plain(cell)) for cell in cells]
    missing = tuple(column for column in Column if column not in found)
    doubled = tuple(column for column in Column if found.count(column) > 1)
    if missing or doubled:
        return HeaderFault(missing, doubled)
    return Header(tuple(found.index(column) for column in Column), len(cells))


def _plain(name: str) -> str:
    return " ".join(re.findall(r"[^\W_]+|#", name.lower()))


_COLUMN_OF = {_plain(name): column for column, aliases in ALIASES.items() for name in (column.value, *aliases)}
