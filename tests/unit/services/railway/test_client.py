"""The client against answers that the local Railway does not give."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from services.domain.errors import SourceError
from services.domain.secrets import Secret
from services.domain.services import Service
from services.railway.client import RailwayClient, TokenKind


class Railway:
    """Answers one service instance; refuses `config` when told so. Keeps the variables of each request."""

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


def client(railway: Railway) -> RailwayClient:
    return RailwayClient(
        url="http://railway.test/graphql",
        token=Secret("made-up-token"),
        token_kind=TokenKind.PROJECT,
        project_id="p",
        environment_id="e",
        transport=httpx.MockTransport(railway),
    )


async def test_service_that_the_environment_does_not_have_is_absent() -> None:
    services = await client(Railway()).read_services()

    assert list(services) == [Service.API]
    assert services[Service.API].replicas_configured == 2


async def test_asking_for_a_missing_service_says_so() -> None:
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
