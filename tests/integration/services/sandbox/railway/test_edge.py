"""The API's public address."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from services.sandbox.railway.local import LocalRailway
from services.sandbox.railway.replica import Replica

API = "dragonfly-api"


@pytest.fixture
async def http(railway: LocalRailway) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=railway.edge_url, trust_env=False, timeout=60.0) as client:
        yield client


def replicas_of(railway: LocalRailway) -> list[Replica]:
    active = railway.find_service(API).active
    assert active is not None
    return active.replicas


async def test_shares_requests_among_replicas(railway: LocalRailway, http: httpx.AsyncClient) -> None:
    railway.scale(API, 2)
    seen: set[str] = set()
    async with asyncio.timeout(60):
        while len(seen) < 2:
            answer = await http.get("/")
            seen |= {answer.text.split()[-1]} if answer.status_code == 200 else set()

    assert seen == {replica.id for replica in replicas_of(railway)}


async def test_passes_bodies_on(http: httpx.AsyncClient) -> None:
    body = bytes(range(256)) * 4000

    answer = await http.post("/upload", content=body)

    assert answer.status_code == 201
    assert answer.content == body[::-1]


async def test_reports_that_the_application_does_not_respond(railway: LocalRailway, http: httpx.AsyncClient) -> None:
    (replica,) = replicas_of(railway)
    railway.kill(replica.id)
    async with asyncio.timeout(60):
        async for _ in railway.subscribe():
            if not replica.is_running:
                break

    answer = await http.get("/api/health")

    assert answer.status_code == 502
    assert answer.json()["message"] == "Application failed to respond"


async def test_frozen_replica_lets_callers_wait(railway: LocalRailway, http: httpx.AsyncClient) -> None:
    (replica,) = replicas_of(railway)
    railway.freeze(replica.id)

    with pytest.raises(httpx.ReadTimeout):
        await http.get("/", timeout=2.0)
    railway.thaw(replica.id)

    assert (await http.get("/")).status_code == 200


async def test_latency_slows_every_request(railway: LocalRailway, http: httpx.AsyncClient) -> None:
    railway.set_latency(0.25)

    answer = await http.get("/")

    assert answer.elapsed.total_seconds() >= 0.25
    assert railway.snapshot().edge_latency_s == 0.25


async def test_adds_no_headers_of_its_own_making(railway: LocalRailway) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(railway.edge_url.rsplit(":", 1)[1]))
    writer.write(b"HEAD /head HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\n\r\n")
    answer = (await reader.read()).decode()
    writer.close()
    await writer.wait_closed()

    assert answer.startswith("HTTP/1.1 200")
    assert "Host=api.test" in answer
    assert "Accept-Encoding" not in answer
