from __future__ import annotations

from datetime import date

from services.ingest_worker.page import judge_page

TODAY = date(2025, 12, 20)
GOOD = {
    "case_number": "2024-cv-17",
    "plaintiff": "Ann Example",
    "defendant": "Acme Test LLC",
    "judgment_amount": "$1,200.00",
    "filing_date": "3/31/2024",
    "county": "Kings",
}


def test_writes_a_judgment_as_a_line_of_copy() -> None:
    judged = judge_page([(1, GOOD)], today=TODAY)

    assert judged.lines == b"2024-CV-17\tKings\tAnn Example\tAcme Test LLC\t1200.00\t2024-03-31\n"
    assert judged.failed == {}


def test_keeps_the_last_of_one_case_and_the_reason_of_each_bad_row() -> None:
    later = GOOD | {"case_number": "2024-CV-17", "defendant": "Later"}

    judged = judge_page([(1, GOOD), (2, GOOD | {"county": ""}), (3, later)], today=TODAY)

    assert judged.lines.count(b"\n") == 1
    assert b"Later" in judged.lines
    assert judged.failed == {2: "County: empty"}


def test_escapes_what_copy_would_read_as_its_own() -> None:
    judged = judge_page([(1, GOOD | {"plaintiff": "a\tb\\N\nc"})], today=TODAY)

    assert rb"a b\\N c" in judged.lines
