from __future__ import annotations

from datetime import date
from uuid import UUID, uuid4

from services.enforcement_worker.law import Debt
from services.enforcement_worker.memo import assess_page
from tests.unit.services.enforcement_worker.cases import TODAY, case


def test_writes_one_line_a_judgment_in_the_order_of_the_staging_table() -> None:
    judgment_id = str(uuid4())

    page = assess_page([(judgment_id, case(amount="10000.00", entered=date(2024, 1, 1)))], as_of=date(2025, 1, 1))

    [line] = page.lines.decode().splitlines()
    [memo_id] = page.wanted
    fields = line.split("\t")
    assert fields[:11] == [
        judgment_id,
        *("2025-01-01", "10000.00", "900.00", "2.47", "10900.00", "2.47"),
        *("2033-01-01", "2034-01-01", "2044-01-01", "80"),
    ]
    assert fields[11].startswith('{"+40: it is less than 3 years old')
    assert fields[12:17] == ["{}", str(memo_id), "2025-01-31", "docket_transcript", "2026-01-03"]


def test_wants_each_profile_once() -> None:
    page = assess_page([(str(uuid4()), case(amount=f"{dollars}.00")) for dollars in range(5000, 5100)], as_of=TODAY)

    assert len(page.lines.splitlines()) == 100
    assert len(page.wanted) == 1
    assert all(isinstance(memo_id, UUID) for memo_id in page.wanted)


def test_wants_no_memo_where_nothing_is_to_be_collected() -> None:
    page = assess_page([(str(uuid4()), case(entered=date(2000, 1, 1), debt=Debt.CONSUMER))], as_of=TODAY)

    assert page.wanted == {}
    assert page.lines.decode().split("\t")[13] == r"\N"
