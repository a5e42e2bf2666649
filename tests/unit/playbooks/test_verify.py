"""The verdict of `verify` on a deployment."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from playbooks.model import Status
from playbooks.verify import Facts, steps, verdict
from services.domain.deployments import Deployment, DeploymentStatus, ServiceState
from services.domain.errors import Unavailable
from services.domain.health import ApiHealth, IntakeHealth
from services.domain.jobs import Heartbeat
from services.domain.services import Service, WorkerType
from services.domain.systems import RUNBOOK
from services.domain.thresholds import StaleLimits

NOW = datetime(2025, 12, 20, 10, 30, tzinfo=UTC)
SHA = "a1b2c3d4" + "0" * 32
OTHER = "0ddba11"


def serving(service: Service, sha: str = SHA) -> ServiceState:
    deployment = Deployment("d1", DeploymentStatus.SUCCESS, NOW, commit_sha=sha)
    return ServiceState(service, "s1", (deployment,), deployment, replicas_configured=1)


def beat(kind: WorkerType, *, status: str = "running", sha: str = SHA[:8]) -> Heartbeat:
    return Heartbeat(f"{kind}-{status}", kind, status, NOW, NOW, sha)


ARRIVED = Facts(
    targets=tuple(RUNBOOK.services),
    wanted_sha=None,
    environment="prod",
    as_of=NOW,
    stale_after=StaleLimits(timedelta(seconds=300)),
    api=ApiHealth(200, "ok", "prod", SHA[:8], True, NOW, 12),
    intake=IntakeHealth(200, "ok", True, 0, None, 9),
    heartbeats=(beat(WorkerType.INGEST), beat(WorkerType.ENFORCEMENT)),
    services={service: serving(service) for service in RUNBOOK.services},
    expected=dict.fromkeys(RUNBOOK.worker_types, 1),
    system=RUNBOOK,
)


def judge(facts: Facts) -> tuple[Status, str]:
    return verdict(facts, steps(facts))


def test_an_arrived_deployment_is_verified_in_three_steps() -> None:
    assert [step.title.split(":")[0] for step in steps(ARRIVED)] == ["Step 1", "Step 2", "Step 3"]
    assert judge(ARRIVED) == (Status.OK, "Verified: everything")


@pytest.mark.parametrize(("wanted", "status"), [(SHA[:7], Status.OK), (SHA, Status.OK), (OTHER, Status.FAIL)])
def test_a_wanted_commit_is_compared_with_what_runs(wanted: str, status: Status) -> None:
    assert judge(replace(ARRIVED, wanted_sha=wanted))[0] is status


def test_a_wanted_commit_can_be_verified_without_railway() -> None:
    silent = replace(ARRIVED, targets=(Service.API,), wanted_sha=SHA, services=Unavailable("Railway", "HTTP 500"))

    assert judge(silent) == (Status.OK, "Verified: api at a1b2c3d4")


def test_the_verdict_names_the_first_thing_wrong() -> None:
    assert judge(replace(ARRIVED, wanted_sha=OTHER)) == (
        Status.FAIL,
        "NOT verified: everything at 0ddba11; api runs a1b2c3d4, not 0ddba11",
    )


def test_only_the_steps_of_the_targets_are_taken() -> None:
    api_only = steps(replace(ARRIVED, targets=(Service.API,)))
    ingest_only = steps(replace(ARRIVED, targets=(Service.INGEST,)))

    assert [step.title for step in api_only] == ["Step 1: Git SHA", "Step 2: API health"]
    assert [step.title for step in ingest_only] == ["Step 1: Git SHA", "Step 3: worker heartbeats"]


def test_beating_is_not_enough_one_must_be_running() -> None:
    starting = (beat(WorkerType.INGEST, status="starting"), beat(WorkerType.ENFORCEMENT))
    one_runs = (*starting, beat(WorkerType.INGEST))

    assert judge(replace(ARRIVED, heartbeats=starting))[0] is Status.FAIL
    assert judge(replace(ARRIVED, heartbeats=one_runs))[0] is Status.OK


def test_nothing_deployed_and_nothing_running_is_not_verified() -> None:
    empty = replace(
        ARRIVED,
        targets=(Service.INGEST,),
        heartbeats=(),
        services={Service.INGEST: ServiceState(Service.INGEST, "s1", replicas_configured=0)},
        expected={WorkerType.INGEST: 0},
    )

    assert judge(empty)[0] is Status.FAIL


@pytest.mark.parametrize("source", ["api", "intake", "heartbeats", "services"])
def test_a_missing_source_cannot_be_verified(source: str) -> None:
    missing: dict[str, Any] = {source: Unavailable("x", "away")}

    assert judge(replace(ARRIVED, **missing))[0] is Status.UNKNOWN


def test_a_process_that_does_not_know_its_commit_cannot_be_verified() -> None:
    silent = (replace(beat(WorkerType.INGEST), git_sha=None), beat(WorkerType.ENFORCEMENT))

    assert judge(replace(ARRIVED, heartbeats=silent, wanted_sha=SHA))[0] is Status.UNKNOWN
