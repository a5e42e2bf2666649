"""The local Railway over its HTTP interface: the GraphQL endpoint and the control endpoints."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from services.sandbox.railway.control import build_router
from services.sandbox.railway.local import LocalRailway
from services.sandbox.railway.model import REGION, Faults
from services.sandbox.railway.runner import ServiceRunner
from tests.integration.services.sandbox.railway.conftest import PACE

API, WORKER = "dragonfly-api", "dragonfly-worker-ingest"


@pytest.fixture
async def http(railway: LocalRailway) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.include_router(build_router(railway, limit_per_hour=50))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://sandbox.test") as client:
        yield client


async def ask(http: httpx.AsyncClient, railway: LocalRailway, document: str, **variables: Any) -> dict[str, Any]:
    """Return the whole GraphQL answer."""
    headers = {"Project-Access-Token": railway.token}
    body = {"query": document, "variables": variables}
    answer: dict[str, Any] = (await http.post("/railway/graphql/v2", json=body, headers=headers)).json()
    return answer


async def until_running(railway: LocalRailway, service: ServiceRunner, replicas: int) -> None:
    async with asyncio.timeout(60):
        async for _ in railway.subscribe():
            if service.active and [one.is_running for one in service.active.replicas] == replicas * [True]:
                return


async def test_reports_which_environment_a_token_is_for(http: httpx.AsyncClient, railway: LocalRailway) -> None:
    answer = await ask(http, railway, "{ projectToken { projectId environmentId } }")

    assert answer["data"]["projectToken"] == {
        "projectId": railway.place.project_id,
        "environmentId": railway.place.environment_id,
    }


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({}, "Not Authorized"),
        ({"Project-Access-Token": "wrong"}, "Project Token not found"),
        ({"Authorization": "Bearer wrong"}, "Not Authorized"),
    ],
)
async def test_refuses_a_wrong_token(http: httpx.AsyncClient, headers: dict[str, str], message: str) -> None:
    body = {"query": "{ projectToken { projectId } }"}

    answer = await http.post("/railway/graphql/v2", json=body, headers=headers)

    assert answer.json()["errors"][0]["message"] == message


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"query": "{ nonsense }"}', b'{"query": "{"}'])
async def test_railway_sandbox_refuses_an_invalid_document(
    http: httpx.AsyncClient, railway: LocalRailway, content: bytes
) -> None:
    headers = {"Project-Access-Token": railway.token}

    answer = await http.post("/railway/graphql/v2", content=content, headers=headers)

    assert answer.status_code == 400
    assert answer.json()["errors"]


async def test_railway_sandbox_refuses_another_environment(http: httpx.AsyncClient, railway: LocalRailway) -> None:
    answer = await ask(http, railway, '{ environment(id: "other") { name } }')

    assert answer["errors"][0]["message"] == "Not Authorized"


async def test_log_query_answers_one_line_too_many(http: httpx.AsyncClient, railway: LocalRailway) -> None:
    record = railway.find_service(WORKER).active
    assert record is not None
    for number in range(5):
        record.logs.write(f"line {number}")
    query = "query ($id: String!) { deploymentLogs(deploymentId: $id, limit: 3) { message } }"

    answer = await ask(http, railway, query, id=record.id)

    assert [line["message"] for line in answer["data"]["deploymentLogs"]] == ["line 1", "line 2", "line 3", "line 4"]


async def test_rate_limit_runs_out(http: httpx.AsyncClient) -> None:
    answers = [await http.post("/railway/graphql/v2") for _ in range(51)]

    assert [answers[0].headers["X-RateLimit-Remaining"], answers[49].headers["X-RateLimit-Remaining"]] == ["49", "0"]
    assert answers[50].status_code == 429
    assert int(answers[50].headers["Retry-After"]) > 0


async def test_patch_sets_replicas_and_null_removes_a_region(http: httpx.AsyncClient, railway: LocalRailway) -> None:
    service = railway.find_service(WORKER)
    commit = """mutation ($environment: String!, $patch: EnvironmentConfig) {
        environmentPatchCommit(environmentId: $environment, patch: $patch) }"""

    async def patch(regions: dict[str, Any]) -> dict[str, Any]:
        change = {"services": {service.id: {"deploy": {"multiRegionConfig": regions}}}}
        return await ask(http, railway, commit, environment=railway.place.environment_id, patch=change)

    await patch({"us-west2": {"numReplicas": 2}})
    await until_running(railway, service, 3)
    await patch({REGION: None})
    await until_running(railway, service, 2)
    last = await patch({"us-west2": None})

    assert service.regions == {"us-west2": 2}
    assert last["errors"][0]["message"] == "A service needs a region"


async def test_rollback_answers_true_and_its_deployment_appears_late(
    http: httpx.AsyncClient, railway: LocalRailway
) -> None:
    service = railway.find_service(API)
    target = service.deployments[0]
    rollback = "mutation ($id: String!) { deploymentRollback(id: $id) }"

    asked_at = datetime.now(UTC)
    answer = await ask(http, railway, rollback, id=target.id)
    async with asyncio.timeout(60):
        async for _ in railway.subscribe():
            if service.active and service.active.commit == target.commit:
                break

    assert answer["data"] == {"deploymentRollback": True}
    assert len(service.listed()) == 4
    assert service.active is not target
    new = service.deployments[-1]
    assert new.visible_at >= asked_at + timedelta(seconds=PACE.appear_after_s)
    new.visible_at = datetime.now(UTC) + timedelta(hours=1)
    assert len(service.listed()) == 3


async def test_true_may_be_followed_by_nothing(http: httpx.AsyncClient, railway: LocalRailway) -> None:
    railway.faults = Faults(ignore_changes=True)
    service = railway.find_service(API)
    rollback = "mutation ($id: String!) { deploymentRollback(id: $id) }"

    answer = await ask(http, railway, rollback, id=service.deployments[0].id)

    assert answer["data"] == {"deploymentRollback": True}
    assert len(service.deployments) == 3


async def test_stopped_deployment_runs_again_after_a_redeploy(http: httpx.AsyncClient, railway: LocalRailway) -> None:
    service = railway.find_service(WORKER)
    record = service.active
    assert record is not None

    await ask(http, railway, "mutation ($id: String!) { deploymentStop(id: $id) }", id=record.id)
    async with asyncio.timeout(60):
        async for _ in railway.subscribe():
            if record.is_stopped:
                break
    redeploy = "mutation ($id: String!) { deploymentRedeploy(id: $id) { id status } }"
    answer = await ask(http, railway, redeploy, id=record.id)
    async with asyncio.timeout(60):
        async for _ in railway.subscribe():
            if service.active is not record:
                break

    assert service.active is not None
    assert service.active.id == answer["data"]["deploymentRedeploy"]["id"]
    assert service.active.commit == record.commit


async def test_deploy_reports_the_new_id(http: httpx.AsyncClient, railway: LocalRailway) -> None:
    service = railway.find_service(WORKER)
    deploy = """mutation ($environment: String!, $service: String!, $sha: String) {
        serviceInstanceDeployV2(environmentId: $environment, serviceId: $service, commitSha: $sha) }"""
    place = {"environment": railway.place.environment_id, "service": service.id}

    answer = await ask(http, railway, deploy, **place, sha="8d02b64e")
    unknown = await ask(http, railway, deploy, **place, sha="0123456789")

    assert answer["data"]["serviceInstanceDeployV2"] == service.deployments[-1].id
    assert unknown["errors"][0]["message"] == "Commit not found"


async def test_control_kills_and_starts_a_replica(http: httpx.AsyncClient, railway: LocalRailway) -> None:
    service = railway.find_service(WORKER)
    state = (await http.get("/control/railway/state")).json()
    replica = state["services"][1]["replicas"][0]["id"]

    await http.post("/control/railway/kill", json={"replica": replica})
    async with asyncio.timeout(60):
        async for _ in railway.subscribe():
            if railway.find_replica(replica).status == "CRASHED":
                break
    await http.post("/control/railway/start", json={"replica": replica})
    await until_running(railway, service, 1)

    assert service.active is not None
    assert service.active.status == "SUCCESS"


@pytest.mark.parametrize(
    ("order", "body", "status"),
    [
        ("kill", {"replica": "none"}, 404),
        ("deploy", {"service": API, "sha": "0000000"}, 404),
        ("restart", {"service": "none"}, 404),
        ("scale", {"service": API, "replicas": 0}, 422),
        ("latency", {"seconds": -1}, 422),
        ("faults", {"delay_s": "long"}, 422),
        ("faults", {"http_status": 500}, 200),
        ("latency", {"seconds": 0.5}, 200),
    ],
)
async def test_control_reports_what_is_wrong(
    http: httpx.AsyncClient, order: str, body: dict[str, object], status: int
) -> None:
    assert (await http.post(f"/control/railway/{order}", json=body)).status_code == status
