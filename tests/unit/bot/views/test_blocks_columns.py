"""Tables on a phone, which shows two or three columns: the important one is second, and empty ones are left out."""

from __future__ import annotations

from bot.commands import deployments, heartbeats, intake, queue
from bot.views.blocks import without_equal


def test_a_column_in_which_all_rows_are_equal_is_left_out() -> None:
    columns, rows = without_equal(
        ("Job", "For", "State"), [("1", "2 min", "running"), ("2", "2 min", "running")], {"For", "State"}
    )

    assert (columns, rows) == (["Job"], [["1"], ["2"]])


def test_a_column_in_which_rows_differ_or_that_must_stay_is_kept() -> None:
    table = [("1", "2 min", "running"), ("1", "2 min", "waiting")]

    assert without_equal(("Job", "For", "State"), table, {"State"}) == (["Job", "For", "State"], [*map(list, table)])


def test_each_table_has_the_wanted_column_second() -> None:
    wanted = {heartbeats: "Last beat", queue: "For", intake: "Failed", deployments: "Status"}

    assert {view: view.COLUMNS[1] for view in wanted} == wanted
