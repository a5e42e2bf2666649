"""The checks of workers that send heartbeats and are not healthy."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from playbooks.checks.workers import Facts, check
from playbooks.model import Finding, Status
from services.domain.errors import Unavailable
from services.domain.jobs import Heartbeat
from services.domain.systems import CIVIL, RUNBOOK
from services.domain.thresholds import SLOW_START_AFTER, STUCK_AFTER, StaleLimits

NOW = datetime(2025, 12, 20, 10, 30, tzinfo=UTC)
LIMIT = timedelta(seconds=300)
WELL = Heartbeat("ingest-1", "ingest_processor", "running", NOW, NOW - timedelta(hours=1), database_ok=True)
A_BIT = timedelta(milliseconds=1)


def check_one(beat: Heartbeat) -> list[Finding]:
    return check(Facts(NOW, [beat], StaleLimits(LIMIT), system=RUNBOOK))


def on_job(duration: timedelta) -> Heartbeat:
    return replace(WELL, current_job_id="8d1b", current_job_started_at=NOW - duration)


def test_reports_nothing_about_a_worker_that_is_well() -> None:
    assert check_one(WELL) == []


def test_a_job_may_take_its_time_and_no_longer() -> None:
    assert check_one(on_job(STUCK_AFTER)) == []

    [finding] = check_one(on_job(STUCK_AFTER + A_BIT))

    assert finding.status is Status.WARN
    assert finding.title == "ingest worker on one job for 10 min"


def test_a_start_may_take_its_time_and_no_longer() -> None:
    starting = replace(WELL, status="starting", started_at=NOW - SLOW_START_AFTER)

    assert check_one(starting) == []
    assert [f.status for f in check_one(replace(starting, started_at=NOW - SLOW_START_AFTER - A_BIT))] == [Status.WARN]


def test_a_reported_error_is_wrong() -> None:
    assert [f.status for f in check_one(replace(WELL, status="error"))] == [Status.FAIL]


def test_a_failed_database_probe_is_wrong_and_a_missing_one_is_not() -> None:
    assert [f.status for f in check_one(replace(WELL, database_ok=False))] == [Status.FAIL]
    assert check_one(replace(WELL, database_ok=None)) == []


def test_a_job_without_a_start_cannot_be_too_old() -> None:
    assert check_one(replace(WELL, current_job_id="8d1b")) == []


def test_a_job_is_named_by_the_start_of_its_id_which_many_people_read() -> None:
    job = "3fa85f64-5717-4562-b3fc-2c963f66afa6"

    [finding] = check_one(replace(on_job(STUCK_AFTER + A_BIT), current_job_id=job))

    assert finding.detail.endswith(": job 3fa85f64")
    assert finding.evidence["current_job_id"] == job


def test_the_dead_and_the_strange_are_left_to_other_checks() -> None:
    stale = replace(WELL, status="error", last_heartbeat_at=NOW - LIMIT - A_BIT)
    strange = replace(WELL, status="error", worker_type="mail_sender")

    assert check(Facts(NOW, [stale, strange], StaleLimits(LIMIT), system=RUNBOOK)) == []
    assert check(Facts(NOW, Unavailable("database", "away"), StaleLimits(LIMIT), system=RUNBOOK)) == []


def test_a_degraded_worker_is_a_warning_and_one_that_ended_with_an_error_is_not_alive() -> None:
    degraded = replace(WELL, status="degraded", words=CIVIL.heartbeats)
    ended = replace(WELL, status="error", words=CIVIL.heartbeats)

    [finding] = check_one(degraded)

    assert (finding.status, finding.title) == (Status.WARN, "ingest worker reports status degraded")
    assert ended.is_stopped
    assert check_one(ended) == []
