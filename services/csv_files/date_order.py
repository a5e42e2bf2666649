"""Detects a file that does not write its dates with the month first, as the United States do; pure.

`04/03/2024` is April 3 in one file and March 4 in another, and the row does not show which. Other rows do: `31/03/2024`
has the day first, `03/31/2024` the month. If they disagree, the majority proves nothing: a file may be merged from two.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import Enum, auto
from functools import lru_cache

from services.csv_files.identifiers import normalize_identifier

# Text after the year, such as a time, does not matter.
_DATE = re.compile(r"\s*([0-9]{1,2})([/.-])([0-9]{1,2})\2[0-9]{2}")
_YEAR_FIRST = re.compile(r"[0-9]{4}-")
_LONGEST = 500  # characters; the ingest worker fails longer cells
_MONTHS, _DAYS = range(1, 13), range(1, 32)


class _Order(Enum):
    DAY_FIRST = auto()
    MONTH_FIRST = auto()
    EITHER = auto()


@lru_cache(4096)  # days repeat
def _order_of(cell: str) -> _Order | None:
    """The order of a cell's date; None if both orders give the same day or none, or if it has another format.

    The ingest worker reads the normalized cell. Normalizing is slow, and most cells start with a date without it.
    """
    if _YEAR_FIRST.match(cell):
        return None
    found = _DATE.match(cell) or _DATE.match(normalize_identifier(cell))
    if found is None or found[1] == found[3]:
        return None
    first, second = int(found[1]), int(found[3])
    match (first in _DAYS and second in _MONTHS, first in _MONTHS and second in _DAYS):
        case (True, True):
            return _Order.EITHER if first != second else None
        case (True, False):
            return _Order.DAY_FIRST
        case (False, True):
            return _Order.MONTH_FIRST
        case _:
            return None


def _bounded(cell: str) -> str:
    """The cell without surplus spaces; empty if it is longer than any date, so that the cache stays small."""
    if len(cell) <= _LONGEST:
        return cell
    folded = " ".join(cell.split())
    return folded if len(folded) <= _LONGEST else ""


class DateOrder:
    """Counts the dates that make sense in one order only, and those that make sense in both."""

    def __init__(self) -> None:
        self._rows = dict.fromkeys(_Order, 0)
        self._first: dict[_Order, int] = {}

    def count(self, cells: Iterable[str]) -> int:
        """Count the date of each row, in order, and return the number of rows."""
        number = 0
        for number, cell in enumerate(cells, start=1):
            if (order := _order_of(_bounded(cell))) is not None:
                self._rows[order] += 1
                self._first.setdefault(order, number)
        return number

    def fault(self, heading: str) -> str | None:
        """Why dates of the file would or may be misread, or None. `heading` names their column. Rows count from 1."""
        day_first, month_first, either = (self._rows[order] for order in _Order)
        if not (day_first and either):
            return None
        row = f"{heading} of row {self._first[_Order.DAY_FIRST]}"
        if not month_first:
            return f"its dates have the day first ({row}), so that 04/03/2024 would be read as April 3"
        return (
            f"its dates have two orders, {day_first:,} with the day first ({row}) and {month_first:,} with the month "
            f"first (row {self._first[_Order.MONTH_FIRST]}), so that 04/03/2024 may be April 3 or March 4"
        )
