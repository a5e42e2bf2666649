"""The checks of the queue: backlog, failed jobs and orphans."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from playbooks.checks.queue import Facts, check
from playbooks.model import Status, worst
from services.domain.errors import Unavailable
from services.domain.jobs import PENDING_COUNTED_TO, QueueSnapshot
from services.domain.thresholds import BACKLOG_AFTER, MANY_FAILED, WAITS_LONG_AFTER

NOW = datetime(2025, 12, 20, 10, 30, tzinfo=UTC)
A_BIT = timedelta(milliseconds=1)


def queue(*, oldest: timedelta | None = None, failed: int = 0, orphaned: int = 0) -> QueueSnapshot:
    return QueueSnapshot(
        as_of=NOW,
        pending=0 if oldest is None else 3,
        oldest_pending_at=None if oldest is None else NOW - oldest,
        processing=1,
        failed_last_hour=failed,
        orphaned=orphaned,
    )


def statuses(snapshot: QueueSnapshot) -> dict[str, Status]:
    return {finding.check: finding.status for finding in check(Facts(snapshot))}


def test_an_empty_queue_is_fine() -> None:
    assert set(statuses(queue()).values()) == {Status.OK}


@pytest.mark.parametrize(
    ("oldest", "status"),
    [
        (WAITS_LONG_AFTER, Status.OK),
        (WAITS_LONG_AFTER + A_BIT, Status.WARN),
        (BACKLOG_AFTER, Status.WARN),
        (BACKLOG_AFTER + A_BIT, Status.FAIL),
    ],
)
def test_the_oldest_job_may_wait_so_long(oldest: timedelta, status: Status) -> None:
    assert statuses(queue(oldest=oldest))["queue.backlog"] is status


@pytest.mark.parametrize(
    ("pending", "title", "counted", "more"),
    [
        (PENDING_COUNTED_TO, "10000 waiting, oldest 10 s", PENDING_COUNTED_TO, False),
        (PENDING_COUNTED_TO + 1, "more than 10,000 waiting, oldest 10 s", PENDING_COUNTED_TO, True),
    ],
)
def test_an_incomplete_count_is_not_shown_as_a_number(pending: int, title: str, counted: int, more: bool) -> None:
    snapshot = replace(queue(oldest=timedelta(seconds=10)), pending=pending)

    [backlog] = [finding for finding in check(Facts(snapshot)) if finding.check == "queue.backlog"]

    assert backlog.title == title
    assert (backlog.evidence["pending"], backlog.evidence["more_pending"]) == (counted, more)


@pytest.mark.parametrize(
    ("failed", "status"),
    [(0, Status.OK), (1, Status.WARN), (MANY_FAILED - 1, Status.WARN), (MANY_FAILED, Status.FAIL)],
)
def test_failures_are_a_warning_until_they_are_many(failed: int, status: Status) -> None:
    assert statuses(queue(failed=failed))["queue.failed"] is status


@pytest.mark.parametrize(("orphaned", "status"), [(0, Status.OK), (1, Status.FAIL)])
def test_an_orphan_is_wrong(orphaned: int, status: Status) -> None:
    assert statuses(queue(orphaned=orphaned))["queue.orphaned"] is status


def test_a_queue_that_cannot_be_seen_is_unknown() -> None:
    [finding] = check(Facts(Unavailable("database", "permission denied for table job_queue")))

    assert finding.status is Status.UNKNOWN
    assert "permission denied" in finding.detail


def test_hidden_rows_turn_good_news_into_doubt_and_leave_bad_news() -> None:
    found = {f.check: f for f in check(Facts(queue(orphaned=2), all_visible=False))}

    assert found["queue.backlog"].status is Status.UNKNOWN
    assert found["queue.backlog"].title == "at least 0 waiting"
    assert found["queue.orphaned"].status is Status.FAIL


def test_everything_wrong_has_a_next_step() -> None:
    found = check(Facts(queue(oldest=BACKLOG_AFTER + A_BIT, failed=1, orphaned=1)))

    assert all(finding.next_step for finding in found)
    assert worst(found) is Status.FAIL
