from __future__ import annotations

import re
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.csv_files.identifiers import check_identifier, normalize_identifier
from services.ingest_worker.cells import (
    _PLAIN_CASE_NUMBER,
    _PLAIN_DOLLARS,
    case_number,
    county_name,
    parse_amount,
    parse_filing_date,
    party_name,
)

TODAY = date(2025, 12, 20)


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("1200", "1200.00"),
        ("$1,200.5", "1200.50"),
        ("$ 0.01", "0.01"),
        ("1,234,567.89", "1234567.89"),
        ("999999999999.99", "999999999999.99"),
        ("\u200e1,200.00\u202c", "1200.00"),
        ("\uff11\uff12\uff10\uff10", "1200.00"),
        ('="1200.00"', "1200.00"),
        ("'1200", "1200.00"),
        ("USD 1,200.00", "1200.00"),
        ("US$1200", "1200.00"),
        ("1200 USD", "1200.00"),
        ("1200.0000", "1200.00"),  # as a database's money
        ("1200.500000", "1200.50"),
        ("1200.", "1200.00"),
        (".50", "0.50"),
    ],
)
def test_reads_dollars(text: str, amount: str) -> None:
    assert str(parse_amount(text)) == amount


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("0", "above zero"),
        ("$0.00", "above zero"),
        ("-5", "negative"),
        ("-$5", "negative"),
        ("$-5", "negative"),
        ("(1,200.00)", "negative"),
        ("($1,200.00)", "negative"),
        ("$(5)", "negative"),
        ("1200.00-", "negative"),
        ("1,200.00 CR", "negative"),
        ("USD -5", "negative"),
        ("1.200", "not an amount"),  # 1200 or 1.20
        ("1200.0001", "not an amount"),
        (".", "not an amount"),
        ("$", "not an amount"),
        ("12,00.00", "not an amount"),
        ("1000000000000", "too large"),
        ("1,20", "not an amount"),
        ("1.234", "not an amount"),
        ("1.200,00", "not an amount"),
        ("1e5", "scientific notation"),
        ("NaN", "not an amount"),
        ("(lots)", "not an amount"),
        ("(5", "not an amount"),
        ("5)", "not an amount"),
        ("5-5", "not an amount"),
        ("١٢", "not an amount"),
        ("\u2212500", "negative"),
        ("=A1*2", "not an amount"),
    ],
)
def test_refuses_what_is_no_amount(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_amount(text)


@given(st.decimals(min_value="0.01", max_value="999999999999.99", places=2))
def test_every_amount_survives_being_written_for_people(amount: Decimal) -> None:
    assert parse_amount(f"${amount:,.2f}") == amount


@given(st.text())
def test_amounts_are_parsed_or_refused(text: str) -> None:
    try:
        amount = parse_amount(text)
    except ValueError:
        return

    assert amount > 0
    assert amount.as_tuple().exponent == -2


@given(st.dates(min_value=date(1900, 1, 1), max_value=TODAY))
def test_every_filing_date_survives_the_usual_notations(day: date) -> None:
    notations = (
        day.isoformat(),
        f"{day:%m/%d/%Y}",
        f"{day.month}/{day.day}/{day.year}",
        f"{day.month}-{day.day}-{day.year}",
        f"{day:%B} {day.day}, {day.year}",
        f"{day:%b}. {day.day} {day.year}",
        f"{day:%d-%b-%Y}",
        f"{day:%d %B %Y}",
        f"{day:%m/%d/%Y} 0:00",
        f"{day:%m/%d/%Y} 12:00:00 AM",
        f"{day.isoformat()}T00:00:00",
        f"{day.isoformat()}T00:00:00.000Z",
        f"{day.isoformat()} 00:00:00+00:00",
        f"{day:%Y/%m/%d}",
        f"{day.year}/{day.month}/{day.day}",
        f"{day:%Y.%m.%d}",
        f"{day:%Y%m%d}",
        f"{day:%A, %B} {day.day}, {day.year}",
        f"{day:%a} {day:%d %b %Y}",
        f"{day:%d%b%Y}".upper(),
    )

    assert {parse_filing_date(text, today=TODAY) for text in notations} == {day}


@pytest.mark.parametrize(
    "text", ["\u200e3\u200e/\u200e31\u200e/\u200e2024", '="3/31/2024"', "2024\u201103\u201131", "'3/31/2024"]
)
def test_parse_filing_date_ignores_what_a_spreadsheet_puts_around_a_date(text: str) -> None:
    assert parse_filing_date(text, today=TODAY) == date(2024, 3, 31)


def test_an_ordinal_and_a_day_of_the_week_are_passed_over() -> None:
    for text in ("April 3rd, 2024", "Wed, Apr. 3, 2024", "Wednesday 3 April 2024", "2024-04-03 04:00:00 UTC"):
        assert parse_filing_date(text, today=TODAY) == date(2024, 4, 3)


def test_september_is_short_in_two_ways() -> None:
    assert {parse_filing_date(f"{short}. 3, 2024", today=TODAY) for short in ("Sep", "Sept")} == {date(2024, 9, 3)}


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("3/31/24", date(2024, 3, 31)),
        ("3-31-99", date(1999, 3, 31)),
        ("31-Mar-05", date(2005, 3, 31)),
        ("1/2/25", date(2025, 1, 2)),
        ("1/2/26", date(1926, 1, 2)),
    ],
)
def test_two_digits_are_the_latest_such_year_that_has_begun(text: str, day: date) -> None:
    assert parse_filing_date(text, today=TODAY) == day


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("12/21/2025", "in the future"),
        ("12/29/1899", "before 1900"),
        ("2/30/2024", "not a date"),
        ("31/3/2024", "not a date"),
        ("3/31/024", "not a date"),
        ("3/31-2024", "not a date"),
        ("0/1/2024", "not a date"),
        ("Foo 3, 2024", "not a date"),
        ("Junk 3, 2024", "not a date"),
        ("3-Marble-2024", "not a date"),
        ("3/31/2024 at noon", "not a date"),
        ("yesterday", "not a date"),
        ("2024/13/01", "not a date"),
        ("2024/03-31", "not a date"),
        ("20241301", "not a date"),
        ("31032024", "not a date"),
        ("1900-01-00", "day zero"),
        ("18991230", "day zero"),
    ],
)
def test_refuses_what_is_no_filing_date(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_filing_date(text, today=TODAY)


@pytest.mark.parametrize("text", ["KINGS", "kings", "Kings", "Kings County", "KINGS COUNTY", "kings county"])
def test_writes_a_county_in_one_way(text: str) -> None:
    assert county_name(text) == "Kings"


@given(st.from_regex(_PLAIN_CASE_NUMBER, fullmatch=True, alphabet=st.characters(codec="ascii")))
def test_the_short_way_of_a_case_number_comes_to_the_same(text: str) -> None:
    assert case_number(text) == check_identifier(normalize_identifier(text), "case number")


@given(st.from_regex(_PLAIN_DOLLARS, fullmatch=True, alphabet=st.characters(codec="ascii")))
def test_the_short_way_of_an_amount_comes_to_the_same(text: str) -> None:
    def read(cell: str) -> str:
        try:
            return str(parse_amount(cell))
        except ValueError as error:
            return str(error)

    assert read(text) == read(f"${text}")


@pytest.mark.parametrize("text", ["########", "#" * 40, "TRUE", "Err:502", "=B2", "1899-12-31", "#¡REF!"])
def test_a_county_that_a_spreadsheet_damaged_is_no_county(text: str) -> None:
    with pytest.raises(ValueError, match=r"damaged the county|formula|placeholder"):
        county_name(text)


@pytest.mark.parametrize(
    "text",
    [
        *("36047", "047", "1-2", "County", "the State", "Supreme Court", "New York Civil Court", "Surrogates of Kings"),
        *("Supreme Court of the State of New York", "Civil Court of the City of New York", "Supreme Court, New York"),
        *("Supreme Court of the State of New York County", "Town Court, Clinton", "City Court of Albany"),
        *("Supreme Court, Kings County; Civil Court, Queens County", "Supreme Court of Kings and Queens County"),
        *(
            "Orange County Clerk, Florida",
            "Superior Court of California, County of Orange",
            "Kings County Court, Delaware",
            "Orange County Superior Court, CA",
            "Essex County Superior Court, N.J.",
            "Kings County Superior Court, Hanford, CA 93230",
            "Essex County Superior Court NJ",
            "Superior Court CA County of Orange",
            "Orange County Circuit Court (FL)",
            "Delaware County Court of Common Pleas",
            "Orange County Clerk FL 32801",
            "Essex County Clerk, N.J.",
        ),
        *("Supreme Court of the State of Georgia DeKalb County", "Kings County Court, County of Queens"),
    ],
)
def test_what_names_no_county_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"a number, not the county's name|names no county"):
        county_name(text)


@pytest.mark.parametrize("text", ["########", "#" * 40, "Err:502", "=B2", "=VLOOKUP(A2,Sheet2!A:B,2,FALSE)", "  =B2"])
def test_a_party_that_a_spreadsheet_lost_is_no_party(text: str) -> None:
    with pytest.raises(ValueError, match=r"damaged the name|formula"):
        party_name(text)


@pytest.mark.parametrize("text", ["#1 Auto Sales", "True", "Vero", "May", "1800-FLOWERS", "Err: Sons LLC"])
def test_a_party_of_an_unusual_name_stays(text: str) -> None:
    assert party_name(text) == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("#####", "a spreadsheet damaged the amount (its column was too narrow)"),
        ("TRUE", "a spreadsheet damaged the amount (it became TRUE or FALSE)"),
        ("1.2E+05", "a spreadsheet damaged the amount (it is in scientific notation)"),
        ("3/4/2024", "a spreadsheet damaged the amount (it became a date)"),
        ("Err:502", "a spreadsheet damaged the amount (it became an error of a formula)"),
        ("1 200,50 \u20ac", "in another currency, not an amount"),
        ("1200,50", "with a decimal comma, not an amount"),
        ("1.200,5", "with a decimal comma, not an amount"),
    ],
)
def test_says_what_a_spreadsheet_made_of_an_amount(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        parse_amount(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("#####", "a spreadsheet damaged the date (its column was too narrow)"),
        ("FALSE", "a spreadsheet damaged the date (it became TRUE or FALSE)"),
        ("45385", "a spreadsheet damaged the date (it became a number of days)"),
        ("45385.5", "a spreadsheet damaged the date (it became a number of days)"),
        ("45,385", "a spreadsheet damaged the date (it became a number of days)"),
        ("4.5E+04", "a spreadsheet damaged the date (it is in scientific notation)"),
        ("12:30:00", "a spreadsheet damaged the date (it became a time of day)"),
        ("1/0/1900", "missing, a spreadsheet wrote its day zero"),
        ("1899-12-31", "missing, a spreadsheet wrote its day zero"),
        ("12/30/1899 12:00:00 AM", "missing, a spreadsheet wrote its day zero"),
        ("31/12/2023", "not a date like 03/31/2024, its day comes first"),
        ("4.3.2024", "not a date like 03/31/2024"),
    ],
)
def test_says_what_a_spreadsheet_made_of_a_date(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        parse_filing_date(text, today=TODAY)
