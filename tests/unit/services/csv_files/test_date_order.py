from __future__ import annotations

import pytest

from services.csv_files.date_order import DateOrder


@pytest.mark.parametrize(
    ("cells", "is_day_first", "notes"),
    [
        (["31/03/2024", "04/03/2024"], True, []),
        (["4.3.2024", "31.3.2024 00:00"], True, []),
        (["31-03-24", "04-03-24"], True, []),
        (["31/03/2024"], False, []),  # its row fails, and no other is read wrongly
        (["31/03/2024", "04/04/2024"], False, []),
        (["31/03/2024", "2024-04-03", "April 3, 2024", "", "x"], False, []),
        (["03/31/2024", "04/03/2024"], False, []),
        (["12/12/2024", "13/13/2024", "31/03-2024"], False, []),
        (
            ["04/03/2024", "31/03/2024", "03/31/2024", "13/01/2024"],
            False,
            ["2 dates with the day first, first at row 2; all dates are read month first"],
        ),
    ],
)
def test_the_order_of_a_files_dates(cells: list[str], is_day_first: bool, notes: list[str]) -> None:
    order = DateOrder()

    assert order.count(cells) == len(cells)
    assert (order.is_day_first, order.notes) == (is_day_first, notes)
