from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.domain.simplicity import ALIASES, SURPLUS, Column, Header, HeaderFault, keyed_cells, read_header

USUAL = ["Case Number", "Plaintiff", "Defendant", "Judgment Amount", "Filing Date", "County"]


def test_reads_the_usual_header() -> None:
    assert read_header(USUAL) == Header(tuple(Column))


def test_reads_other_names_in_any_order_and_case() -> None:
    header = read_header(["COUNTY", "index no.", "Judgment_Debtor", "judgement amount", " date-filed ", "Creditor"])

    assert header == Header(
        (
            Column.COUNTY,
            Column.CASE_NUMBER,
            Column.DEFENDANT,
            Column.AMOUNT,
            Column.FILING_DATE,
            Column.PLAINTIFF,
        )
    )


def test_names_every_missing_column() -> None:
    assert read_header(["Case Number", "Plaintiff", "County", "Notes"]) == HeaderFault(
        missing=(Column.DEFENDANT, Column.AMOUNT, Column.FILING_DATE), doubled=()
    )


def test_refuses_two_columns_of_the_same_meaning() -> None:
    assert read_header([*USUAL, "Amount"]) == HeaderFault(missing=(), doubled=(Column.AMOUNT,))


def test_keeps_unknown_and_nameless_columns() -> None:
    header = read_header([*USUAL, "Court Notes", ""])

    assert isinstance(header, Header)
    assert header.keys[6:] == ("other_court_notes", "column_8")


def test_no_alias_means_two_columns() -> None:
    names = [name for aliases in ALIASES.values() for name in aliases]

    assert len(names) == len(set(names))


@given(st.permutations(USUAL), st.data())
def test_the_order_of_the_columns_does_not_matter(names: list[str], data: st.DataObject) -> None:
    cells = data.draw(st.lists(st.text(), min_size=6, max_size=6))
    header = read_header(names)

    assert isinstance(header, Header)
    assert [keyed_cells(header, cells)[key] for key in header.keys] == cells


@pytest.mark.parametrize(
    ("cells", "stored"),
    [
        (["1"], {"case_number": "1"}),
        ([], {}),
        ([*"123456", "x", "y"], dict(zip(Column, "123456", strict=True)) | {SURPLUS: ["x", "y"]}),
    ],
)
def test_keeps_short_and_long_lines_as_they_came(cells: list[str], stored: dict[str, object]) -> None:
    assert keyed_cells(Header(tuple(Column)), cells) == stored
