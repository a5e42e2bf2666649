"""The report of `throughput`: longer windows have longer rows and the same totals."""

from datetime import UTC, datetime, timedelta

import pytest

from playbooks.model import Status
from playbooks.throughput import MOST_ROWS, check, summarise
from services.domain.errors import Unavailable
from services.domain.jobs import MinuteThroughput

NOW = datetime(2025, 12, 20, 10, 0, tzinfo=UTC)


def minutes(count: int, *, completed: int = 2, failed: int = 0) -> list[MinuteThroughput]:
    return [MinuteThroughput(NOW - timedelta(minutes=n), completed, failed) for n in range(count)]


@pytest.mark.parametrize(("window_min", "row_minutes"), [(10, 1), (60, 1), (61, 2), (600, 10)])
def test_a_row_is_as_long_as_the_window_asks(window_min: int, row_minutes: int) -> None:
    throughput = summarise(minutes(window_min), timedelta(minutes=window_min))

    assert throughput.row_minutes == row_minutes
    assert len(throughput.rows) <= MOST_ROWS + 1  # the first row may be a partial one
    assert throughput.completed == 2 * window_min


def test_rows_come_newest_first() -> None:
    rows = summarise(minutes(3), timedelta(minutes=10)).rows

    assert [row.minute for row in rows] == [NOW, NOW - timedelta(minutes=1), NOW - timedelta(minutes=2)]


@pytest.mark.parametrize(
    ("completed", "failed", "status"), [(5, 0, Status.OK), (5, 5, Status.WARN), (5, 6, Status.FAIL), (0, 0, Status.OK)]
)
def test_more_failures_than_successes_are_wrong(completed: int, failed: int, status: Status) -> None:
    throughput = summarise(minutes(1, completed=completed, failed=failed), timedelta(minutes=10))

    assert check(throughput)[0].status is status


def test_a_rate_that_rounds_to_0_is_not_called_0() -> None:
    shown = {
        completed: check(summarise(minutes(1, completed=completed), timedelta(minutes=60)))[0].detail
        for completed in (0, 2, 3)
    }

    assert shown == {
        0: "0.0 completed per minute",
        2: "under 0.1 completed per minute",
        3: "0.1 completed per minute",
    }


def test_throughput_is_unknown_when_the_database_is_unreadable() -> None:
    assert check(Unavailable("database", "away"))[0].status is Status.UNKNOWN
