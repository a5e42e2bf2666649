"""A service's current deployment, and the number of replicas that it should have."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.domain.deployments import Deployment, DeploymentStatus, Instance, ServiceState
from services.domain.services import Service

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)


def deployment(name: str, status: DeploymentStatus = DeploymentStatus.SUCCESS, *, age_h: int = 1) -> Deployment:
    return Deployment(name, status, NOW - timedelta(hours=age_h))


def state(*active: Deployment, latest: Deployment | None = None, replicas: int | None = 2) -> ServiceState:
    return ServiceState(Service.INGEST, "s", active, latest, replicas_configured=replicas)


SERVING = deployment("serving", age_h=2)
STOPPED = replace(deployment("stopped"), stopped=True)
CRASHED = deployment("crashed", DeploymentStatus.CRASHED)
FAILED = deployment("failed", DeploymentStatus.FAILED)
EXITED = replace(STOPPED, instances=(Instance("i", "EXITED"),))
REMOVED = deployment("removed", DeploymentStatus.REMOVED)


def by_run(*active: Deployment, latest: Deployment | None = None) -> ServiceState:
    """A service that a run stopped 30 min ago."""
    return replace(state(*active, latest=latest), stopped_at=NOW - timedelta(minutes=30))


@pytest.mark.parametrize(
    ("of", "current"),
    [
        (state(SERVING, latest=FAILED), SERVING),
        (state(SERVING, STOPPED, latest=STOPPED), SERVING),
        (state(STOPPED, latest=FAILED), STOPPED),
        (state(latest=CRASHED), CRASHED),
        (state(), None),
    ],
)
def test_a_change_rests_on_what_serves_else_on_what_last_did(of: ServiceState, current: Deployment | None) -> None:
    assert of.current == current


@pytest.mark.parametrize(
    ("of", "wanted"),
    [
        (state(SERVING), 2),
        (state(STOPPED), 0),
        (state(SERVING, STOPPED), 2),
        (state(latest=CRASHED), 2),
        (state(SERVING, replicas=None), None),
        (state(STOPPED, replicas=None), 0),
        (state(latest=STOPPED), 0),  # Railway no longer lists it as active
        (state(latest=replace(FAILED, stopped=True)), 2),
        (state(EXITED, latest=EXITED), 2),
        (state(latest=EXITED), 2),
        (by_run(latest=EXITED), 0),
        (by_run(latest=REMOVED), 0),
        (by_run(latest=None), 0),
        (by_run(latest=CRASHED), 0),
        (by_run(latest=replace(CRASHED, status_updated_at=NOW - timedelta(minutes=25))), 0),
        (by_run(latest=replace(CRASHED, status_updated_at=NOW - timedelta(minutes=24, seconds=59))), 2),  # it ran again
        (by_run(CRASHED, latest=replace(CRASHED, status_updated_at=NOW)), 2),
        (by_run(latest=replace(REMOVED, status_updated_at=NOW)), 0),  # Railway removes a stopped deployment later
        (by_run(latest=deployment("next", DeploymentStatus.SKIPPED, age_h=0)), 0),
        (by_run(latest=deployment("next", DeploymentStatus.NEEDS_APPROVAL, age_h=0)), 0),
        (by_run(latest=deployment("next", DeploymentStatus.BUILDING, age_h=0)), 0),
        (by_run(latest=deployment("next", DeploymentStatus.FAILED, age_h=0)), 2),
        (by_run(SERVING), 2),
    ],
)
def test_a_stopped_service_should_have_no_replica(of: ServiceState, wanted: int | None) -> None:
    assert of.replicas_wanted == wanted
