from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.domain.intake import (
    ALIASES,
    OPTIONAL_ALIASES,
    Column,
    Header,
    HeaderFault,
    OptionalColumn,
    read_header,
)

USUAL = ["Case Number", "Plaintiff", "Defendant", "Judgment Amount", "Filing Date", "County"]


def test_reads_the_usual_header() -> None:
    assert read_header(USUAL) == Header(positions=(0, 1, 2, 3, 4, 5), width=6, optional=(None,))


def test_reads_other_names_in_any_order_and_case() -> None:
    header = read_header(["COUNTY", "index no.", "Judgment_Debtor", "judgement amount", " date-filed ", "Creditor"])

    assert header == Header(positions=(1, 5, 2, 3, 4, 0), width=6, optional=(None,))


def test_reads_a_header_as_programs_and_spreadsheets_write_it() -> None:
    glued = ["CaseNumber", "PlaintiffName", "defendantName", "JUDGMENTAMOUNT", "FilingDate", "County"]
    marked = [
        "\u200fCase\u00a0Num\u00adber",
        "\ufeffPlaintiff",
        "Defend\u200bant",
        "Judgment\nAmount",
        "\uff26\uff49\uff4c\uff49\uff4e\uff47 Date",
        '="County"',
    ]

    assert read_header(glued) == read_header(marked) == read_header(USUAL)


def test_names_every_missing_column() -> None:
    assert read_header(["Case Number", "Plaintiff", "County", "Notes"]) == HeaderFault(
        missing=(Column.DEFENDANT, Column.AMOUNT, Column.FILING_DATE), doubled=()
    )


def test_refuses_two_columns_of_the_same_meaning() -> None:
    others = ["Amount" if name == "Judgment Amount" else name for name in USUAL]

    assert read_header([*others, "Judgment Total"]) == HeaderFault(missing=(), doubled=(Column.AMOUNT,))
    assert read_header([*USUAL, "Judgment Amount"]) == HeaderFault(missing=(), doubled=(Column.AMOUNT,))


def test_header_prefers_the_exact_name_over_an_alias() -> None:
    header = read_header(["Judgment Date", *USUAL])

    assert header == Header(positions=(1, 2, 3, 4, 5, 6), width=7, optional=(None,))


def test_passes_over_unknown_and_nameless_columns() -> None:
    assert read_header(["Court Notes", *USUAL, ""]) == Header(positions=(1, 2, 3, 4, 5, 6), width=8, optional=(None,))


@pytest.mark.parametrize("name", ["Consumer Debt", "IS_CONSUMER_DEBT", "consumer", "Consumer? (Y/N)"])
def test_finds_the_column_for_consumer_debt_where_there_is_one(name: str) -> None:
    assert read_header([*USUAL, name]) == Header(positions=(0, 1, 2, 3, 4, 5), width=7, optional=(6,))


def test_refuses_two_columns_for_consumer_debt() -> None:
    assert read_header([*USUAL, "Consumer", "Consumer Flag"]) == HeaderFault(
        missing=(), doubled=(OptionalColumn.CONSUMER_DEBT,)
    )


def test_no_alias_means_two_columns() -> None:
    every = (*ALIASES.values(), *OPTIONAL_ALIASES.values())
    names = [name.replace(" ", "") for aliases in every for name in aliases]

    assert len(names) == len(set(names))


@given(st.permutations(USUAL))
def test_the_order_of_the_columns_does_not_matter(names: list[str]) -> None:
    header = read_header(names)

    assert isinstance(header, Header)
    assert [names[position] for position in header.positions] == USUAL
