"""How the first line of an uploaded CSV is read: columns go by several names, in any order."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from itertools import chain


class Heading(StrEnum):
    """A column that is read, by its own name; each kind of file has some."""

    @property
    def heading(self) -> str:
        """As the header writes it: `Case Number`."""
        return self.value.replace("_", " ").title()


# What courts and their software call a case's number; they come in files of every kind.
CASE_NUMBER_NAMES = (
    *("case no", "case num", "case #", "case", "case id", "index number", "index no", "index num", "index #", "index"),
    *("docket number", "docket no", "docket num", "docket #", "docket", "file number", "file no", "file #"),
)

Aliases = Mapping[Heading, Sequence[str]]


@dataclass(frozen=True)
class Header:
    """A header that has every column: where, in the order of the layout, and how many cells there are in all.

    `optional`: the same for the columns that a file may lack, None where it does.
    """

    positions: tuple[int, ...]
    width: int
    optional: tuple[int | None, ...] = ()


@dataclass(frozen=True)
class HeaderFault:
    """Why a header cannot be used: columns that no cell names, and columns that two cells name."""

    missing: tuple[Heading, ...]
    doubled: tuple[Heading, ...]


@dataclass(frozen=True)
class Layout:
    """The columns of one kind of file, each with its other names: those that it must have, and those that it may."""

    required: Aliases
    optional: Aliases = field(default_factory=dict)

    @cached_property
    def _column_of(self) -> Mapping[str, Heading]:
        every = chain(self.required.items(), self.optional.items())
        return {_plain(name): column for column, names in every for name in (column.value, *names)}

    def read(self, cells: Sequence[str]) -> Header | HeaderFault:
        """Find the columns in the file's first line, in any order, whatever the case, punctuation and spacing.

        Cells with other names, or none, are columns that are not read. Where one cell has a column's own name, those
        with its other names are not read either: a file may have a Filing Date and a Judgment Date.
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
    return " ".join(re.findall(r"[^\W_]+|#", name.lower()))
