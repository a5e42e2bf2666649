from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.domain.judgments import Judgment
from services.domain.simplicity import SURPLUS, Column
from services.ingest_worker.decide import Rejected, county_name, judge_row, parse_amount, parse_filing_date

TODAY = date(2025, 12, 20)
GOOD = {
    Column.CASE_NUMBER: "2024-cv-17",
    Column.PLAINTIFF: "Ann  Example ",
    Column.DEFENDANT: "Acme Test LLC",
    Column.AMOUNT: "$1,200.00",
    Column.FILING_DATE: "3/31/2024",
    Column.COUNTY: "KINGS COUNTY",
}


def row(**cells: object) -> dict[str, object]:
    return {str(key): value for key, value in (GOOD | cells).items()}


def test_turns_a_good_row_into_a_judgment() -> None:
    assert judge_row(row(), today=TODAY) == Judgment(
        case_number="2024-CV-17",
        plaintiff="Ann Example",
        defendant="Acme Test LLC",
        amount=Decimal("1200.00"),
        filing_date=date(2024, 3, 31),
        county="Kings",
    )


def test_names_everything_that_is_wrong_at_once() -> None:
    rejected = judge_row(row(judgment_amount="lots", filing_date="31/03/2024", county=" "), today=TODAY)

    assert rejected == Rejected(
        (
            "Judgment Amount: not an amount like $1,200.00",
            "Filing Date: not a date like 03/31/2024",
            "County: empty",
        )
    )


def test_a_line_that_is_too_short_has_empty_columns() -> None:
    rejected = judge_row({"case_number": "1"}, today=TODAY)

    assert isinstance(rejected, Rejected)
    assert rejected.reasons[0] == "Plaintiff: empty"


def test_refuses_a_line_with_more_cells_than_the_header() -> None:
    assert judge_row(row(**{SURPLUS: ["x"]}), today=TODAY) == Rejected(("the line has more cells than the header",))


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("1200", "1200.00"),
        ("$1,200.5", "1200.50"),
        ("$ 0.01", "0.01"),
        ("1,234,567.89", "1234567.89"),
        ("999999999999.99", "999999999999.99"),
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
        ("(1,200.00)", "negative"),
        ("$(5)", "negative"),
        ("1000000000000", "too large"),
        ("1,20", "not an amount"),
        ("1.234", "not an amount"),
        ("1.200,00", "not an amount"),
        ("1e5", "not an amount"),
        ("NaN", "not an amount"),
        ("١٢", "not an amount"),
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
    notations = (day.isoformat(), f"{day:%m/%d/%Y}", f"{day.month}-{day.day}-{day.year}")

    assert {parse_filing_date(text, today=TODAY) for text in notations} == {day}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("12/21/2025", "in the future"),
        ("12/31/1899", "before 1900"),
        ("2/30/2024", "not a date"),
        ("3/31/24", "not a date"),
        ("3/31-2024", "not a date"),
        ("yesterday", "not a date"),
    ],
)
def test_refuses_what_is_no_filing_date(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_filing_date(text, today=TODAY)


@pytest.mark.parametrize("text", ["KINGS", "kings", "Kings", "Kings County", "KINGS COUNTY", "kings  county"])
def test_writes_a_county_in_one_way(text: str) -> None:
    assert county_name(text) == "Kings"


@given(st.dictionaries(st.sampled_from([*Column, SURPLUS]), st.one_of(st.text(), st.none(), st.lists(st.text()))))
def test_no_row_breaks_the_judging_and_no_reason_repeats_a_cell(cells: dict[str, object]) -> None:
    marked = {key: f"canary{cell}" if isinstance(cell, str) else cell for key, cell in cells.items()}

    outcome = judge_row(marked, today=TODAY)

    assert isinstance(outcome, Rejected)
    assert "canary" not in outcome.text
