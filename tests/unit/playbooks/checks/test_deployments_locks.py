"""The check of locks: each one is listed, and one that seems forgotten is a warning."""

from datetime import UTC, datetime, timedelta

import pytest

from playbooks.checks.deployments import check_locks
from playbooks.model import Status
from services.domain.errors import Unavailable
from services.domain.freezes import Lock
from services.domain.services import Service
from services.domain.thresholds import LOCK_FORGOTTEN_AFTER

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("held", "status"), [(LOCK_FORGOTTEN_AFTER - timedelta(seconds=1), Status.OK), (LOCK_FORGOTTEN_AFTER, Status.WARN)]
)
def test_a_lock_is_a_warning_after_a_day(held: timedelta, status: Status) -> None:
    [finding] = check_locks([Lock(Service.API, "U1", "rolled back from a to b", NOW - held, 12)], NOW)

    assert finding.status is status
    assert "rolled back from a to b" in finding.detail
    assert finding.next_step is not None
    assert finding.next_step.command == "run 12"


def test_locks_that_cannot_be_read_are_unknown() -> None:
    [finding] = check_locks(Unavailable("database", "connection refused"), NOW)

    assert (finding.status, finding.detail) == (Status.UNKNOWN, "connection refused")


def test_no_lock_is_not_worth_a_word() -> None:
    assert check_locks([], NOW) == []
