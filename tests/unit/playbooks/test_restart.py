"""The plan of `restart`: of the same deployment, or by the runbook's way through zero replicas."""

from __future__ import annotations

from dataclasses import replace

import pytest

from playbooks.model import Risk
from playbooks.restart import Facts, plan
from playbooks.steps import (
    AwaitDeployment,
    AwaitStopped,
    RestartDeployment,
    StartService,
    StopService,
    VerifyApiHealth,
    VerifyHeartbeats,
    VerifyNoOrphanedJobs,
    VerifyStartupLog,
)
from services.domain.deployments import DeploymentStatus, ServiceState
from services.domain.services import Service
from tests.unit.playbooks.builders import beat, deployment, load, made, refused, state, states, stopped

API, INGEST = Service.API, Service.INGEST


def facts(*changed: ServiceState) -> Facts:
    return Facts("prod", states(*changed), load(beats=[beat("ingest-1")], pending=3))


def test_restarts_what_serves_and_counts_the_beats() -> None:
    planned = made(plan(facts(state(INGEST, replicas=2)), INGEST))

    assert planned.steps == (
        RestartDeployment(INGEST, "d-ingest"),
        AwaitDeployment(INGEST, 330),
        VerifyHeartbeats(INGEST, 2, 180),
        VerifyNoOrphanedJobs(INGEST),
    )
    assert (planned.risk, planned.undo) == (Risk.LOW, None)
    assert planned.impact == ("2 replicas, the same code", "restarts 1 worker without a job; 3 pending")


def test_the_api_is_proved_by_its_health() -> None:
    planned = made(plan(facts(), API))

    assert planned.steps[1:] == (AwaitDeployment(API, 330), VerifyApiHealth(120))


def test_through_zero_stops_all_before_the_first_starts() -> None:
    planned = made(plan(facts(state(INGEST, replicas=2)), INGEST, through_zero=True))

    assert planned.steps == (
        StopService(INGEST, "d-ingest", 2),
        AwaitStopped(INGEST, 90),
        VerifyNoOrphanedJobs(INGEST),
        StartService(INGEST, "d-ingest", 2),
        AwaitDeployment(INGEST, 300),
        VerifyStartupLog(INGEST, 120),
        VerifyHeartbeats(INGEST, 2, 180),
    )
    assert planned.parameters == {"service": "ingest", "through_zero": "yes"}
    assert any("the current variables" in warning for warning in planned.warnings)


def test_the_api_is_not_taken_to_zero() -> None:
    assert refused(plan(facts(), API, through_zero=True)).why.endswith("to zero")


@pytest.mark.parametrize("through_zero", [False, True])
def test_a_stopped_service_has_nothing_to_restart(through_zero: bool) -> None:
    assert "is stopped" in refused(plan(facts(stopped(INGEST)), INGEST, through_zero=through_zero)).why


def test_unknown_replicas_are_restarted_and_not_counted() -> None:
    unknown = facts(state(INGEST, replicas=None))

    planned = made(plan(unknown, INGEST))

    assert not any(isinstance(step, VerifyHeartbeats) for step in planned.steps)
    assert any("not counted afterwards" in warning for warning in planned.warnings)
    assert "restored" in refused(plan(unknown, INGEST, through_zero=True)).why


def test_a_crashed_deployment_may_be_restarted_and_is_named() -> None:
    crashed = deployment("d-api", status=DeploymentStatus.CRASHED)
    down = replace(state(API), active=(), latest=crashed)

    planned = made(plan(facts(down), API))

    assert planned.steps[0] == RestartDeployment(API, "d-api")
    assert planned.warnings == ("api does not run now: its deployment is CRASHED",)
