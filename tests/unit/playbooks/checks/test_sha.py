"""The checks of commits: the deployed one, the running one, and the same one in every service."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from playbooks.checks.sha import Facts, check
from playbooks.model import Finding, Status
from services.domain.deployments import Deployment, DeploymentStatus, ServiceState
from services.domain.errors import Unavailable
from services.domain.health import ApiHealth
from services.domain.jobs import Heartbeat
from services.domain.services import Service, WorkerType
from services.domain.systems import RUNBOOK
from services.domain.thresholds import StaleLimits

NOW = datetime(2025, 12, 20, 10, 30, tzinfo=UTC)
LIMIT = timedelta(seconds=300)
LONG = "a1b2c3d4" + "e" * 32
OTHER = "0ddba110" + "e" * 32
SHORT = LONG[:8]
SILENT = Unavailable("Railway", "HTTP 500")


def serving(service: Service, sha: str | None, latest: DeploymentStatus = DeploymentStatus.SUCCESS) -> ServiceState:
    current = Deployment("d1", DeploymentStatus.SUCCESS, NOW, commit_sha=sha)
    return ServiceState(service, "s1", (current,), Deployment("d2", latest, NOW, commit_sha=OTHER))


def railway(**shas: str | None) -> dict[Service, ServiceState]:
    return {service: serving(service, shas.get(service.short, LONG)) for service in RUNBOOK.services}


def api(sha: str = SHORT) -> ApiHealth:
    return ApiHealth(200, "ok", "prod", sha, True, NOW, 10)


def beat(kind: WorkerType, sha: str | None = SHORT, *, silent_for: timedelta = timedelta()) -> Heartbeat:
    return Heartbeat(f"{kind}-{sha}", kind, "running", NOW - silent_for, git_sha=sha)


BEATS = (beat(WorkerType.INGEST), beat(WorkerType.ENFORCEMENT))


def found(
    services: dict[Service, ServiceState] | Unavailable,
    answer: ApiHealth | Unavailable,
    beats: tuple[Heartbeat, ...] | Unavailable,
) -> dict[str, Finding]:
    return {
        finding.check: finding
        for finding in check(Facts(NOW, StaleLimits(LIMIT), services, answer, beats, system=RUNBOOK))
    }


def test_eight_and_forty_characters_of_one_commit_agree() -> None:
    findings = found(railway(), api(), BEATS)

    assert {finding.status for finding in findings.values()} == {Status.OK}
    assert findings["sha.same"].title == "all services run a1b2c3d4"


def test_a_process_that_runs_another_commit_is_wrong() -> None:
    findings = found(railway(), api(OTHER), BEATS)

    assert findings["sha.api"].status is Status.FAIL
    assert findings["sha.api"].title == "api runs 0ddba110, not a1b2c3d4"
    assert findings["sha.same"].status is Status.WARN


def test_one_old_worker_among_new_ones_is_wrong() -> None:
    findings = found(railway(), api(), (*BEATS, beat(WorkerType.INGEST, OTHER)))

    assert findings["sha.ingest"].title == "ingest runs 0ddba110, not a1b2c3d4"
    assert findings["sha.ingest"].detail == "only some of its workers"


def test_a_dead_workers_commit_does_not_count() -> None:
    gone = beat(WorkerType.INGEST, OTHER, silent_for=LIMIT + timedelta(seconds=1))

    assert found(railway(), api(), (*BEATS, gone))["sha.ingest"].status is Status.OK


def test_a_mixture_is_only_a_warning_while_a_deployment_is_under_way() -> None:
    services = railway() | {Service.API: serving(Service.API, LONG, DeploymentStatus.DEPLOYING)}

    assert found(services, api(OTHER), BEATS)["sha.api"].status is Status.WARN


def test_services_on_different_commits_are_a_warning() -> None:
    findings = found(railway(api=OTHER), api(OTHER), BEATS)

    assert findings["sha.api"].status is Status.OK
    assert findings["sha.same"].status is Status.WARN
    assert findings["sha.same"].detail == "api 0ddba110, ingest a1b2c3d4, enforcement a1b2c3d4"


def test_without_railway_each_is_unknown_but_the_processes_can_be_compared() -> None:
    findings = found(SILENT, api(), BEATS)

    assert findings["sha.api"].status is Status.UNKNOWN
    assert findings["sha.same"].status is Status.OK


def test_without_any_process_it_is_unknown() -> None:
    away = Unavailable("database", "away")

    findings = found(SILENT, Unavailable("API", "away"), away)

    assert {finding.status for finding in findings.values()} == {Status.UNKNOWN}


def test_a_process_that_does_not_know_its_commit_is_unknown() -> None:
    findings = found(railway(), api("unknown"), (beat(WorkerType.INGEST, None), BEATS[1]))

    assert findings["sha.api"].status is Status.UNKNOWN
    assert findings["sha.ingest"].status is Status.UNKNOWN


def test_a_known_wrong_commit_counts_beside_an_unknown_one() -> None:
    mixed = (beat(WorkerType.INGEST, None), beat(WorkerType.INGEST, OTHER), BEATS[1])

    assert found(railway(), api(), mixed)["sha.ingest"].status is Status.FAIL


def test_a_service_without_replicas_needs_no_commit() -> None:
    off = ServiceState(Service.INGEST, "s1", replicas_configured=0)

    assert found(railway() | {Service.INGEST: off}, api(), BEATS[1:])["sha.same"].status is Status.OK


def test_no_commit_in_railway_is_unknown() -> None:
    assert found(railway(api=None), api(), BEATS)["sha.api"].status is Status.UNKNOWN


def test_nothing_running_is_fine_only_without_replicas() -> None:
    off = {Service.INGEST: ServiceState(Service.INGEST, "s1", replicas_configured=0)}
    down = {Service.INGEST: ServiceState(Service.INGEST, "s1", replicas_configured=1)}

    assert found(off, api(), BEATS[1:])["sha.ingest"].status is Status.OK
    assert found(off, api(), Unavailable("database", "away"))["sha.ingest"].status is Status.UNKNOWN
    assert found(down, api(), BEATS[1:])["sha.ingest"].status is Status.UNKNOWN


def test_nothing_running_and_a_silent_railway_are_reported() -> None:
    assert found(SILENT, api(), BEATS[1:])["sha.ingest"].title == "ingest runs nothing, deployed unknown"


def test_deployed_and_no_one_running_is_unknown() -> None:
    assert found(railway(), api(), BEATS[1:])["sha.ingest"].status is Status.UNKNOWN
