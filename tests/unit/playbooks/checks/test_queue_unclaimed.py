"""The check of job types: a pending job that no worker of the system claims is never executed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from playbooks.checks.queue import TYPES_NAMED, check_unclaimed
from playbooks.model import Status
from services.domain.errors import Unavailable
from services.domain.thresholds import NOT_CLAIMED_AFTER

NOW = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)
LATE = NOW - NOT_CLAIMED_AFTER - timedelta(seconds=1)


def test_type_that_no_worker_claims_is_named_past_the_limit() -> None:
    fine, late = (check_unclaimed({"entity_resolve": due}, NOW) for due in (NOW - NOT_CLAIMED_AFTER, LATE))

    assert fine.status is Status.OK
    assert (late.status, late.title) == (Status.WARN, "no worker claims jobs of type entity_resolve")
    assert late.detail.startswith("the oldest has been due")


def test_types_beyond_the_first_are_counted() -> None:
    found = check_unclaimed({f"type{n}": LATE for n in range(TYPES_NAMED + 2)}, NOW)

    assert f"type{TYPES_NAMED - 1}" in found.title
    assert f"type{TYPES_NAMED}" not in found.title
    assert "2 more types" in found.detail
    assert len(found.evidence["types"]) == TYPES_NAMED + 2  # type: ignore[arg-type]


def test_unread_queue_is_unknown() -> None:
    assert check_unclaimed(Unavailable("database", "away"), NOW).status is Status.UNKNOWN
    assert check_unclaimed({}, None).status is Status.UNKNOWN
