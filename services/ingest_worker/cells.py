"""Parses one cell: an amount, a date, a name, a number. Pure.

Each function takes text without surplus spaces, and raises ValueError with the rule that is broken, never the text.
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal

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

MAX_AMOUNT = Decimal("999999999999.99")  # the largest value of numeric(14, 2)
EARLIEST_FILING = date(1900, 1, 1)

_CENT = Decimal("0.01")
# `.50`, `1200.` and the four decimals of a database's money type are unambiguous; the three of `1.200` are not.
_DOLLARS = re.compile(
    r"(?:USD )?([-(])?(?:US)?\$? ?([-(])?(?=\.?[0-9])"
    r"((?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{0,13})(?:\.(?:[0-9]{0,2}|[0-9]{2}00+))?)(?:\)|(-| ?CR))?(?: USD)?"
)
_DECIMAL_COMMA = re.compile(r"[^0-9]*[0-9][0-9.' ]*,[0-9]{1,2}[^0-9]*")
# Most cells of most files match these, which takes a third of the time; tests compare both ways.
_PLAIN_DOLLARS = re.compile(r"[0-9]{1,12}\.[0-9]{2}")
_PLAIN_CASE_NUMBER = re.compile(r"[0-9]{4,9}(?:-[A-Z]{1,4}-[0-9]{3,12}|/[0-9]{4})")
_TIME = re.compile(
    r"[ T][0-9]{1,2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?( ?[AP]M)?( ?(?:Z|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2})?))?$",
    re.IGNORECASE,
)
# A spreadsheet's text for an empty or zero cell formatted as a date, and for a date formatted as a number.
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
    """Parse US dollars: `1200`, `$1,200.00`, `1200.0000`, `USD 1,200`. Parentheses, a minus sign after the amount and
    `CR` mean negative, as in accounting; a judgment must be above zero."""
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
    """Parse a date: `3/31/2024`, `03-31-24`, `March 31, 2024`, `31-Mar-2024`, `2024-03-31`, `2024/3/31`, `20240331`.

    A weekday before it and a time after it are ignored. If the year comes first, the month is second.

    `today` is the latest possible date: no court has filed tomorrow. A two-digit year means the latest such year that
    has begun.
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
    """True if it is consumer debt; None if the file marks it as unknown."""
    known = _CONSUMER_DEBT.get(text.lower(), text)
    if isinstance(known, str):
        if is_placeholder(text):
            return None
        raise ValueError("neither yes nor no")
    return known


def case_number(text: str) -> str:
    """The case number that identifies a case within its county, as `services.csv_files.identifiers` compares it."""
    if _PLAIN_CASE_NUMBER.fullmatch(text):
        return text
    return check_identifier(normalize_identifier(text), "case number")


def payment_reference(text: str) -> str:
    """The reference that identifies a payment within its case."""
    return check_identifier(normalize_identifier(text), "reference")


def party_name(text: str) -> str:
    """A plaintiff or defendant as the file writes it, without invisible characters."""
    if len(text) > LONGEST_PLACEHOLDER and text.isascii() and text.isprintable() and text[0] not in "=#":
        return text
    return check_name(_present(" ".join(visible(unwrap_formula(text)).split())))


def county_name(text: str) -> str:
    """The usual spelling of the county: `KINGS COUNTY` and `County of Kings` are `Kings`."""
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
    """The damage that a spreadsheet did to a date; None if it looks like a date, in a format that we don't read."""
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
