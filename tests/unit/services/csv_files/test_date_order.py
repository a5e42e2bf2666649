from __future__ import annotations

import tracemalloc
from datetime import date

import pytest

from services.csv_files.date_order import DateOrder
from services.ingest_worker.cells import parse_filing_date

DAY_FIRST = "its dates have the day first (Filing Date of row 1), so that 04/03/2024 would be read as April 3"
BOTH = (
    "its dates have two orders, {} with the day first (Filing Date of row {}) and {} with the month first (row {}), "
    "so that 04/03/2024 may be April 3 or March 4"
)


@pytest.mark.parametrize(
    ("cells", "fault"),
    [
        (["31/03/2024", "04/03/2024"], DAY_FIRST),
        (["31.3.2024 00:00", "4.3.2024"], DAY_FIRST),
        (["31-03-24", "04-03-24"], DAY_FIRST),
        (["31/03/2024T00:00:00", "04/03/2024T00:00:00"], DAY_FIRST),
        (["31/03/2024"], None),  # only its own row fails
        (["31/03/2024", "04/04/2024"], None),
        (["31/03/2024", "2024-04-03", "April 3, 2024", "", "x"], None),
        (["31/03/2024", "03/31/2024", "2024-04-03"], None),
        (["03/31/2024", "04/03/2024"], None),
        (["12/12/2024", "13/13/2024", "31/03-2024", "04/03/2024"], None),
        (["32/03/2024", "99/12/2024", "04/03/2024"], None),  # a day in neither order
        (["31/03/2024", "1/0/1900", "0/1/2024"], None),
        (["04/03/2024", "31/03/2024", "03/31/2024", "13/01/2024"], BOTH.format("2", 2, "1", 3)),
        (["31/03/2024", "04/03/2024"] * 2500 + ["03/31/2024"], BOTH.format("2,500", 1, "1", 5001)),
        (["03/31/2024", "04/03/2024"] * 2500 + ["31/03/2024"], BOTH.format("1", 5001, "2,500", 1)),
    ],
)
def test_date_order_names_the_fault_when_a_date_may_be_read_wrongly(cells: list[str], fault: str | None) -> None:
    order = DateOrder()

    assert order.count(cells) == len(cells)
    assert order.fault("Filing Date") == fault


def test_date_order_keeps_no_long_cells() -> None:
    """A cell may hold a whole paragraph by mistake, and the API reads files all day."""
    tracemalloc.start()
    try:
        DateOrder().count(f"{n} {'x' * 50_000}" for n in range(1_000))
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 5_000_000  # bytes

    order = DateOrder()
    order.count([f"{' ' * 600}31/03/2024", f"04/03/2024{' ' * 600}"])
    assert order.fault("Filing Date") == DAY_FIRST


@pytest.mark.parametrize(
    "form",
    [
        *("{}/{}/2024", " {}-{}-24 ", '="{}/{}/2024"', "'{}/{}/2024", "{}\u2013{}\u20132024", "{}\uff0f{}\uff0f2024"),
        *(
            "\u200b{}/{}/2024",
            "\u200e{}\u200e/{}/2024",
            "{}/{}/2024T00:00:00Z",
            "{}/{}/2024 12:00 AM",
            "\ufeff{}/{}/24",
        ),
        *("{}/{}/20\u200b24", '=T("{}-{}-2024")', "\u00a0{}/{}/2024"),
    ],
)
def test_date_order_sees_each_date_that_the_parser_reads(form: str) -> None:
    order = DateOrder()

    order.count([form.format("31", "03"), form.format("04", "03")])

    assert parse_filing_date(form.format("04", "03"), today=date(2025, 1, 1)) == date(2024, 4, 3)
    assert order.fault("Filing Date") == DAY_FIRST
