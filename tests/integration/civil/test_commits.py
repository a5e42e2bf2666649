"""The commit that a worker of `civil` runs: its heartbeat does not have it, the banner in its log does."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from bot.config.environment import Settings
from bot.world import World
from services.clients.postgres.pool import Database
from services.clients.postgres.systems import read_system
from services.clients.railway.client import RailwayClient
from services.clients.railway.transport import TokenKind
from services.domain.jobs import Heartbeat, HeartbeatReading
from services.domain.secrets import Secret
from services.domain.services import Service
from services.domain.systems import CIVIL
from tests.integration.civil.conftest import Civil

JANUARY = pytest.mark.parametrize("civil", ["january"], indirect=True)  # where the vintage makes no difference
SHA = "1a2b3c4d5e6f"
ID = "ingest_processor-0a1b2c3d"
BANNER = ("  Git SHA:       1a2b3c4d", f"  Worker ID:     {ID}")
NOW = datetime(2026, 11, 29, 8, tzinfo=UTC)


@dataclass
class Railway:
    """`logs`: the lines of the ingest worker's one deployment. `asked`: the number of log reads."""

    logs: list[str] = field(default_factory=list)
    asked: int = 0

    def answer(self, request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)
        if "readLogs" in asked["query"]:
            self.asked += 1
            return httpx.Response(200, json={"data": {"deploymentLogs": self._lines(asked["variables"]["filter"])}})
        services = {"serviceInstances": {"edges": [{"node": self._node()}]}}
        return httpx.Response(200, json={"data": {"environment": {"name": "dev", "config": None, **services}}})

    def _lines(self, words: str) -> list[dict[str, Any]]:
        times = [NOW + timedelta(seconds=n) for n in range(len(self.logs))]
        return [
            {"timestamp": at.isoformat(), "severity": "info", "message": line, "tags": {"deploymentInstanceId": "i0"}}
            for at, line in zip(times, self.logs, strict=True)
            if words.strip('"') in line
        ]

    def _node(self) -> dict[str, Any]:
        deployment = {"id": "d-1", "status": "SUCCESS", "createdAt": NOW.isoformat(), "meta": {}, "instances": []}
        return {
            "serviceId": "s-ingest",
            "serviceName": Service.INGEST.value,
            "numReplicas": 1,
            "activeDeployments": [deployment],
            "latestDeployment": deployment,
        }


@pytest.fixture
def railway() -> Railway:
    return Railway()


@pytest.fixture
async def world(civil: Civil, railway: Railway) -> AsyncIterator[World]:
    client = RailwayClient(
        url="http://railway.test",
        token=Secret("t"),
        token_kind=TokenKind.PROJECT,
        project_id="p",
        environment_id="e",
        transport=httpx.MockTransport(railway.answer),
    )
    database = Database.connect_lazily(Secret(civil.owner_dsn), application_name="test", recognize=read_system)
    world = World(Settings.from_environment({"ENVIRONMENT": "dev"}), database=database, railway=client)
    yield world
    await world.close()


def reading(**values: Any) -> HeartbeatReading:
    beat = Heartbeat(ID, "ingest_processor", "running", NOW, **values)
    return HeartbeatReading(NOW, (beat,))


@JANUARY
async def test_the_system_is_known_before_the_first_read(world: World) -> None:
    assert (await world.recognized()).name == CIVIL.name


@JANUARY
async def test_a_living_workers_commit_is_in_its_banner(world: World, railway: Railway) -> None:
    await world.recognized()
    railway.logs = [*BANNER, "  Poll Interval: 2.0s"]

    first = await world.with_commits(reading())
    again = await world.with_commits(reading())

    assert [beat.git_sha for beat in (*first.rows, *again.rows)] == ["1a2b3c4d"] * 2
    assert railway.asked == 2  # once per line


@JANUARY
async def test_civil_commit_is_unknown_without_a_banner(world: World, railway: Railway) -> None:
    await world.recognized()
    railway.logs = ["Received SIGTERM, initiating graceful shutdown..."]

    assert (await world.with_commits(reading())).rows[0].git_sha is None


@JANUARY
async def test_no_log_is_read_for_a_worker_that_reports_its_commit_or_is_gone(world: World, railway: Railway) -> None:
    await world.recognized()
    gone = HeartbeatReading(NOW + timedelta(hours=1), reading().rows)

    await world.with_commits(reading(git_sha=SHA))
    await world.with_commits(gone)

    assert railway.asked == 0
