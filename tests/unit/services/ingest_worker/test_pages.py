from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import date

from services.csv_files.reader import CsvFile
from services.domain.intake import LAYOUTS, Column
from services.ingest_worker import rows as page
from services.ingest_worker.rows import Page, judged_pages, payment_pages

TODAY = date(2025, 12, 20)
BATCH = "0a1b2c3d-0000-4000-8000-123456789abc"
HEADER = ",".join(column.heading for column in Column)
GOOD = "2024-cv-17,Ann Example,Acme Test LLC,$400.00,3/31/2024,Kings"


def pages(*lines: str, judged: int = 0) -> list[Page]:
    content = io.BytesIO("\n".join([HEADER, *lines]).encode())
    return list(judged_pages(CsvFile(content), BATCH, judged=judged, today=TODAY))


def text(blocks: Sequence[bytes]) -> str:
    return b"".join(blocks).decode()


def test_writes_a_good_row_and_its_judgment_as_lines_of_copy() -> None:
    [judged] = pages(GOOD)

    assert (judged.judged, judged.validated, judged.failed) == (0, 1, 0)
    assert text(judged.raw_rows) == f"{BATCH}\t1\tvalidated\t{GOOD}\t\\N\n"
    assert text(judged.records).split("\t") == [
        "0a1b2c3d-0000-4000-8000-000000000001",
        *("2024-CV-17", "Kings", "Ann Example", "Acme Test LLC", "400.00", "2024-03-31", "", "1", "t", "\n"),
    ]


def test_keeps_a_bad_row_with_its_number_and_reason() -> None:
    [judged] = pages(GOOD, GOOD.replace("Kings", ""))

    assert (judged.validated, judged.failed) == (1, 1)
    bad = GOOD.replace("Kings", "")
    assert text(judged.raw_rows).splitlines()[1] == f"{BATCH}\t2\tfailed\t{bad}\tCounty: empty"
    assert text(judged.records).count("\n") == 1


def test_stages_what_rows_report_of_a_case_once_with_the_numbers_of_all_that_report_it() -> None:
    other = GOOD.replace("Acme", "Later")

    [judged] = pages(GOOD, GOOD.replace("17", "18"), other, GOOD.replace("cv", "CV"), other)

    assert (judged.validated, judged.failed) == (5, 0)
    statements = [line.split("\t")[-3:] for line in text(judged.records).splitlines()]
    assert statements == [["1", "t", "{4}"], ["2", "t", ""], ["3", "f", "{5}"]]


def test_escapes_what_copy_would_read_as_its_own() -> None:
    [judged] = pages(GOOD.replace("Ann Example", '"a\tb\\N\r\nc"'))

    assert r"a\tb\\N\r\nc" in text(judged.raw_rows)
    assert r"a b\\N c" in text(judged.records)
    assert (text(judged.raw_rows).count("\n"), text(judged.raw_rows).count("\t")) == (1, 4)


def test_goes_on_behind_the_rows_that_are_judged() -> None:
    lines = [GOOD.replace("17", str(n)) for n in range(2 * page.ROWS + 1)]

    whole, rest = pages(*lines), pages(*lines, judged=page.ROWS)

    assert [judged.judged for judged in whole] == [0, page.ROWS, 2 * page.ROWS]
    assert rest == whole[1:]


def test_has_nothing_left_to_do_behind_the_last_row() -> None:
    assert pages(GOOD, judged=1) == []


def test_writes_what_the_file_reports_about_consumer_debt() -> None:
    assert debts(("1", "yes"), ("2", "no"), ("3", "")) == ["t", "f", ""]


def debts(*cases: tuple[str, str]) -> list[str]:
    """The stored values of the column "Consumer Debt" for rows of `(case, consumer debt)`."""
    lines = [f"{HEADER},Consumer Debt", *(f"{GOOD.replace('17', case)},{cell}" for case, cell in cases)]
    content = io.BytesIO("\n".join(lines).encode())
    [judged] = judged_pages(CsvFile(content), BATCH, judged=0, today=TODAY)
    return [line.split("\t")[-4] for line in text(judged.records).splitlines()]


def payments(*lines: str, judged: int = 0) -> list[Page]:
    header = ",".join(column.heading for column in LAYOUTS["payments"].required)
    file = CsvFile(io.BytesIO("\n".join([header, *lines]).encode()), layout=LAYOUTS["payments"])
    return list(payment_pages(file, BATCH, judged=judged, today=TODAY))


def test_writes_a_payment_under_the_number_of_its_row() -> None:
    lines = ["2024-cv-17,kings,,1/2/2025,r", "2024-cv-17,kings,$5,1/2/2025,a\\b"]

    [judged] = payments(*lines)

    assert (judged.judged, judged.validated, judged.failed) == (0, 1, 1)
    assert text(judged.raw_rows).splitlines()[0] == f"{BATCH}\t1\tfailed\t{lines[0]}\tPayment Amount: empty"
    assert text(judged.records) == "2\t2024-CV-17\tKings\t5.00\t2025-01-02\tA\\\\B\n"


def test_goes_on_behind_the_payments_that_are_judged() -> None:
    lines = [f"c-{n},kings,5,1/2/2025,r" for n in range(page.ROWS + 1)]

    assert [judged.judged for judged in payments(*lines)] == [0, page.ROWS]
    assert payments(*lines, judged=page.ROWS) == payments(*lines)[1:]
