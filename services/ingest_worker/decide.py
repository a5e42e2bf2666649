"""Is a row of a Simplicity file a judgment, and if not, why? Pure.

Reasons name the column and the rule, never the cell: they are shown in places where personal data must not be.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any

from services.domain.judgments import Judgment
from services.domain.simplicity import SURPLUS, Column

MAX_LENGTH = 500  # characters; longer is a paragraph that slipped into the wrong column
MAX_AMOUNT = Decimal("999999999999.99")  # what numeric(14, 2) holds
EARLIEST_FILING = date(1900, 1, 1)

_DOLLARS = re.compile(r"\$?\s*((?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,13})(?:\.[0-9]{1,2})?)")
_US_DATE = re.compile(r"([0-9]{1,2})([/-])([0-9]{1,2})\2([0-9]{4})")
_ISO_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_CENT = Decimal("0.01")
_REMEMBERED = 4096  # dates, counties and round amounts come again and again within a file


@dataclass(frozen=True)
class Rejected:
    """Why a row is no judgment: one clause a fault, in the order of the columns."""

    reasons: tuple[str, ...]

    @property
    def text(self) -> str:
        """All reasons as one line."""
        return "; ".join(self.reasons)


def judge_row(cells: Mapping[str, object], *, today: date) -> Judgment | Rejected:
    """The judgment in `{key: cell}`, or everything that is wrong with it at once.

    `today` bounds the filing date: no court has filed tomorrow.
    """
    values: list[Any] = []
    reasons: list[str] = []
    for key, heading, parse in _READERS:
        try:
            values.append(parse(_text_of(cells.get(key)), today))
        except ValueError as error:
            reasons.append(f"{heading}: {error}")
    if cells.get(SURPLUS):
        reasons.append("the line has more cells than the header")
    return Rejected(tuple(reasons)) if reasons else Judgment(*values)


@lru_cache(maxsize=_REMEMBERED)
def parse_amount(text: str) -> Decimal:
    """Dollars as people write them: `1200`, `$1,200.00`. Raises ValueError with the rule that is broken."""
    if text.startswith(("-", "(", "$-", "$(")):
        raise ValueError("negative")
    match = _DOLLARS.fullmatch(text)
    if match is None:
        raise ValueError("not an amount like $1,200.00")
    amount = Decimal(match[1].replace(",", ""))
    if not 0 < amount <= MAX_AMOUNT:
        raise ValueError("must be above zero" if amount == 0 else "too large")
    return amount.quantize(_CENT)


@lru_cache(maxsize=_REMEMBERED)
def parse_filing_date(text: str, *, today: date) -> date:
    """A US date (`3/31/2024`, `03-31-2024`) or an ISO one. Raises ValueError with the rule that is broken."""
    parsed = _us_date(text) or _iso_date(text)
    if parsed is None:
        raise ValueError("not a date like 03/31/2024")
    if parsed > today:
        raise ValueError("in the future")
    if parsed < EARLIEST_FILING:
        raise ValueError(f"before {EARLIEST_FILING.year}")
    return parsed


@lru_cache(maxsize=_REMEMBERED)
def county_name(text: str) -> str:
    """`KINGS COUNTY`, `kings` and `Kings` are one county; mixed case is left as it was written."""
    bare = re.sub(r"\s+county$", "", text, flags=re.IGNORECASE)
    return bare.title() if bare.isupper() or bare.islower() else bare


def _text_of(cell: object) -> str:
    text = " ".join(cell.split()) if isinstance(cell, str) else ""
    if not text:
        raise ValueError("empty")
    if len(text) > MAX_LENGTH:
        raise ValueError(f"longer than {MAX_LENGTH} characters")
    return text


def _us_date(text: str) -> date | None:
    match = _US_DATE.fullmatch(text)
    return _date_or_none(int(match[4]), int(match[1]), int(match[3])) if match else None


def _iso_date(text: str) -> date | None:
    match = _ISO_DATE.fullmatch(text)
    return _date_or_none(int(match[1]), int(match[2]), int(match[3])) if match else None


def _date_or_none(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


_PARSERS: dict[Column, Callable[[str, date], Any]] = {
    Column.CASE_NUMBER: lambda text, _: text.upper(),  # clerks write 2024-cv-17 and 2024-CV-17 for the same case
    Column.PLAINTIFF: lambda text, _: text,
    Column.DEFENDANT: lambda text, _: text,
    Column.AMOUNT: lambda text, _: parse_amount(text),
    Column.FILING_DATE: lambda text, today: parse_filing_date(text, today=today),
    Column.COUNTY: lambda text, _: county_name(text),
}
# Made once, with plain strings: an enum member as a key costs a call of Python for each look-up. In Judgment's order.
_READERS = tuple((column.value, column.heading, _PARSERS[column]) for column in Column)
