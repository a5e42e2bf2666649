"""Reads the values of a Simplicity file as people write them: case numbers, amounts, dates, counties. Pure.

Each function takes text without surplus spaces, and raises ValueError with the rule that is broken, never the text.
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal

from services.domain.counties import canonical_county
from services.domain.identifiers import (
    LONGEST_PLACEHOLDER,
    PLACEHOLDER,
    UNREADABLE,
    check_identifier,
    is_placeholder,
    normalize_identifier,
    unwrap_formula,
    visible,
)

MAX_AMOUNT = Decimal("999999999999.99")  # what numeric(14, 2) holds
EARLIEST_FILING = date(1900, 1, 1)

_CENT = Decimal("0.01")
_DOLLARS = re.compile(r"([-(])?\$? ?([-(])?((?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,13})(?:\.[0-9]{1,2})?)\)?")
# Most cells of most files: for these the long way gives the same (tests compare the two), in a third of the time.
_PLAIN_DOLLARS = re.compile(r"[0-9]{1,12}\.[0-9]{2}")
_PLAIN_CASE_NUMBER = re.compile(r"[0-9]{4,9}(?:-[A-Z]{1,4}-[0-9]{3,12}|/[0-9]{4})")
_TIME = re.compile(r"[ T][0-9]{1,2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?( ?[AP]M)?$", re.IGNORECASE)
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
_DATES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?P<month>[0-9]{1,2})(?P<by>[/-])(?P<day>[0-9]{1,2})(?P=by)(?P<year>[0-9]{4}|[0-9]{2})",  # 3/31/2024
        r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})",  # 2024-03-31
        rf"{_MONTH}\.? (?P<day>[0-9]{{1,2}}),? (?P<year>[0-9]{{4}})",  # March 31, 2024
        rf"(?P<day>[0-9]{{1,2}})[ -]{_MONTH}[ -](?P<year>[0-9]{{4}}|[0-9]{{2}})",  # 31-Mar-24
    )
)


def parse_amount(text: str) -> Decimal:
    """Dollars: `1200`, `$1,200.00`. Parentheses are a minus, as in accounting; a judgment is above zero."""
    if _PLAIN_DOLLARS.fullmatch(text) and (plain := Decimal(text)):
        return plain
    match = _DOLLARS.fullmatch(text)
    if match is None or ("(" in text) != (")" in text):
        raise ValueError("not an amount like $1,200.00")
    minus, minus_behind, dollars = match.groups()
    if minus or minus_behind:
        raise ValueError("negative")
    amount = Decimal(dollars.replace(",", ""))
    if not 0 < amount <= MAX_AMOUNT:
        raise ValueError("must be above zero" if amount == 0 else "too large")
    return amount.quantize(_CENT)


def parse_filing_date(text: str, *, today: date) -> date:
    """A day: `3/31/2024`, `03-31-24`, `March 31, 2024`, `31-Mar-2024`, `2024-03-31`, a time behind it passed over.

    `today` bounds it: no court has filed tomorrow. Two digits mean the latest such year that has begun.
    """
    parsed = _read_date(_TIME.sub("", text), today)
    if parsed is None:
        raise ValueError("not a date like 03/31/2024")
    if parsed > today:
        raise ValueError("in the future")
    if parsed < EARLIEST_FILING:
        raise ValueError(f"before {EARLIEST_FILING.year}")
    return parsed


def parse_consumer_debt(text: str) -> bool | None:
    """Whether it is consumer debt; None where the file says that nobody knows."""
    known = _CONSUMER_DEBT.get(text.lower(), text)
    if isinstance(known, str):
        if is_placeholder(text):
            return None
        raise ValueError("neither yes nor no")
    return known


def case_number(text: str) -> str:
    """By which a case is known within its county, as `services.domain.identifiers` compares it."""
    if _PLAIN_CASE_NUMBER.fullmatch(text):
        return text
    return check_identifier(normalize_identifier(text), "case number")


def payment_reference(text: str) -> str:
    """By which a payment is known within its case."""
    return check_identifier(normalize_identifier(text), "reference")


def party_name(text: str) -> str:
    """A plaintiff or defendant as the file writes it, but for what nobody sees."""
    if len(text) > LONGEST_PLACEHOLDER and text.isascii() and text.isprintable() and text[0] != "=":
        return text
    return _present(" ".join(visible(unwrap_formula(text)).split()))


def county_name(text: str) -> str:
    """The usual spelling of the county that is meant: `KINGS COUNTY` and `County of Kings` are `Kings`."""
    return canonical_county(_present(unwrap_formula(text)))


def _present(text: str) -> str:
    if not text:
        raise ValueError("empty")
    if is_placeholder(text):
        raise ValueError(PLACEHOLDER)
    if UNREADABLE in text:
        raise ValueError("holds a character that cannot be read")
    return text


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
