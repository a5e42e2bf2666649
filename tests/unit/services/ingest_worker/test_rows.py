from __future__ import annotations

import tracemalloc
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.domain.intake import Column, Header, Judgment
from services.ingest_worker.rows import MAX_LENGTH, PaymentRow, judge_payments, judge_rows

TODAY = date(2025, 12, 20)
HEADER = Header(positions=(0, 1, 2, 3, 4, 5), width=6, optional=(None,))
GOOD = ("2024-cv-17", "Ann  Example ", "Acme Test LLC", "$1,200.00", "3/31/2024", "KINGS COUNTY")
JUDGMENT = Judgment(
    case_number="2024-CV-17",
    plaintiff="Ann Example",
    defendant="Acme Test LLC",
    amount=Decimal("1200.00"),
    filing_date=date(2024, 3, 31),
    county="Kings",
)


def reason(*row: str) -> str | None:
    """The reasons why a row is no judgment; None if it is one."""
    return judge_rows([row], HEADER, today=TODAY).reasons.get(0)


def row(**cells: str) -> list[str]:
    """A good row with these cells instead of its own."""
    return [cells.get(column.value, usual) for column, usual in zip(Column, GOOD, strict=True)]


def test_turns_a_good_row_into_a_judgment() -> None:
    verdicts = judge_rows([GOOD], HEADER, today=TODAY)

    assert (verdicts.judgments, verdicts.reasons) == ({0: JUDGMENT}, {})


def test_finds_the_columns_wherever_they_stand() -> None:
    header = Header(positions=(7, 5, 4, 2, 1, 0), width=8, optional=(None,))
    cells = ["KINGS COUNTY", "3/31/2024", "$1,200.00", "notes", "Acme Test LLC", "Ann Example", "", "2024-cv-17"]

    assert judge_rows([cells], header, today=TODAY).judgments == {0: JUDGMENT}


@pytest.mark.parametrize("column", ["county", "filing_date"])
def test_long_cells_are_refused_and_not_remembered(column: str) -> None:
    """Whole paragraphs in the column of counties would fill the worker's memory."""
    tracemalloc.start()
    try:
        for n in range(1_000):
            assert reason(*row(**{column: f"{n} {'x' * 50_000}"}))
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert kept < 5_000_000  # bytes
    spaced = {"county": f"{' ' * 600}KINGS", "filing_date": f"3/31/2024{' ' * 600}"}
    assert judge_rows([row(**{column: spaced[column]})], HEADER, today=TODAY).judgments == {0: JUDGMENT}


def test_reports_for_each_row_what_is_wrong_with_it() -> None:
    rows = [GOOD, row(county=""), GOOD, row(judgment_amount="lots")]

    verdicts = judge_rows(rows, HEADER, today=TODAY)

    assert verdicts.judgments == {0: JUDGMENT, 2: JUDGMENT}
    assert verdicts.reasons.keys() == {1, 3}
    assert verdicts.reasons[1] == "County: empty"
    assert verdicts.reasons[3].startswith("Judgment Amount: not an amount")


def test_names_everything_that_is_wrong_with_a_row_at_once() -> None:
    reasons = reason(*row(judgment_amount="lots", filing_date="31/03/2024", county=" "), "surplus") or ""

    amount, date_, county, line = reasons.split("; ")
    assert amount.startswith("Judgment Amount: not an amount")
    assert date_.startswith("Filing Date: not a date")
    assert date_.endswith("its day comes first")
    assert county == "County: empty"
    assert line.endswith("more cells than the header")


@pytest.mark.parametrize(("length", "rule"), [(MAX_LENGTH, None), (MAX_LENGTH + 1, "longer than 500 characters")])
def test_a_cell_may_be_as_long_as_a_name(length: int, rule: str | None) -> None:
    assert reason(*row(plaintiff="x" * length)) == (rule and f"Plaintiff: {rule}")


def test_a_line_that_is_too_short_has_empty_columns() -> None:
    assert reason("1") == "; ".join(f"{column.heading}: empty" for column in list(Column)[1:])


def test_surplus_cells_may_be_empty() -> None:
    assert reason(*GOOD, "", "") is None
    assert reason(*GOOD, "", "x") == "the line has more cells than the header"


def test_a_long_line_does_not_widen_the_others() -> None:
    verdicts = judge_rows([GOOD, (*GOOD, "x"), GOOD[:5]], HEADER, today=TODAY)

    assert list(verdicts.judgments) == [0]
    assert list(verdicts.reasons) == [2, 1]


@given(st.lists(st.lists(st.text(), max_size=8), min_size=1), st.permutations(range(6)))
def test_no_row_breaks_the_judging_and_no_reason_repeats_a_cell(rows: list[list[str]], positions: list[int]) -> None:
    marked = [[f"canary{cell}" for cell in cells] for cells in rows]

    verdicts = judge_rows(marked, Header(tuple(positions), 6, (None,)), today=TODAY)

    assert set(verdicts.reasons) == set(range(len(rows)))
    assert "canary" not in "".join(verdicts.reasons.values())


def consumer_debt(cell: str) -> bool | str | None:
    """The row's value of consumer debt, or the reason why it is no judgment."""
    header = Header(positions=(0, 1, 2, 3, 4, 5), width=7, optional=(6,))
    verdicts = judge_rows([(*GOOD, cell)], header, today=TODAY)
    return verdicts.reasons[0] if verdicts.reasons else verdicts.judgments[0].is_consumer_debt


@pytest.mark.parametrize(
    ("cell", "meaning"),
    [
        ("Yes", True),
        (" y ", True),
        ("TRUE", True),
        ("Consumer", True),
        ("no", False),
        ("0", False),
        ("Commercial", False),
    ],
)
def test_reads_whether_it_is_consumer_debt(cell: str, meaning: bool) -> None:
    assert consumer_debt(cell) is meaning


@pytest.mark.parametrize("cell", ["", "  ", "unknown", "N/A"])
def test_consumer_debt_of_which_no_one_knows_is_not_a_no(cell: str) -> None:
    assert consumer_debt(cell) is None


def test_a_row_that_reports_something_else_about_consumer_debt_is_refused() -> None:
    assert consumer_debt("medical") == "Consumer Debt: neither yes nor no"


def test_a_line_that_is_too_short_reports_nothing_about_consumer_debt() -> None:
    header = Header(positions=(0, 1, 2, 3, 4, 5), width=7, optional=(6,))

    assert judge_rows([GOOD], header, today=TODAY).judgments[0].is_consumer_debt is None


PAYMENT = ("2024-cv-17", "KINGS COUNTY", "$1,200.00", "3/31/2025", " R  17 ")
PAYMENT_HEADER = Header(positions=(0, 1, 2, 3, 4), width=5)


def test_turns_a_row_into_a_payment() -> None:
    payments, reasons = judge_payments([PAYMENT], PAYMENT_HEADER, today=TODAY)

    assert payments == {0: PaymentRow("2024-CV-17", "Kings", Decimal("1200.00"), date(2025, 3, 31), "R 17")}
    assert reasons == {}


def test_names_everything_that_is_wrong_with_a_payment() -> None:
    bad = ("2024-cv-17", "", "(5.00)", "12/21/2025", " ")

    payments, reasons = judge_payments([PAYMENT, bad], PAYMENT_HEADER, today=TODAY)

    assert list(payments) == [0]
    assert reasons == {
        1: "County: empty; Payment Amount: negative; Payment Date: in the future; Reference: empty",
    }
