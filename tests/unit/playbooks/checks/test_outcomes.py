"""The check of failed jobs: their errors lead to the troubleshooting table, without their data."""

from __future__ import annotations

from datetime import UTC, datetime

from playbooks.checks.outcomes import check
from playbooks.model import Status
from services.domain.errors import Unavailable
from services.domain.jobs import FailedJob
from services.domain.services import Service
from services.domain.systems import RUNBOOK

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)


def failed(error: str | None, job_type: str = "simplicity_ingest") -> FailedJob:
    return FailedJob("j", job_type, 5, error, NOW)


def test_errors_of_one_kind_are_one_finding() -> None:
    jobs = [failed(f'permission denied for table judgments "Jane Roe {n}"') for n in range(3)]

    [finding] = check(jobs, RUNBOOK)

    assert finding.status is Status.FAIL
    assert finding.service is Service.INGEST
    assert finding.title.startswith("3 failed jobs: permission denied for table judgments")
    assert "Wrong role" in finding.detail
    assert "Jane" not in f"{finding}"


def test_a_failed_transaction_is_reported() -> None:
    [finding] = check([failed("InFailedSqlTransaction at handler.py:12")], RUNBOOK)

    assert finding.evidence["symptom"] == "InFailedSqlTransaction"


def test_errors_that_the_table_does_not_know_are_left_to_the_count() -> None:
    assert check([failed("the payload names no batch_id"), failed(None), failed("boom", "other")], RUNBOOK) == []


def test_outcomes_are_unknown_when_the_database_is_unreadable() -> None:
    assert [finding.status for finding in check(Unavailable("database", "away"), RUNBOOK)] == [Status.UNKNOWN]
