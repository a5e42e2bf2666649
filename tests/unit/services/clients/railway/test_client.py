"""The Railway client with answers that the local Railway does not give."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from services.clients.railway.client import RailwayClient
from services.clients.railway.transport import TokenKind
from services.domain.deployments import DeploymentStatus, list_others
from services.domain.errors import SourceError
from services.domain.secrets import Secret
from services.domain.services import Service
from services.domain.systems import CIVIL, RUNBOOK


class Railway:
    """A Railway that answers with one service instance, or refuses `config`; keeps the variables of each request."""

    def __init__(self, *, refuses_config: bool = False, answer: object = None) -> None:
        self.asked: list[dict[str, Any]] = []
        self._refuses_config = refuses_config
        self._answer = answer

    def __call__(self, request: httpx.Request) -> httpx.Response:
        variables = json.loads(request.content)["variables"]
        self.asked.append(variables)
        if self._answer is not None:
            return httpx.Response(200, json=self._answer)
        if self._refuses_config and variables["withConfig"]:
            error = {"message": "Not Authorized", "path": ["environment", "config"]}
            return httpx.Response(200, json={"errors": [error], "data": None})
        node = {"serviceId": "s1", "serviceName": "dragonfly-api", "numReplicas": 2, "activeDeployments": []}
        environment = {"config": {}, "serviceInstances": {"edges": [{"node": node}]}}
        return httpx.Response(200, json={"data": {"environment": environment}})


def client(railway: Callable[[httpx.Request], httpx.Response], names: dict[str, str] | None = None) -> RailwayClient:
    return RailwayClient(
        url="http://railway.test/graphql",
        token=Secret("made-up-token"),
        token_kind=TokenKind.PROJECT,
        project_id="p",
        environment_id="e",
        names=names,
        transport=httpx.MockTransport(railway),
    )


async def test_service_that_the_environment_does_not_have_is_absent() -> None:
    services = await client(Railway()).read_services()

    assert list(services) == [Service.API]
    assert services[Service.API].replicas_configured == 2


async def test_service_that_no_system_has_is_read_and_named() -> None:
    node = {"serviceId": "s9", "serviceName": "redis", "numReplicas": 1, "activeDeployments": []}
    answer = {"data": {"environment": {"config": {}, "serviceInstances": {"edges": [{"node": node}]}}}}

    services = await client(Railway(answer=answer)).read_services(RUNBOOK.services)

    assert list(services) == [Service("redis")]
    assert list_others(services, RUNBOOK) == ("redis",)


async def test_service_with_another_name_in_railway_is_ours() -> None:
    node = {"serviceId": "s4", "serviceName": "simplicity-prod", "numReplicas": 1, "activeDeployments": []}
    answer = {"data": {"environment": {"config": {}, "serviceInstances": {"edges": [{"node": node}]}}}}
    reader = client(Railway(answer=answer), names={"simplicity-prod": Service.SIMPLICITY.value})

    services = await reader.read_services(CIVIL.services)

    assert list(services) == [Service.SIMPLICITY]
    assert await reader.find_service_id(Service.SIMPLICITY) == "s4"


async def test_asking_for_a_missing_service_reports_so() -> None:
    with pytest.raises(SourceError, match="no service called dragonfly-worker-ingest"):
        await client(Railway()).read_service(Service.INGEST)


async def test_token_that_may_not_read_the_configuration_is_asked_for_it_once() -> None:
    railway = Railway(refuses_config=True)
    reader = client(railway)

    first, second = await reader.read_services(), await reader.read_services()

    assert [asked["withConfig"] for asked in railway.asked] == [True, False, False]
    assert first == second


@pytest.mark.parametrize(
    "answer",
    [
        {"data": {}},
        {"data": {"environment": None}},
        {"data": {"environment": {"serviceInstances": {"edges": [{"node": {"serviceName": "dragonfly-api"}}]}}}},
        {"data": {"environment": {"serviceInstances": {"edges": ["odd"]}}}},
    ],
)
async def test_answer_of_another_shape_is_an_error(answer: object) -> None:
    with pytest.raises(SourceError, match="unexpected shape"):
        await client(Railway(answer=answer)).read_services()


async def test_log_limit_stays_within_the_schemas_own() -> None:
    railway = Railway(answer={"data": {"deploymentLogs": []}})

    assert await client(railway).read_logs("d1", limit=100_000) == []
    assert railway.asked[0]["limit"] == 5000


def node(service: Service, **changes: object) -> dict[str, Any]:
    made = {"id": f"d-{service.short}", "status": "SUCCESS", "createdAt": "2026-01-05T12:00:00Z", "instances": []}
    whole = {"serviceId": f"s-{service.short}", "serviceName": service.value, "numReplicas": 1}
    return whole | {"activeDeployments": [made], "latestDeployment": made} | changes


def answer_with_error(path: list[object] | None, **ingest: object) -> Railway:
    """A Railway that answers with all three services, ingest second, and with an error at this path."""
    edges: list[object] = [{"node": node(one)} for one in RUNBOOK.services]
    edges[1] = ingest["edge"] if "edge" in ingest else {"node": node(Service.INGEST, **ingest)}
    error: dict[str, object] = {"message": "Problem processing request"}
    data = {"environment": {"config": None, "serviceInstances": {"edges": edges}}}
    return Railway(answer={"data": data, "errors": [error if path is None else error | {"path": path}]})


INGEST_NODE = ["environment", "serviceInstances", "edges", 1, "node"]


@pytest.mark.parametrize(
    ("path", "ingest"),
    [
        ([*INGEST_NODE, "latestDeployment"], {"latestDeployment": None}),
        ([*INGEST_NODE, "latestDeployment", "status"], {"latestDeployment": None}),
        ([*INGEST_NODE, "activeDeployments"], {"activeDeployments": None}),
        ([*INGEST_NODE, "activeDeployments", 0, "id"], {"activeDeployments": [None]}),
        ([*INGEST_NODE, "activeDeployments"], {"edge": {"node": None}}),
        (INGEST_NODE, {"edge": None}),
    ],
)
async def test_a_field_that_fails_takes_only_its_own_service_away(path: list[object], ingest: dict[str, Any]) -> None:
    services = await client(answer_with_error(path, **ingest)).read_services(RUNBOOK.services)

    assert services[Service.INGEST].unknown == "it answered with an error: Problem processing request"
    assert services[Service.INGEST].replicas_wanted is None
    assert [services[one].unknown for one in (Service.API, Service.ENFORCEMENT)] == [None, None]
    assert services[Service.API].serving is not None


@pytest.mark.parametrize("field", ["drainingSeconds", "healthcheckPath"])
async def test_read_services_ignores_an_error_of_an_optional_field(field: str) -> None:
    services = await client(answer_with_error([*INGEST_NODE, field], **{field: None})).read_services()

    assert services[Service.INGEST].unknown is None
    assert services[Service.INGEST].serving is not None


@pytest.mark.parametrize(
    "path", [None, ["environment"], ["environment", "serviceInstances", "edges"], ["other", "x", 1]]
)
async def test_read_services_fails_on_an_error_without_a_service(path: list[object] | None) -> None:
    with pytest.raises(SourceError, match="Problem processing request"):
        await client(answer_with_error(path)).read_services()


async def test_a_service_that_railway_failed_to_report_of_cannot_be_asked_for() -> None:
    with pytest.raises(SourceError, match="Problem processing request"):
        await client(answer_with_error(INGEST_NODE, edge=None)).read_service(Service.INGEST)


async def test_a_service_of_odd_shape_is_unknown_and_the_others_are_not() -> None:
    edges = [{"node": node(one)} for one in RUNBOOK.services]
    edges[1]["node"]["latestDeployment"] = {"id": "no time"}
    data = {"environment": {"config": None, "serviceInstances": {"edges": edges}}}

    services = await client(Railway(answer={"data": data})).read_services()

    assert services[Service.INGEST].unknown == "its answer has an unexpected shape (KeyError)"
    assert services[Service.API].serving is not None


async def test_a_deployment_without_status_or_instances_is_there_all_the_same() -> None:
    bare = {"id": "d", "createdAt": "2026-01-05T12:00:00Z", "instances": [{"id": "i"}, None]}
    edges = [{"node": node(Service.API, latestDeployment=bare)}]
    data = {"environment": {"config": None, "serviceInstances": {"edges": edges}}}

    latest = (await client(Railway(answer={"data": data})).read_services())[Service.API].latest

    assert latest is not None
    assert latest.status is DeploymentStatus.UNKNOWN
    assert [one.status for one in latest.instances] == ["UNKNOWN", "UNKNOWN"]


_LISTED = {
    "id": "d1",
    "status": "SUCCESS",
    "createdAt": "2026-01-02T03:04:05Z",
    "canRollback": True,
    "meta": {"commitHash": "a" * 40},
    "creator": None,
    "instances": [],
}


class Deployments:
    """A Railway with one service, whose list of deployments comes with an error at this path."""

    def __init__(self, nodes: list[object], *path: object) -> None:
        self._answer = {
            "data": {"deployments": {"edges": [{"node": node} for node in nodes]}},
            "errors": [{"message": "User not found", "path": path}],
        }

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if "input" in json.loads(request.content)["variables"]:
            return httpx.Response(200, json=self._answer)
        node = {"serviceId": "s1", "serviceName": "dragonfly-api"}
        return httpx.Response(200, json={"data": {"environment": {"serviceInstances": {"edges": [{"node": node}]}}}})


async def test_deployments_are_listed_though_the_account_that_made_one_is_gone() -> None:
    railway = Deployments([_LISTED], "deployments", "edges", 0, "node", "creator")

    listed = await client(railway).list_deployments(Service.API)

    assert [(one.id, one.author) for one in listed] == [("d1", None)]


@pytest.mark.parametrize(
    ("nodes", "path"),
    [
        ([None, _LISTED], ("deployments", "edges", 0, "node")),
        ([_LISTED], ("deployments", "edges", 0, "node", "meta")),  # it holds the commit
        ([_LISTED], ()),
    ],
)
async def test_list_of_deployments_that_may_lack_one_is_refused(nodes: list[object], path: tuple[object, ...]) -> None:
    with pytest.raises(SourceError, match="it answered with an error"):
        await client(Deployments(nodes, *path)).list_deployments(Service.API)
