"""Finds out whether a file writes its dates as the United States do, with the month first; pure.

`04/03/2024` is April 3 in one file and March 4 in another, and no row tells. Its neighbors do: `31/03/2024` has the day
first, `03/31/2024` the month.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import Enum, auto
from functools import lru_cache

from services.domain.text import counted

_DATE = re.compile(r"\s*([0-9]{1,2})([/.-])([0-9]{1,2})\2(?:[0-9]{4}|[0-9]{2})\b")
_MONTHS = 12


class _Order(Enum):
    DAY_FIRST = auto()
    MONTH_FIRST = auto()
    EITHER = auto()


@lru_cache(4096)  # days come again and again
def _order_of(cell: str) -> _Order | None:
    """None where both orders mean the same day, or the cell is written otherwise."""
    found = _DATE.match(cell)
    if found is None or found[1] == found[3]:
        return None
    first, second = int(found[1]), int(found[3])
    if first <= _MONTHS and second <= _MONTHS:
        return _Order.EITHER if first != second else None
    if min(first, second) > _MONTHS:
        return None
    return _Order.DAY_FIRST if first > second else _Order.MONTH_FIRST


class DateOrder:
    """Counts the dates that only one order makes sense of. `first_day_first`: the first such row, from 1."""

    def __init__(self) -> None:
        self.first_day_first: int | None = None
        self.day_first = self.month_first = self.either = 0

    def count(self, cells: Iterable[str]) -> int:
        """Take the date of each row, in their order; how many there were."""
        number = 0
        for number, cell in enumerate(cells, start=1):
            match _order_of(cell):
                case _Order.DAY_FIRST:
                    self.day_first += 1
                    self.first_day_first = self.first_day_first or number
                case _Order.MONTH_FIRST:
                    self.month_first += 1
                case _Order.EITHER:
                    self.either += 1
        return number

    @property
    def is_day_first(self) -> bool:
        """Whether the file has the day first, so that its other dates would be read wrongly."""
        return self.day_first > 0 == self.month_first and self.either > 0

    @property
    def notes(self) -> list[str]:
        """What the sender has to know where the file has both orders."""
        if not (self.day_first and self.month_first):
            return []
        dates = counted(self.day_first, "date")
        return [f"{dates} with the day first, first at row {self.first_day_first}; all dates are read month first"]
