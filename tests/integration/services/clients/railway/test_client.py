"""The client against the local Railway, over real HTTP."""

from __future__ import annotations

import asyncio
import time

import pytest

from services.clients.railway.client import RailwayClient
from services.clients.railway.mutations import MUTATIONS
from services.clients.railway.transport import TokenKind
from services.domain.deployments import DeploymentStatus, LogLine
from services.domain.errors import SourceError
from services.domain.secrets import Secret
from services.domain.services import Service
from services.domain.systems import RUNBOOK
from services.sandbox.railway.local import LocalRailway
from services.sandbox.railway.model import Faults
from tests.outside import PATIENCE_S

GOOD = "c45e17a90b8f3d62e1740ca85d9b36f2081ce7d4"
WHOLE_OUTPUT = 9
RETRY_AFTER_S = 2


async def whole_output(client: RailwayClient, deployment_id: str) -> list[LogLine]:
    """Return both replicas' log lines, once all are there."""
    async with asyncio.timeout(PATIENCE_S):
        while len(lines := await client.read_logs(deployment_id)) < 2 * WHOLE_OUTPUT:
            await asyncio.sleep(0.05)
    return lines


async def test_reads_all_services_in_one_request(client: RailwayClient, railway: LocalRailway) -> None:
    services = await client.read_services()

    ingest = services[Service.INGEST]
    assert set(services) == set(RUNBOOK.services)
    assert ingest.replicas_configured == 2
    assert ingest.serving is not None
    assert ingest.serving.running_instances == 2
    assert ingest.serving.commit_sha == GOOD
    assert ingest.start_command is not None
    assert ingest.link is not None
    assert railway.place.environment_id in ingest.link
    assert services[Service.API].healthcheck_path == "/api/live"
    assert client.rate_limit is not None
    assert client.rate_limit.limit - client.rate_limit.remaining == 1


async def test_a_bearer_token_works_as_well(client: RailwayClient, railway: LocalRailway, railway_url: str) -> None:
    place = railway.place
    other = RailwayClient(
        url=railway_url,
        token=Secret(railway.token),
        token_kind=TokenKind.BEARER,
        project_id=place.project_id,
        environment_id=place.environment_id,
    )
    try:
        assert await other.read_environment_name() == await client.read_environment_name() == "sandbox"
    finally:
        await other.aclose()


async def test_lists_the_newest_deployments_first(client: RailwayClient) -> None:
    deployments = await client.list_deployments(Service.API)
    newest = await client.list_deployments(Service.API, limit=1)

    assert [one.created_at for one in deployments] == sorted((one.created_at for one in deployments), reverse=True)
    assert [one.status for one in deployments] == [DeploymentStatus.SUCCESS] + 2 * [DeploymentStatus.REMOVED]
    assert all(one.can_rollback for one in deployments)
    assert newest == deployments[:1]


async def test_sees_what_failed_and_what_serves(client: RailwayClient, railway: LocalRailway) -> None:
    failed = railway.deploy(Service.API, "e9a70d3b")
    async with asyncio.timeout(PATIENCE_S):
        async for _ in railway.subscribe():
            if failed.status is DeploymentStatus.FAILED:
                break

    api = await client.read_service(Service.API)

    assert api.latest is not None
    assert api.latest.id == failed.id
    assert api.latest.status is DeploymentStatus.FAILED
    assert api.serving is not None
    assert api.serving.commit_sha == GOOD
    assert "Healthcheck failed" in (await client.read_build_logs(failed.id))[-1].message


async def test_reads_the_last_lines_of_a_log(client: RailwayClient) -> None:
    ingest = await client.read_service(Service.INGEST)
    assert ingest.serving is not None
    lines = await whole_output(client, ingest.serving.id)

    last = await client.read_logs(ingest.serving.id, limit=3)
    errors = await client.read_logs(ingest.serving.id, filter="@level:error")

    assert last == lines[-3:]
    assert [line.message for line in errors] == ["bad news", "bad news"]
    assert {line.replica_id for line in lines} == {instance.id for instance in ingest.serving.instances}


async def test_reads_variables_as_secrets(client: RailwayClient) -> None:
    variables = await client.read_variables(Service.INGEST)

    assert variables["SUPABASE_MODE"].reveal() == "dev"
    assert "dev" not in repr(variables)


async def test_obeys_retry_after_without_asking_again(client: RailwayClient, railway: LocalRailway) -> None:
    railway.faults = Faults(http_status=429, retry_after_s=RETRY_AFTER_S)
    with pytest.raises(SourceError, match="rate limit") as first:
        await client.read_services()
    assert client.rate_limit is not None
    used = client.rate_limit.remaining

    railway.faults = Faults()
    with pytest.raises(SourceError, match="wait"):
        await client.read_services()
    await asyncio.sleep(RETRY_AFTER_S + 0.1)
    await client.read_services()

    assert first.value.retryable
    assert client.rate_limit.remaining == used - 1


@pytest.mark.parametrize(
    ("faults", "why", "retryable"),
    [
        (Faults(http_status=500), "HTTP 500", True),
        (Faults(malformed=True), "not GraphQL", True),
        (Faults(refuse_token=True), "refuses our token", False),
    ],
)
async def test_reports_why_there_is_no_answer(
    client: RailwayClient, railway: LocalRailway, faults: Faults, why: str, retryable: bool
) -> None:
    railway.faults = faults

    with pytest.raises(SourceError, match=why) as raised:
        await client.read_services()

    assert raised.value.source == "Railway"
    assert raised.value.retryable is retryable
    assert railway.token not in str(raised.value)


async def test_reports_that_there_is_none_in_time(railway: LocalRailway, railway_url: str) -> None:
    railway.faults = Faults(delay_s=5.0)
    place = railway.place
    impatient = RailwayClient(
        url=railway_url,
        token=Secret(railway.token),
        token_kind=TokenKind.PROJECT,
        project_id=place.project_id,
        environment_id=place.environment_id,
        timeout_s=1.0,
    )

    with pytest.raises(SourceError, match="no answer within 1 s") as raised:
        await impatient.read_services()
    await impatient.aclose()

    assert raised.value.retryable


async def test_unknown_deployment_is_an_error_with_railways_reason(client: RailwayClient) -> None:
    with pytest.raises(SourceError, match="Deployment not found"):
        await client.read_logs("no-such-id")


async def change_variables(client: RailwayClient, service: Service, **variables: str | None) -> None:
    """Change a service's variables as a person does in the dashboard; None removes one."""
    entries = {name: None if value is None else {"value": value} for name, value in variables.items()}
    patch = {"services": {await client.find_service_id(service): {"variables": entries}}}
    arguments = {"environmentId": client.environment_id, "patch": patch, "message": "Change variables"}
    await client.transport.change(MUTATIONS["commit_patch"], arguments, deadline=time.monotonic() + PATIENCE_S)


async def test_names_the_variables_that_were_changed_and_never_their_values(client: RailwayClient) -> None:
    await change_variables(client, Service.INGEST, SUPABASE_MODE=None, CANARY="postgresql://canary")
    await change_variables(client, Service.API, DRAGONFLY_API_KEY="canary")
    await change_variables(client, Service.INGEST, LOG_LEVEL="debug")

    changes = await client.list_variable_changes(Service.INGEST)

    assert [change.names for change in changes] == [("LOG_LEVEL",), ("CANARY", "SUPABASE_MODE")]
    assert changes[0].changed_at > changes[1].changed_at
    assert "canary" not in repr(changes)
    assert set(await client.read_variables(Service.INGEST)) >= {"CANARY", "LOG_LEVEL"}
