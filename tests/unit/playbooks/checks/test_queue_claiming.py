"""The check that due jobs are claimed: idle workers and due jobs are a fault only together."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from playbooks.checks.queue import ClaimingFacts, check_claiming
from playbooks.model import Finding, Status
from services.domain.errors import Unavailable
from services.domain.jobs import Heartbeat
from services.domain.services import Service
from services.domain.systems import RUNBOOK
from services.domain.thresholds import NOT_CLAIMED_AFTER, StaleLimits

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
A_BIT = timedelta(seconds=1)
LATE = NOW - NOT_CLAIMED_AFTER - A_BIT
IDLE = Heartbeat("ingest-1", "ingest_processor", "running", NOW)
AWAY = Unavailable("database", "away")


def judge(due: datetime | Unavailable | None, *beats: Heartbeat) -> Finding:
    found = check_claiming(
        ClaimingFacts(NOW, StaleLimits(timedelta(minutes=5)), beats, {Service.INGEST: due}, system=RUNBOOK)
    )
    return next(finding for finding in found if finding.service is Service.INGEST)


def test_a_due_job_beside_an_idle_worker_is_a_fault() -> None:
    finding = judge(LATE, IDLE)

    assert (finding.status, finding.detail) == (Status.FAIL, "1 worker idle")
    assert finding.title == "ingest does not claim a job that has been due for 61 s"


def test_a_worker_gets_its_minute() -> None:
    assert judge(NOW - NOT_CLAIMED_AFTER, IDLE).status is Status.OK


def test_a_busy_worker_a_starting_one_and_a_dead_one_are_not_idle() -> None:
    busy = replace(IDLE, current_job_id="j")
    starting = replace(IDLE, status="starting")
    dead = replace(IDLE, last_heartbeat_at=NOW - timedelta(minutes=6))

    assert judge(LATE, busy, starting, dead).status is Status.OK


def test_workers_of_another_type_do_not_count() -> None:
    assert judge(LATE, replace(IDLE, worker_type="enforcement_engine")).status is Status.OK


def test_nothing_is_due() -> None:
    assert judge(None, IDLE).status is Status.OK


def test_claiming_is_unknown_when_its_rows_are_hidden() -> None:
    limits = StaleLimits(timedelta(minutes=5))
    blind = check_claiming(ClaimingFacts(NOW, limits, AWAY, {Service.INGEST: LATE}, unclaimed=AWAY, system=RUNBOOK))

    assert judge(AWAY, IDLE).status is Status.UNKNOWN
    assert {finding.status for finding in blind} == {Status.UNKNOWN}
