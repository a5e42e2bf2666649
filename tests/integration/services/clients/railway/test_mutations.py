"""Mutations of the bot at Railway, and the outcome that it reports when a call fails."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from services.clients.railway.client import RailwayClient
from services.clients.railway.mutations import RailwayMutations
from services.clients.railway.transport import TokenKind
from services.domain.deployments import DeploymentStatus
from services.domain.errors import SourceError
from services.domain.secrets import Secret
from services.domain.services import Service
from services.sandbox.railway.local import LocalRailway
from tests.integration.services.clients.railway.conftest import TOKEN
from tests.outside import PATIENCE_S
from tests.wire import Wire

INGEST = "dragonfly-worker-ingest"


def soon() -> float:
    return time.monotonic() + PATIENCE_S


@pytest.fixture
async def wire(railway_url: str) -> AsyncIterator[Wire]:
    async with Wire(railway_url).serve() as wire:
        yield wire


@pytest.fixture
def timeout_s() -> float:
    return 30.0


@pytest.fixture
async def over_wire(railway: LocalRailway, wire: Wire, timeout_s: float) -> AsyncIterator[RailwayClient]:
    client = RailwayClient(
        url=wire.url,
        token=Secret(TOKEN),
        token_kind=TokenKind.PROJECT,
        project_id=railway.place.project_id,
        environment_id=railway.place.environment_id,
        timeout_s=timeout_s,
    )
    yield client
    await client.aclose()


@pytest.fixture
def mutations(over_wire: RailwayClient) -> RailwayMutations:
    return RailwayMutations(over_wire)


async def test_scaling_keeps_the_regions_that_it_does_not_name(
    railway: LocalRailway, mutations: RailwayMutations
) -> None:
    service = railway.find_service(INGEST)
    region = next(iter(service.regions))
    service.regions["us-west2"] = 1

    await mutations.scale(Service.INGEST, {region: 3}, deadline=soon())

    assert service.regions == {region: 3, "us-west2": 1}


@pytest.mark.parametrize("regions", [{}, {"eu": 0}, {"eu": 1, "us": -1}])
async def test_no_region_is_ever_removed(mutations: RailwayMutations, wire: Wire, regions: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least one replica"):
        await mutations.scale(Service.INGEST, regions, deadline=soon())

    assert wire.mutations == []


async def test_deploys_stops_restarts_and_rolls_back(
    railway: LocalRailway, mutations: RailwayMutations, client: RailwayClient
) -> None:
    old = railway.find_service(INGEST).active
    assert old is not None

    made = await mutations.deploy_commit(Service.INGEST, railway.commits[0].sha, deadline=soon())
    await _until(lambda: railway.find_service(INGEST).active is not old)
    again = await mutations.redeploy(str(made), deadline=soon())
    await _until(lambda: railway.find_service(INGEST).active.id == again)  # type: ignore[union-attr]
    await mutations.roll_back(old.id, deadline=soon())
    await _until(lambda: railway.find_service(INGEST).active.id not in (old.id, made, again))  # type: ignore[union-attr]
    active = railway.find_service(INGEST).active
    assert active is not None
    await mutations.restart(active.id, deadline=soon())
    await _until(lambda: active.status is DeploymentStatus.SUCCESS)
    await mutations.stop(active.id, deadline=soon())
    await _until(lambda: active.is_stopped)

    assert active.commit.sha == old.commit.sha
    newest, *_ = await client.list_deployments(Service.INGEST)
    assert newest.id == active.id


async def test_auto_deploy_is_switched_and_read(mutations: RailwayMutations, client: RailwayClient) -> None:
    await mutations.set_auto_deploy(Service.API, enabled=False, deadline=soon())

    assert await client.read_auto_deploy(Service.API) is False
    assert await client.read_auto_deploy(Service.INGEST) is True


async def test_mutation_is_not_sent_after_its_deadline(mutations: RailwayMutations, wire: Wire) -> None:
    with pytest.raises(SourceError, match="send deadline") as raised:
        await mutations.stop("d1", deadline=time.monotonic() - 0.001)

    assert not raised.value.outcome_unknown
    assert wire.mutations == []


@pytest.mark.parametrize("timeout_s", [3.0])
@pytest.mark.parametrize("where", ["before", "after"])
async def test_silence_leaves_the_outcome_unknown(
    mutations: RailwayMutations, railway: LocalRailway, wire: Wire, where: str
) -> None:
    hold = wire.hold("stop", where)  # type: ignore[arg-type]
    active = railway.find_service(INGEST).active
    assert active is not None

    with pytest.raises(SourceError, match="no answer within") as raised:
        await mutations.stop(active.id, deadline=soon())

    assert raised.value.outcome_unknown
    assert wire.reached("stop") == (where == "after")
    hold.release()


@pytest.mark.parametrize(("status", "unknown"), [(500, True), (502, True), (504, True), (429, False), (401, False)])
async def test_only_a_refusal_is_certain(mutations: RailwayMutations, wire: Wire, status: int, unknown: bool) -> None:
    wire.status = status

    with pytest.raises(SourceError) as raised:
        await mutations.stop("d1", deadline=soon())

    assert raised.value.outcome_unknown is unknown


async def test_connection_cut_after_the_request_leaves_the_outcome_unknown(
    mutations: RailwayMutations, wire: Wire
) -> None:
    wire.lose("stop", "before")

    with pytest.raises(SourceError, match="cannot be reached") as raised:
        await mutations.stop("d1", deadline=soon())

    assert raised.value.outcome_unknown


async def test_railway_that_no_one_reaches_did_nothing() -> None:
    client = RailwayClient(
        url="http://127.0.0.1:9/", token=Secret("t"), token_kind=TokenKind.PROJECT, project_id="p", environment_id="e"
    )

    with pytest.raises(SourceError) as raised:
        await RailwayMutations(client).stop("d1", deadline=soon())
    await client.aclose()

    assert (raised.value.outcome_unknown, raised.value.retryable) == (False, True)


async def test_railways_own_no_is_certain(mutations: RailwayMutations) -> None:
    with pytest.raises(SourceError, match="Deployment not found") as raised:
        await mutations.stop("no-such-deployment", deadline=soon())

    assert not raised.value.outcome_unknown


async def test_true_followed_by_nothing_looks_like_success(mutations: RailwayMutations, railway: LocalRailway) -> None:
    """The reason why every act is read back."""
    railway.faults.ignore_changes = True
    active = railway.find_service(INGEST).active
    assert active is not None

    await mutations.stop(active.id, deadline=soon())

    assert not active.is_stopped


async def _until(is_so: object) -> None:
    assert callable(is_so)
    async with asyncio.timeout(PATIENCE_S):
        while not is_so():
            await asyncio.sleep(0.02)
