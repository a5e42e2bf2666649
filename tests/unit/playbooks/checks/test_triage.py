"""Triage of missing heartbeats: five kinds of problem look the same there, and other sources tell them apart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from playbooks.checks.triage import Cause, Earlier, Facts, triage
from services.domain.deployments import Deployment, DeploymentStatus, Instance, ServiceState
from services.domain.errors import Unavailable
from services.domain.jobs import Heartbeat
from services.domain.services import Service, WorkerType
from services.domain.systems import RUNBOOK
from services.domain.thresholds import StaleLimits

NOW = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
STALE = StaleLimits(timedelta(seconds=300))


def beat(
    age_s: float,
    kind: WorkerType = WorkerType.INGEST,
    *,
    id: str = "i1",  # noqa: A002 - as the column is called
    database_ok: bool | None = True,
) -> Heartbeat:
    return Heartbeat(id, kind, "running", NOW - timedelta(seconds=age_s), database_ok=database_ok)


def railway(running: int, wanted: int = 1) -> dict[Service, ServiceState]:
    instances = tuple(Instance(f"n{n}", "RUNNING") for n in range(running))
    serving = Deployment("d", DeploymentStatus.SUCCESS, NOW, instances=instances)
    return {one: ServiceState(one, "s", active=(serving,), replicas_configured=wanted) for one in RUNBOOK.services}


def facts(*beats: Heartbeat, **more: object) -> Facts:
    known = {"services": railway(1), "api_reaches_database": True, "system": RUNBOOK}
    return Facts(NOW, beats or (beat(301), beat(5, WorkerType.ENFORCEMENT, id="e1")), STALE, **{**known, **more})  # type: ignore[arg-type]


def cause(found: Facts) -> Cause:
    return triage(found, Service.INGEST).cause


@pytest.mark.parametrize(("running", "expected"), [(0, Cause.DEAD), (1, Cause.WEDGED)])
def test_railway_reports_whether_the_process_is_there(running: int, expected: Cause) -> None:
    verdict = triage(facts(services=railway(running)), Service.INGEST)

    assert (verdict.cause, verdict.why) == (expected, f"Railway runs {running} of 1")


def test_a_database_that_the_api_misses_too_is_the_cause() -> None:
    assert cause(facts(api_reaches_database=False)) is Cause.DATABASE


def test_a_database_that_the_worker_missed_with_its_last_beat_is_the_cause() -> None:
    assert cause(facts(beat(301, database_ok=False))) is Cause.DATABASE


@pytest.mark.parametrize(
    ("before_s", "expected"),
    [(440, Cause.CLOCK), (420, Cause.WEDGED)],
    ids=["written since and yet old", "not written since"],
)
def test_a_beat_that_is_written_and_is_old_reports_of_a_wrong_clock(before_s: float, expected: Cause) -> None:
    earlier = Earlier(NOW - timedelta(seconds=20), {"i1": NOW - timedelta(seconds=before_s)})

    assert cause(facts(beat(420), earlier=earlier)) is expected


def test_a_last_beat_after_a_long_pause_of_ours_is_no_wrong_clock() -> None:
    earlier = Earlier(NOW - timedelta(seconds=330), {"i1": NOW - timedelta(seconds=335)})

    assert cause(facts(beat(301), beat(5, WorkerType.ENFORCEMENT, id="e1"), earlier=earlier)) is Cause.WEDGED


def test_when_all_fall_silent_at_once_and_all_else_is_well_it_is_our_view() -> None:
    silent = (beat(301), beat(310, WorkerType.ENFORCEMENT, id="e1"))

    assert cause(facts(*silent)) is Cause.OUR_VIEW
    assert cause(facts(*silent, services=railway(0))) is Cause.DEAD
    assert cause(facts(*silent, api_reaches_database=None)) is Cause.WEDGED


@pytest.mark.parametrize(
    ("services", "why"),
    [
        (Unavailable("Railway", "no answer"), "not answer"),
        (None, "not configured"),
        ({}, "not report"),
    ],
)
def test_without_railway_no_one_can_report(services: object, why: str) -> None:
    verdict = triage(facts(services=services), Service.INGEST)

    assert verdict.cause is Cause.UNKNOWN
    assert verdict.why.startswith("Railway")
    assert why in verdict.why
