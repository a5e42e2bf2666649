"""The plan of `scale`: the runbook's procedure, and both sides of each limit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from playbooks.model import Risk
from playbooks.plan import Plan
from playbooks.scale import Facts, plan
from playbooks.steps import (
    AwaitDeployment,
    AwaitStopped,
    CheckDatabaseReady,
    CheckWorkersHealthy,
    ScaleService,
    Soak,
    StartService,
    StopService,
    VerifyApiHealth,
    VerifyHeartbeats,
    VerifyNoOrphanedJobs,
    VerifyStartupLog,
)
from services.domain.database import ConnectionUse
from services.domain.deployments import DeploymentStatus, ServiceState
from services.domain.errors import Unavailable
from services.domain.services import Service
from services.domain.usage import Usage
from tests.unit.playbooks.builders import (
    beat,
    deployment,
    load,
    made,
    refused,
    running_job,
    sha,
    state,
    states,
    stopped,
)

INGEST = Service.INGEST
AWAY = Unavailable("database", "no answer within 5 s")


EACH = 4  # sessions per replica


def facts(*changed: ServiceState, used: int = 10, limit: int = 100, soak_s: int = 120) -> Facts:
    busy = load(beats=[beat("ingest-1")], pending=318)
    return Facts("prod", states(*changed), busy, ConnectionUse(used, limit), EACH, soak_s)


def test_from_zero_starts_one_and_watches_it_come_up() -> None:
    planned = made(plan(facts(stopped(INGEST)), INGEST, 1))

    assert planned.steps == (
        CheckDatabaseReady(),
        StartService(INGEST, "d-ingest", 1),
        AwaitDeployment(INGEST, 300),
        VerifyStartupLog(INGEST, 120),
        VerifyHeartbeats(INGEST, 1, 180),
    )
    assert planned.risk is Risk.LOW
    assert planned.undo == "scale ingest 0"
    assert any("the current variables" in warning for warning in planned.warnings)


def test_a_service_configured_with_no_replica_is_given_one() -> None:
    planned = made(plan(facts(state(INGEST, replicas=0)), INGEST, 1))

    assert planned.steps[1:] == (
        ScaleService(INGEST, 0, 1),
        VerifyStartupLog(INGEST, 120),
        VerifyHeartbeats(INGEST, 1, 180),
    )


@pytest.mark.parametrize(
    ("from_", "to", "started", "watched"),
    [
        (0, 1, "starts 1 replica", ""),
        (0, 2, "starts 1 replica, then adds 1", ", watched for 120 s"),
        (0, 3, "starts 1 replica, then adds 2", ", each watched for 120 s"),
        (1, 2, "adds 1 replica", ", watched for 120 s"),
        (1, 3, "adds 2 replicas", ", each watched for 120 s"),
    ],
)
def test_only_replicas_that_are_watched_are_called_watched(from_: int, to: int, started: str, watched: str) -> None:
    planned = made(plan(facts(state(INGEST, replicas=from_)), INGEST, to))

    assert planned.impact[0].startswith(started)
    assert planned.impact[0].endswith(watched)
    assert ("watched" in planned.impact[0]) is bool(watched)
    assert sum(isinstance(step, Soak) for step in planned.steps) == to - max(from_, 1)


def test_adds_one_at_a_time_and_watches_each() -> None:
    planned = made(plan(facts(soak_s=30), INGEST, 3))

    assert planned.steps == (
        CheckDatabaseReady(),
        CheckWorkersHealthy(INGEST, 1),
        ScaleService(INGEST, 1, 2),
        VerifyHeartbeats(INGEST, 2, 180),
        Soak(INGEST, 30, fall_back_to=1),
        ScaleService(INGEST, 2, 3),
        VerifyHeartbeats(INGEST, 3, 180),
        Soak(INGEST, 30, fall_back_to=2),
    )
    assert planned.risk is Risk.HIGH


def test_plan_differs_once_the_count_differs_which_voids_a_scheduled_scale() -> None:
    approved = made(plan(facts(), INGEST, 3))

    assert made(plan(facts(state(INGEST, replicas=2)), INGEST, 3)).steps != approved.steps
    assert made(plan(facts(stopped(INGEST)), INGEST, 3)).steps != approved.steps
    assert not refused(plan(facts(state(INGEST, replicas=3)), INGEST, 3)).is_unknown
    assert refused(plan(Facts("prod", AWAY, load(), AWAY, EACH), INGEST, 3)).is_unknown  # planned again later, not void
    assert made(plan(facts(), INGEST, 3)).steps == approved.steps


def test_to_zero_stops_gracefully_and_looks_for_orphans() -> None:
    planned = made(plan(facts(state(INGEST, replicas=2)), INGEST, 0))

    assert planned.steps == (
        StopService(INGEST, "d-ingest", 2),
        AwaitStopped(INGEST, 90),
        VerifyNoOrphanedJobs(INGEST),
    )
    assert planned.risk is Risk.HIGH


def test_to_zero_reports_what_is_interrupted() -> None:
    busy = load(
        beats=[beat("ingest-1"), beat("ingest-2"), beat("enforcement-1", Service.ENFORCEMENT)],
        running=[running_job(1, "ingest-1", age_s=240), running_job(2, "enforcement-1"), running_job(3, "ingest-2")],
        pending=318,
    )

    planned = made(plan(replace(facts(state(INGEST, replicas=2)), load=busy), INGEST, 0))

    assert planned.impact == (
        "stops 2 workers holding 2 jobs, oldest since 11:56 UTC; 318 pending",
        "running jobs: job-1 (simplicity_ingest), job-3 (simplicity_ingest)",
    )


def test_fewer_but_some_go_in_one_step() -> None:
    planned = made(plan(facts(state(INGEST, replicas=3)), INGEST, 1))

    assert planned.steps == (
        ScaleService(INGEST, 3, 1),
        VerifyHeartbeats(INGEST, 1, 180),
        VerifyNoOrphanedJobs(INGEST),
    )


def test_the_api_is_watched_by_its_health() -> None:
    planned = made(plan(facts(), Service.API, 2))

    assert planned.steps[1:] == (
        VerifyApiHealth(120),
        ScaleService(Service.API, 1, 2),
        VerifyApiHealth(120),
        Soak(Service.API, 120, fall_back_to=1),
    )


def test_the_api_is_not_scaled_to_zero() -> None:
    assert "to zero" in refused(plan(facts(), Service.API, 0)).why


@pytest.mark.parametrize("to", [0, 1, 3])
def test_a_deployment_on_its_way_is_a_warning(to: int) -> None:
    building = deployment("x", sha("e"), status=DeploymentStatus.BUILDING)

    planned = made(plan(facts(replace(state(INGEST, replicas=2), latest=building)), INGEST, to))

    assert f"a deployment of {sha('e')[:8]} to ingest is in progress: wait until it has finished" in planned.warnings


@pytest.mark.parametrize("now", [state(INGEST, replicas=2), stopped(INGEST)])
def test_nothing_to_do_is_no_plan(now: ServiceState) -> None:
    assert "already" in refused(plan(facts(now), INGEST, now.replicas_wanted or 0)).why


def test_an_unknown_count_is_no_plan() -> None:
    assert "how many replicas" in refused(plan(facts(state(INGEST, replicas=None)), INGEST, 2)).why


def test_without_railway_there_is_no_plan() -> None:
    silent = replace(facts(), states=Unavailable("Railway", "HTTP 500"))

    why = refused(plan(silent, INGEST, 2)).why
    assert why.startswith("Railway ")
    assert why.endswith(": HTTP 500")


def test_the_last_connection_may_be_taken_and_not_one_more() -> None:
    room = EACH * 2

    assert isinstance(plan(facts(used=100 - room), INGEST, 3), Plan)
    assert "93 of 100 connections" in refused(plan(facts(used=100 - room + 1), INGEST, 3)).why


def test_replicas_that_hold_more_sessions_need_more_room() -> None:
    crowded = facts(used=80)

    assert isinstance(plan(crowded, INGEST, 3), Plan)
    why = refused(plan(replace(crowded, sessions=11), INGEST, 3)).why
    assert "80 of 100 connections" in why
    assert why.endswith("2 more replicas need 22")


def test_sessions_that_cannot_be_counted_are_a_warning() -> None:
    planned = made(plan(replace(facts(), sessions=Unavailable("Railway", "no answer within 5 s")), INGEST, 3))

    [doubt] = [line for line in planned.warnings if "one more ingest" in line]
    assert doubt.endswith(": no answer within 5 s")
    assert "takes more database connections: 10 of 100 are in use" in planned.impact


def test_fewer_replicas_need_no_room() -> None:
    assert isinstance(plan(facts(state(INGEST, replicas=2), used=100), INGEST, 1), Plan)


@pytest.mark.parametrize("pooled", [True, False])
def test_the_unknown_limit_of_a_pooler_is_a_warning(pooled: bool) -> None:
    warnings = made(plan(replace(facts(), connections=ConnectionUse(10, 100, pooled)), INGEST, 2)).warnings

    assert any("DATABASE_CONNECTION_LIMIT" in warning for warning in warnings) is pooled


def test_scale_plan_warns_when_the_database_is_unreadable() -> None:
    silent = replace(load(), queue=AWAY, running=AWAY, beats=AWAY)

    planned = made(plan(replace(facts(), load=silent, connections=AWAY), INGEST, 2))

    running, connections = planned.warnings
    assert running.endswith(f" what runs: {AWAY.why}")
    assert "connections" in connections
    assert connections.endswith(f": {AWAY.why}")


@pytest.mark.parametrize(("draining_s", "warned"), [(None, True), (20, True), (21, False)])
def test_a_worker_needs_time_to_end(draining_s: int | None, warned: bool) -> None:
    hasty = replace(state(INGEST, replicas=2), draining_seconds=draining_s)

    warnings = made(plan(facts(hasty), INGEST, 0)).warnings

    assert any("drainingSeconds" in warning for warning in warnings) is warned


@pytest.mark.parametrize(("beating", "warned"), [(1, True), (2, False)])
def test_a_worker_that_does_not_beat_is_a_warning(beating: int, warned: bool) -> None:
    seen = load(beats=[beat(f"ingest-{n}") for n in range(beating)])

    planned = made(plan(replace(facts(state(INGEST, replicas=2)), load=seen), INGEST, 3))

    assert (
        planned.warnings == ("1 of 2 workers are alive: the run stops at its first check unless they come back",)
    ) is warned


def test_plan_shows_the_headroom_of_the_busiest_replica_as_far_as_it_is_known() -> None:
    def impact(usage: Usage | Unavailable | None) -> list[str]:
        planned = made(plan(replace(facts(), usage=usage), INGEST, 2))
        return [line for line in planned.impact if line.startswith("headroom")]

    used = "headroom: the busiest replica uses 0.42 of 0.50 GB memory"
    assert impact(Usage(0.42, 0.5, 0.1, 2.0)) == [f"{used} and 0.10 of 2.00 vCPU"]
    assert impact(Usage(0.42, 0.5)) == [used]
    assert impact(Usage(0.42)) == impact(AWAY) == impact(None) == []
