"""The checks of the services' deployments, as Railway reports them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from playbooks.checks.deployments import ALONE, BESIDE, check
from playbooks.model import Finding, NextStep, Status
from services.domain.deployments import Deployment, DeploymentStatus, Instance, ServiceState
from services.domain.errors import Unavailable
from services.domain.services import Service
from services.domain.systems import CIVIL, RUNBOOK

NOW = datetime(2025, 12, 20, 10, 30, tzinfo=UTC)
OLD, NEW = "0ddba11" + "0" * 33, "a1b2c3d4" + "0" * 32


def deployment(
    sha: str = OLD,
    status: DeploymentStatus = DeploymentStatus.SUCCESS,
    *,
    instances: tuple[str, ...] = ("RUNNING",),
    stopped: bool = False,
    minutes_ago: int = 60,
) -> Deployment:
    replicas = tuple(Instance(f"i{n}", state) for n, state in enumerate(instances))
    created = NOW - timedelta(minutes=minutes_ago)
    return Deployment(sha + status, status, created, stopped=stopped, commit_sha=sha, instances=replicas)


def state(
    serving: Deployment | None, latest: Deployment | None = None, *, replicas: int | None = 1
) -> Mapping[Service, ServiceState]:
    active = () if serving is None else (serving,)
    one = ServiceState(Service.INGEST, "s1", active, latest or serving, replicas_configured=replicas)
    return {Service.INGEST: one}


def ingest(services: Mapping[Service, ServiceState]) -> Finding:
    return next(finding for finding in check(services, RUNBOOK) if finding.service is Service.INGEST)


def test_a_serving_deployment_is_fine() -> None:
    finding = ingest(state(deployment()))

    assert (finding.status, finding.title, finding.detail) == (Status.OK, "ingest runs 0ddba110", "")


def test_a_deployment_without_a_commit_is_named_by_its_id() -> None:
    serving = replace(deployment(), id="9a8b7c6d-4000-8000", commit_sha=None)
    failed = replace(serving, id="5f1e2d3c-4000-8000", status=DeploymentStatus.FAILED, instances=())

    found = [ingest(state(serving)), ingest(state(serving, failed)), ingest(state(None, failed))]

    assert [(finding.title, finding.detail) for finding in found] == [
        ("ingest runs deployment 9a8b7c6d", ""),
        ("ingest deployment 5f1e2d3c FAILED", "deployment 9a8b7c6d still runs"),
        ("ingest does not run: deployment 5f1e2d3c FAILED", found[2].detail),
    ]


def test_a_crashed_instance_is_wrong() -> None:
    finding = ingest(state(deployment(instances=("RUNNING", "CRASHED")), replicas=2))

    assert finding.status is Status.FAIL
    assert finding.title == "ingest has 1 crashed of 2 instances"


def test_a_failed_latest_is_a_warning_while_the_old_one_serves() -> None:
    failed = deployment(NEW, DeploymentStatus.FAILED, instances=(), minutes_ago=1)

    finding = ingest(state(deployment(), failed))

    assert finding.status is Status.WARN
    assert finding.title == "ingest deployment a1b2c3d4 FAILED"
    assert finding.next_step is not None
    assert finding.next_step.command == "deployments ingest"


@pytest.mark.parametrize(("running", "status"), [(2, Status.OK), (1, Status.WARN)])
def test_fewer_instances_than_configured_are_a_warning(running: int, status: Status) -> None:
    assert ingest(state(deployment(instances=("RUNNING",) * running), replicas=2)).status is status


def test_too_few_instances_are_expected_during_a_deployment() -> None:
    building = deployment(NEW, DeploymentStatus.BUILDING, instances=(), minutes_ago=0)

    finding = ingest(state(deployment(instances=()), building))

    assert (finding.status, finding.title) == (Status.OK, "ingest deploying a1b2c3d4: building")


def test_unknown_replicas_are_not_compared() -> None:
    assert ingest(state(deployment(instances=()), replicas=None)).status is Status.OK


@pytest.mark.parametrize(
    ("latest", "replicas", "status"),
    [
        (None, 1, Status.FAIL),
        (None, 0, Status.OK),
        (deployment(NEW, DeploymentStatus.CRASHED), 1, Status.FAIL),
        (deployment(NEW, DeploymentStatus.REMOVED), 1, Status.FAIL),
        (deployment(NEW, DeploymentStatus.DEPLOYING), 1, Status.WARN),
    ],
)
def test_nothing_serving_is_judged_by_what_came_last(latest: Deployment | None, replicas: int, status: Status) -> None:
    assert ingest(state(None, latest, replicas=replicas)).status is status


def test_a_stopped_worker_is_a_warning() -> None:
    finding = ingest(state(deployment(stopped=True)))

    assert (finding.status, finding.title) == (Status.WARN, "ingest is stopped")


@pytest.mark.parametrize("status", list(DeploymentStatus))
def test_each_status_of_the_newest_has_words_and_a_severity_while_nothing_serves(status: DeploymentStatus) -> None:
    finding = ingest(state(None, deployment(NEW, status, instances=(), stopped=status is DeploymentStatus.FAILED)))

    assert finding.status is ALONE[status][0]
    assert finding.status is not Status.OK
    assert "a1b2c3d4" in finding.title
    assert "stopped" not in finding.title


@pytest.mark.parametrize(
    "status", sorted(set(DeploymentStatus) - {DeploymentStatus.SUCCESS, DeploymentStatus.SLEEPING})
)
def test_each_status_of_the_newest_is_judged_beside_one_that_serves(status: DeploymentStatus) -> None:
    finding = ingest(state(deployment(), deployment(NEW, status, instances=(), minutes_ago=1)))

    beside = BESIDE.get(status)
    assert finding.status is (beside[0] if beside else Status.OK)
    assert finding.title.startswith("ingest depl" if beside else "ingest runs 0ddba110")


def test_deployment_waiting_for_approval_in_railway_has_its_link() -> None:
    waits = replace(deployment(NEW, DeploymentStatus.NEEDS_APPROVAL, instances=()), link="https://railway.com/x")

    finding = ingest(state(deployment(), waits))

    assert finding.title == "ingest deployment a1b2c3d4 waits for approval in Railway"
    assert finding.next_step == NextStep("Approve in Railway", url="https://railway.com/x")


@pytest.mark.parametrize(("service", "status"), [(Service.API, Status.WARN), (Service.INGEST, Status.FAIL)])
def test_a_sleeping_api_wakes_up_and_a_sleeping_worker_does_not(service: Service, status: Status) -> None:
    asleep = deployment(status=DeploymentStatus.SLEEPING, instances=())
    services = {service: ServiceState(service, "s", (asleep,), asleep, replicas_configured=1)}

    finding = next(one for one in check(services, RUNBOOK) if one.service is service)

    assert (finding.status, finding.title) == (status, f"{service.short} is asleep")


def test_a_worker_that_ended_by_itself_is_wrong() -> None:
    finding = ingest(state(deployment(stopped=True, instances=("EXITED", "EXITED"))))

    assert (finding.status, finding.title) == (Status.FAIL, "ingest ended by itself")
    assert finding.detail == "each process of the deployment of 0ddba110 exited with code 0"


@pytest.mark.parametrize("instances", [("STOPPED",), ("EXITED", "STOPPED"), ()])
def test_stopped_deployment_is_reported_as_stopped_and_not_as_crashed(instances: tuple[str, ...]) -> None:
    assert ingest(state(deployment(stopped=True, instances=instances))).title == "ingest is stopped"


def test_a_failed_deployment_does_not_take_the_stop_away() -> None:
    failed = deployment(NEW, DeploymentStatus.FAILED, instances=(), minutes_ago=1)

    finding = ingest(state(deployment(stopped=True), failed))

    assert (finding.status, finding.title) == (Status.WARN, "ingest is stopped")
    assert finding.detail == "stopped in Railway; deployment a1b2c3d4 is FAILED"


def test_a_stopped_api_is_wrong() -> None:
    stopped = deployment(stopped=True)

    finding = check(
        {Service.API: ServiceState(Service.API, "s1", (stopped,), stopped, replicas_configured=1)}, RUNBOOK
    )[0]

    assert (finding.status, finding.title) == (Status.FAIL, "api is stopped")


def test_a_service_that_railway_does_not_have_is_wrong() -> None:
    assert [finding.status for finding in check({}, RUNBOOK)] == [Status.FAIL] * 3


def test_a_silent_railway_is_unknown_once() -> None:
    [finding] = check(Unavailable("Railway", "HTTP 429"), RUNBOOK)

    assert (finding.status, finding.detail) == (Status.UNKNOWN, "HTTP 429")


def test_a_service_of_which_railway_does_not_report_is_unknown_and_the_others_are_not() -> None:
    services = {**state(deployment()), Service.API: ServiceState(Service.API, "s", unknown="it answered with an error")}

    api, ingest_, _ = check(services, RUNBOOK)

    assert (api.status, api.title, api.detail) == (
        Status.UNKNOWN,
        "api unknown in Railway",
        "it answered with an error",
    )
    assert ingest_.status is Status.OK


def test_service_that_the_bot_does_not_operate_is_named() -> None:
    ours = {service: ServiceState(service, "s", unknown="not told") for service in RUNBOOK.services}
    others = {Service(name): ServiceState(Service(name), "s9") for name in ("redis", "dragonfly-worker-simplicity")}

    [finding] = [one for one in check({**ours, **others}, RUNBOOK) if one.check == "deployment.others"]

    assert finding.status is Status.OK
    assert finding.title == "not operated by this bot: dragonfly-worker-simplicity, redis"
    assert not [one for one in check(ours, RUNBOOK) if one.check == "deployment.others"]


def test_fourth_service_is_checked_where_the_system_has_it() -> None:
    found = {one.check: one for one in check({}, CIVIL)}

    assert list(found) == [f"deployment.{service.short}" for service in CIVIL.services]
    assert found["deployment.simplicity"].status is Status.FAIL


@pytest.mark.parametrize("instances", [("EXITED",), ("EXITED", "REMOVED"), ("EXITED", "EXITED")])
@pytest.mark.parametrize("stopped", [True, False])
def test_worker_whose_processes_exited_ended_by_itself_whatever_railway_marks(
    instances: tuple[str, ...], stopped: bool
) -> None:
    finding = ingest(state(deployment(instances=instances, stopped=stopped), replicas=len(instances)))

    assert (finding.status, finding.title) == (Status.FAIL, "ingest ended by itself")


def test_stop_with_an_instance_of_a_new_status_is_not_taken_for_a_persons() -> None:
    finding = ingest(state(deployment(instances=("COMPLETED",), stopped=True)))

    assert finding.status is Status.FAIL
    assert finding.title == "ingest does not run: deployment 0ddba110 is not active any more"


@pytest.mark.parametrize("instances", [("STOPPED",), ("EXITED", "STOPPED"), ("REMOVED",), ()])
def test_stop_in_railway_is_a_warning(instances: tuple[str, ...]) -> None:
    finding = ingest(state(deployment(instances=instances, stopped=True)))

    assert (finding.status, finding.title) == (Status.WARN, "ingest is stopped")


def test_no_running_instance_is_not_fine_while_the_replicas_are_unknown() -> None:
    finding = ingest(state(deployment(instances=("RESTARTING", "INITIALIZING")), replicas=None))

    assert (finding.status, finding.title) == (Status.WARN, "ingest has 0 of 2 instances running")
