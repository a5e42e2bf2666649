from __future__ import annotations

from collections.abc import Mapping

import pytest

from services.clients.postgres.worker import ClaimedJob
from services.domain.errors import SourceError
from services.job_queue.jobs import Failed, HandedBack, UnusableJobError, batch_of, failure_of

BATCH = "123e4567-e89b-12d3-a456-426614174000"


def job(payload: Mapping[str, object]) -> ClaimedJob:
    return ClaimedJob(id="j", job_type="simplicity_ingest", payload=payload, attempts=1, max_attempts=5, claim=1)


def test_finds_the_batch_of_a_job() -> None:
    assert batch_of(job({"batch_id": BATCH})) == BATCH


@pytest.mark.parametrize("payload", [{}, {"batch_id": None}, {"batch_id": 7}, {"batch_id": "canary"}])
def test_refuses_a_job_without_a_batch(payload: Mapping[str, object]) -> None:
    with pytest.raises(UnusableJobError, match=r"^the payload names no batch_id$"):
        batch_of(job(payload))


def test_an_unusable_job_is_not_tried_again() -> None:
    assert failure_of(UnusableJobError("no such batch")) == Failed("no such batch", may_retry=False)


def test_an_outage_is_not_the_workers_failure() -> None:
    assert failure_of(SourceError("database", "connection lost", retryable=True)) == Failed(
        "database: connection lost", ours=False
    )
    lost = SourceError("database", "connection lost, while saving", outcome_unknown=True)
    assert failure_of(lost) == Failed("database: connection lost, while saving", ours=False)
    assert failure_of(SourceError("database", "no right")) == Failed("database: no right", ours=True)


def test_no_job_loses_an_attempt_to_a_database_that_takes_no_writes() -> None:
    full = SourceError("database", "the disk is full", retryable=True, takes_no_writes=True)

    assert failure_of(full) == HandedBack("database: the disk is full")


def test_reports_nothing_of_an_unknown_errors_text() -> None:
    assert failure_of(ValueError("Key (name)=(canary)")) == Failed("ValueError")
