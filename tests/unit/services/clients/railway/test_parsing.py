"""Railway's JSON parsed into domain types, also where its schema promises nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from services.clients.railway.parsing import (
    parse_deployment,
    parse_logs,
    parse_service,
    parse_time,
    parse_variable_changes,
)
from services.domain.deployments import DeploymentStatus
from services.domain.services import Service

PAGE = "https://railway.com/project/p/service/s?environmentId=e"


def deployment(**changes: Any) -> dict[str, Any]:
    return {
        "id": "d1",
        "status": "SUCCESS",
        "createdAt": "2026-01-02T03:04:05.678Z",
        "statusUpdatedAt": None,
        "canRollback": True,
        "canRedeploy": True,
        "deploymentStopped": False,
        "meta": {"commitHash": "a" * 40, "commitMessage": "Fix it", "commitAuthor": "Ana"},
        "creator": {"name": "Tom"},
        "instances": [{"id": "i1", "status": "RUNNING"}],
    } | changes


def instance(**changes: Any) -> dict[str, Any]:
    return {
        "serviceId": "s",
        "serviceName": "dragonfly-api",
        "activeDeployments": [],
        "latestDeployment": None,
        "region": None,
        "numReplicas": None,
    } | changes


def log(timestamp: str, message: str, **changes: Any) -> dict[str, Any]:
    return {"timestamp": timestamp, "message": message, "severity": None, "tags": None} | changes


def test_reads_a_deployment() -> None:
    parsed = parse_deployment(deployment(), page=PAGE)

    assert parsed.commit_sha == "a" * 40
    assert parsed.author == "Ana"
    assert parsed.created_at == datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
    assert parsed.link == PAGE + "&id=d1"


@pytest.mark.parametrize("meta", [None, {}, "text", [], {"commitHash": 7, "commitMessage": None, "commitAuthor": ""}])
def test_meta_promises_nothing(meta: object) -> None:
    parsed = parse_deployment(deployment(meta=meta), page=PAGE)

    assert (parsed.commit_sha, parsed.commit_message, parsed.author) == (None, None, "Tom")


def test_status_that_we_do_not_know_is_unknown() -> None:
    assert parse_deployment(deployment(status="HIBERNATING"), page=PAGE).status is DeploymentStatus.UNKNOWN


def test_configured_regions_win_over_the_deployed_ones() -> None:
    manifest = {"serviceManifest": {"deploy": {"multiRegionConfig": {"eu": {"numReplicas": 1}}}}}
    config = {"services": {"s": {"deploy": {"multiRegionConfig": {"eu": {"numReplicas": 2}, "us": None}}}}}

    state = parse_service(
        Service.API, instance(latestDeployment=deployment(meta=manifest), numReplicas=9), config, page=PAGE
    )

    assert (state.regions, state.replicas_configured) == ({"eu": 2}, 2)


@pytest.mark.parametrize(
    ("deploy", "regions", "replicas"),
    [
        ({"multiRegionConfig": {"eu": {"numReplicas": 2}, "us": {"numReplicas": 1}}}, {"eu": 2, "us": 1}, 3),
        ({"region": "eu", "numReplicas": 2}, {"eu": 2}, 2),
        ({"numReplicas": 2}, {}, 4),
        ({}, {}, 4),
    ],
)
def test_deployed_manifest_stands_in_for_the_configuration(
    deploy: object, regions: dict[str, int], replicas: int
) -> None:
    meta = {"serviceManifest": {"deploy": deploy}}

    state = parse_service(Service.API, instance(latestDeployment=deployment(meta=meta), numReplicas=4), None, page=PAGE)

    assert (state.regions, state.replicas_configured) == (regions, replicas)


def test_replicas_are_not_known_when_nothing_reports_them() -> None:
    assert parse_service(Service.API, instance(), {"services": {}}, page=PAGE).replicas_configured is None


def test_active_deployments_are_sorted_by_us() -> None:
    old, new = deployment(id="old"), deployment(id="new", createdAt="2026-01-03T00:00:00Z")

    state = parse_service(Service.API, instance(activeDeployments=[old, new]), None, page=PAGE)

    assert [one.id for one in state.active] == ["new", "old"]


def test_logs_are_the_last_lines_oldest_first() -> None:
    nodes: list[dict[str, Any]] = [
        log("2026-01-02T03:04:05.000000003Z", "third", severity="error", tags={"deploymentInstanceId": "i1"}),
        log("2026-01-02T03:04:03Z", "first"),
        log("2026-01-02T03:04:04.123456789Z", "second"),
    ]

    second, third = parse_logs(nodes, limit=2)

    assert (second.message, second.severity, second.replica_id) == ("second", "info", None)
    assert (third.message, third.severity, third.replica_id) == ("third", "error", "i1")


def test_a_log_line_loses_its_colors() -> None:
    [line] = parse_logs([log("2026-01-02T03:04:03Z", "\x1b[32mINFO\x1b[0m    api: [id] GET / -> 200")], limit=1)

    assert line.message == "INFO    api: [id] GET / -> 200"


@pytest.mark.parametrize("text", ["2026-01-02T03:04:05Z", "2026-01-02T05:04:05+02:00", "2026-01-02T03:04:05"])
def test_times_are_utc(text: str) -> None:
    assert parse_time(text) == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_a_commit_to_the_environment_names_own_and_shared_variables_of_what_was_applied() -> None:
    own = {"services": {"s1": {"variables": {"B": {"value": "x"}, "A": None}}, "s2": {"variables": {"C": {}}}}}
    nodes: list[dict[str, Any]] = [
        {"appliedAt": "2026-01-05T12:00:00Z", "patch": own},
        {"appliedAt": "2026-01-05T13:00:00Z", "patch": {"sharedVariables": {"D": {}}}},
        {"appliedAt": None, "patch": own},
        {"appliedAt": "2026-01-05T14:00:00Z", "patch": {"services": {"s1": {"deploy": {}}}}},
        {"appliedAt": "2026-01-05T15:00:00Z", "patch": "unreadable"},
    ]

    changes = parse_variable_changes(nodes, "s1")

    assert [change.names for change in changes] == [("D",), ("A", "B")]
