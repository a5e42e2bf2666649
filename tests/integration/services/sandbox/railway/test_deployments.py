"""The states of a deployment on the local Railway, with real processes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import httpx

from services.sandbox.railway.local import LocalRailway
from services.sandbox.railway.model import Pace, ServiceSpec
from services.sandbox.railway.snapshot import ServiceView

API, WORKER = "dragonfly-api", "dragonfly-worker-ingest"
OLD, GOOD, CRASHES, ANSWERS_503 = "8d02b64e", "c45e17a9", "e9a70d3b", "b2680fd9"


def view(railway: LocalRailway, name: str) -> ServiceView:
    return next(service for service in railway.snapshot().services if service.name == name)


async def until(railway: LocalRailway, name: str, is_so: Callable[[ServiceView], bool]) -> ServiceView:
    """Wait until the service is in this state, and return it; the test fails after 60 s."""
    async with asyncio.timeout(60):
        async for _ in railway.subscribe():
            if is_so(service := view(railway, name)):
                return service
    raise AssertionError


def serves(sha: str) -> Callable[[ServiceView], bool]:
    return lambda service: (
        service.active is not None and service.active.sha.startswith(sha) and service.active.status == "SUCCESS"
    )


async def get(railway: LocalRailway, path: str = "/") -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as http:
        return await http.get(railway.edge_url + path)


async def test_starts_the_newest_good_commit_and_has_a_past(railway: LocalRailway) -> None:
    service = view(railway, API)

    assert (await get(railway)).text.startswith(GOOD)
    assert [one.status for one in service.deployments] == ["SUCCESS", "REMOVED", "REMOVED"]
    assert all(one.can_rollback for one in service.deployments)


async def test_deploy_replaces_the_old_processes(railway: LocalRailway) -> None:
    (before,) = view(railway, API).replicas

    railway.deploy(API, OLD)
    service = await until(railway, API, lambda it: serves(OLD)(it) and it.deployments[1].status == "REMOVED")

    (after,) = service.replicas
    assert after.pid != before.pid
    assert (await get(railway)).text.startswith(OLD)


async def test_commit_that_crashes_leaves_the_old_api_serving(railway: LocalRailway) -> None:
    failed = railway.deploy(API, CRASHES)
    service = await until(railway, API, lambda it: it.deployments[0].status == "FAILED")

    assert serves(GOOD)(service)
    assert (await get(railway)).text.startswith(GOOD)
    assert "FileNotFoundError" in failed.logs.entries[-2].message
    assert "Healthcheck failed" in failed.build_logs.entries[-1].message
    assert not failed.can_rollback


async def test_commit_that_answers_503_passes_the_health_check(railway: LocalRailway) -> None:
    railway.deploy(API, ANSWERS_503)
    await until(railway, API, serves(ANSWERS_503))

    assert (await get(railway, "/api/health")).status_code == 503
    assert (await get(railway, "/api/live")).status_code == 200


async def test_worker_that_crashes_has_replaced_the_old_one(railway: LocalRailway) -> None:
    railway.deploy(WORKER, CRASHES)
    service = await until(railway, WORKER, lambda it: it.deployments[0].status == "CRASHED")

    (replica,) = service.replicas
    assert service.active == service.deployments[0]
    assert (replica.status, replica.restarts, replica.pid) == ("CRASHED", 2, None)


async def test_newer_deploy_ends_the_one_on_its_way(railway: LocalRailway) -> None:
    first = railway.deploy(API, ANSWERS_503)
    railway.deploy(API, OLD)
    await until(railway, API, serves(OLD))

    assert first.status == "REMOVED"
    assert not first.can_rollback


async def test_scale_adds_and_drains_replicas(railway: LocalRailway) -> None:
    (kept,) = view(railway, WORKER).replicas

    railway.scale(WORKER, 3)
    grown = await until(railway, WORKER, lambda it: sum(one.status == "RUNNING" for one in it.replicas) == 3)
    railway.scale(WORKER, 1)
    shrunk = await until(railway, WORKER, lambda it: len(it.replicas) == 1)

    assert grown.replicas[0].pid == kept.pid
    assert shrunk.replicas[0].pid == kept.pid


async def test_replicas_that_are_leaving_are_not_counted(railway: LocalRailway) -> None:
    railway.scale(WORKER, 3)
    await until(railway, WORKER, lambda it: sum(one.status == "RUNNING" for one in it.replicas) == 3)

    railway.scale(WORKER, 1)
    await until(railway, WORKER, lambda it: any(one.status == "REMOVING" for one in it.replicas))
    railway.scale(WORKER, 3)
    service = await until(
        railway,
        WORKER,
        lambda it: len(it.replicas) == 3 and all(one.status == "RUNNING" for one in it.replicas),
    )

    assert service.replicas_configured == 3


async def test_three_deploys_at_once_leave_the_last_one(railway: LocalRailway) -> None:
    first, second, last = (railway.deploy(API, sha) for sha in (ANSWERS_503, GOOD, OLD))
    service = await until(railway, API, serves(OLD))

    assert service.active is not None
    assert service.active.id == last.id
    assert (first.status, second.status) == ("REMOVED", "REMOVED")


async def test_command_that_does_not_exist_reports_so(tmp_path: Path) -> None:
    spec = ServiceSpec(WORKER, ("no-such-program",))
    pace = Pace(build_s=0.0, max_restarts=0)
    railway = LocalRailway([spec], directory=tmp_path, working_directory=tmp_path, token="t", pace=pace)
    await railway.start()
    await until(railway, WORKER, lambda it: it.deployments[0].status == "CRASHED")
    first = railway.find_service(WORKER).deployments[-1].logs.entries[0]
    await railway.stop()

    assert first.severity == "error"
    assert first.message == "The container could not be started: no-such-program: No such file or directory"
