from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.csv_files.identifiers import check_identifier, normalize_identifier


@pytest.mark.parametrize(
    "written",
    [
        "2024-CV-90001",
        " 2024-cv-90001 ",
        "2024-CV-90001\u200b",
        "\ufeff2024-CV-90001",
        "2024\u2011CV\u201190001",  # non-breaking hyphens
        "2024\u2013CV\u221290001",  # en dash, minus sign
        "2024-CV-\u00ad90001",  # soft hyphen
        "\u202a2024-CV-90001\u202c",  # a control character for the writing direction
        "2024-CV-\uff19\uff10\uff10\uff10\uff11",  # full-width digits
        "\u00a02024-CV-90001",
        "2024-CV-9\u034f0001",  # a combining joiner, which is a mark by its category
        "'2024-CV-90001",
        "\u20192024-CV-90001",
        '="2024-CV-90001"',
        ' = "2024-CV-90001"',
        '=T("2024-CV-90001")',
    ],
)
def test_normalizes_what_looks_the_same_to_one_identifier(written: str) -> None:
    assert normalize_identifier(written) == "2024-CV-90001"


@pytest.mark.parametrize(("one", "other"), [("0012", "12"), ("2024-CV-1", "2024-CV-01"), ("95002/2024", "95002-2024")])
def test_keeps_apart_what_may_be_two_cases(one: str, other: str) -> None:
    assert normalize_identifier(one) != normalize_identifier(other)


@given(st.text())
def test_normalizing_twice_changes_nothing_more(text: str) -> None:
    once = normalize_identifier(text)
    if not once.startswith(("'", "=")):
        assert normalize_identifier(once) == once


@pytest.mark.parametrize("text", ["", "\u200b", "\u00ad\ufeff", "'", '=""', "\u3164"])
def test_a_cell_that_shows_nothing_is_empty(text: str) -> None:
    with pytest.raises(ValueError, match=r"^empty$"):
        check_identifier(normalize_identifier(text), "case number")


@pytest.mark.parametrize(
    "text",
    [
        "NULL",
        "#N/A",
        "#REF!",
        "N/A",
        "nan",
        "0",
        "-",
        "None",
        "\u2014",
        "#VALUE!",
        "?",
        "(blank)",
        "\\N",
        "<NA>",
        "#NV",
    ],
)
def test_a_placeholder_is_a_missing_value(text: str) -> None:
    with pytest.raises(ValueError, match="placeholder"):
        check_identifier(normalize_identifier(text), "case number")


@pytest.mark.parametrize(
    ("text", "damage"),
    [
        ("2.024E+11", "scientific notation"),
        ("2.02E11", "scientific notation"),
        ("1E+05", "scientific notation"),
        ("2,024E+11", "scientific notation"),
        ("5.00E-03", "scientific notation"),
        ("20,240,012,345", "thousands separators"),
        ("1:24:00 AM", "time of day"),
        ("01:24:00", "time of day"),
        ("17-Mar", "became a date"),
        ("Mar-17", "became a date"),
        ("17-Mar-24", "became a date"),
        ("3/17/2024", "became a date"),
        ("17/3/2024", "became a date"),
        ("3/17/2024 0:00", "became a date"),
        ("2024-03-17", "became a date"),
        ("2024-03-17 00:00:00", "became a date"),
        ("1899-12-31", "became a date"),
        ("1899-12-30T00:00:00", "became a date"),
        ("1/0/1900", "became a date"),
        ("1900-01-00", "became a date"),
        ("0-Jan-00", "became a date"),
        ("NaT", "became a date"),
        ("TRUE", "became TRUE or FALSE"),
        ("false", "became TRUE or FALSE"),
        ("WAHR", "became TRUE or FALSE"),
        ("inf", "infinite"),
        ("-1.#IND", "infinite"),
        ("Err:502", "error of a formula"),
        ("#####", "column was too narrow"),
        ("20240012345.0", "decimal number"),
        ("########", "too narrow"),
    ],
)
def test_names_what_a_spreadsheet_did_to_a_case_number(text: str, damage: str) -> None:
    with pytest.raises(ValueError, match=rf"^a spreadsheet damaged the case number \(it.*{damage}"):
        check_identifier(normalize_identifier(text), "case number")


@pytest.mark.parametrize(
    "text",
    [
        *(
            "2024-CV-17",
            "95002/2024",
            "3/2024",
            "00123401",
            "12E-345",
            "2024E11X",
            "17-MARINE-1",
            "MAR-A",
            "EF2024-0001",
        ),
        *(
            "CV-24-03-17",
            "2024.001",
            "24-1234",
            "2024-13-17",
            "13/45/2024",
            "MAY",
            "N/A-1",
            "100.5",
            "5E-03",
            "1:24-CV-00123",
            "2024,17",
            "24:17",
        ),
    ],
)
def test_does_not_change_valid_case_numbers(text: str) -> None:
    assert check_identifier(normalize_identifier(text), "case number") == text


def test_a_formula_is_no_value_and_its_reason_is_one() -> None:
    """The message has no semicolon, because semicolons separate the reasons of a row."""
    with pytest.raises(ValueError, match=r"^holds a formula[^;]*$"):
        check_identifier(normalize_identifier("=A1&B1"), "case number")
