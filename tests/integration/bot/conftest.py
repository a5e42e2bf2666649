"""A world over a real database, with Railway and the API standing in at the wire."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest

from bot.config.environment import Settings
from bot.world import World
from playbooks.checks.api import NEEDED
from services.clients.dragonfly_api.client import DragonflyApi
from services.clients.postgres.pool import Database
from services.clients.railway.client import RailwayClient
from services.clients.railway.transport import TokenKind
from services.domain.health import Endpoint
from services.domain.secrets import Secret
from services.domain.services import Service
from services.domain.systems import RUNBOOK
from tests.conftest import DatabaseUrls
from tests.outside import PATIENCE_S

SHA = "a1b2c3d4e5f60718293a4b5c6d7e8f9012345678"
MODULES = {Service.API: "api", Service.INGEST: "ingest_worker", Service.ENFORCEMENT: "enforcement_worker"}

LONG_AGO = timedelta(minutes=90)  # a deployment too old to have caused a new fault


@dataclass
class Outside:
    """The answers of Railway and the API, and their delays. A test changes it before it asks.

    `latest`: fields in which Railway's newest deployment of a service differs from the active one; `nodes`: fields in
    which the service itself differs. `manual`: services that a push to main does not deploy. `commits`: the deployed
    commits that are not `SHA`. `memory`: GB of 0.5, every 30 s until now; 0.2 by default. `api_refuses`: the API
    refuses connections. `most_at_once`: the peak of concurrent requests. The API delays its answers until
    `api_may_answer` is set, Railway until `railway_may_answer` is.
    """

    replicas: dict[Service, int] = field(default_factory=lambda: dict.fromkeys(RUNBOOK.services, 1))
    health: dict[str, Any] = field(default_factory=dict)
    intake: dict[str, Any] = field(default_factory=dict)
    latest: dict[Service, dict[str, Any]] = field(default_factory=dict)
    nodes: dict[Service, dict[str, Any]] = field(default_factory=dict)
    instances: dict[Service, str] = field(default_factory=dict)
    manual: set[Service] = field(default_factory=set)
    commits: dict[Service, str] = field(default_factory=dict)
    memory: dict[Service, list[float]] = field(default_factory=dict)
    api_refuses: bool = False
    api_status: int = 200
    railway_status: int = 200
    api_delay_s: float = 0.0
    railway_delay_s: float = 0.0
    variables: dict[str, str] = field(default_factory=dict)
    logs: dict[Service, list[str]] = field(default_factory=dict)
    endpoints: set[Endpoint] = field(default_factory=lambda: set(NEEDED))
    api_may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    railway_may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    railway_logs_may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    most_at_once: int = 0
    _now: int = 0
    _deployed_at: datetime = field(default_factory=lambda: datetime.now(UTC) - LONG_AGO)

    def __post_init__(self) -> None:
        self.api_may_answer.set()
        self.railway_may_answer.set()
        self.railway_logs_may_answer.set()

    async def answer_api(self, request: httpx.Request) -> httpx.Response:
        if self.api_refuses:
            raise httpx.ConnectError("refused", request=request)
        async with self._under_way():
            await asyncio.sleep(self.api_delay_s)
            await self.api_may_answer.wait()
        if request.url.path == "/openapi.json":
            paths: dict[str, Any] = {endpoint.path: {endpoint.method.lower(): {}} for endpoint in self.endpoints}
            return httpx.Response(self.api_status, json={"paths": paths})
        now = datetime.now(UTC).isoformat()
        body = {"status": "ok", "environment": "prod", "git_sha": SHA[:8], "db_connected": True, "timestamp": now}
        if request.url.path.endswith("/intake/health"):
            body |= {"pending_jobs": 0, "last_batch_at": None} | self.intake
        return httpx.Response(self.api_status, json=body | self.health)

    async def answer_railway(self, request: httpx.Request) -> httpx.Response:
        async with self._under_way():
            await asyncio.sleep(self.railway_delay_s)
            await self.railway_may_answer.wait()
        if self.railway_status != 200:
            return httpx.Response(self.railway_status)
        document = json.loads(request.content)["query"]
        if "readVariables" in document:
            return httpx.Response(200, json={"data": {"variablesForServiceDeployment": self.variables}})
        if "readLogs" in document:
            await self.railway_logs_may_answer.wait()
            deployment_id = json.loads(request.content)["variables"]["deploymentId"]
            return httpx.Response(200, json={"data": {"deploymentLogs": self._lines(deployment_id)}})
        if "readMetrics" in document:
            return httpx.Response(200, json={"data": self._metrics()})
        if "readAutoDeploy" in document:
            service_id = json.loads(request.content)["variables"]["serviceId"]
            enabled = service_id not in {f"s-{service.short}" for service in self.manual}
            return httpx.Response(200, json={"data": {"serviceInstanceAutoDeployStatus": {"enabled": enabled}}})
        services = {"serviceInstances": {"edges": [{"node": self._node(service)} for service in RUNBOOK.services]}}
        return httpx.Response(200, json={"data": {"environment": {"name": "production", "config": None, **services}}})

    @contextlib.asynccontextmanager
    async def _under_way(self) -> AsyncIterator[None]:
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        try:
            yield
        finally:
            self._now -= 1

    def _metrics(self) -> dict[str, Any]:
        """Metrics as Railway returns them: by service and instance."""
        now = int(datetime.now(UTC).timestamp())

        def result(service: Service, kind: str, values: list[float]) -> dict[str, Any]:
            points = [{"ts": now - 30 * (len(values) - n - 1), "value": value} for n, value in enumerate(values)]
            tags = {"serviceId": f"s-{service.short}", "deploymentInstanceId": "i0"}
            return {"measurement": kind, "tags": tags, "values": points}

        nodes = [{"serviceId": f"s-{one.short}", "serviceName": one.value} for one in RUNBOOK.services]
        memory = [result(one, "MEMORY_USAGE_GB", self.memory.get(one, [0.2] * 20)) for one in RUNBOOK.services]
        limits = {"MEMORY_LIMIT_GB": 0.5, "CPU_USAGE": 0.1, "CPU_LIMIT": 2.0}
        return {
            "memory": memory,
            "now": [result(one, kind, [value]) for one in RUNBOOK.services for kind, value in limits.items()],
            "environment": {"serviceInstances": {"edges": [{"node": node} for node in nodes]}},
        }

    def _lines(self, deployment_id: str) -> list[dict[str, Any]]:
        """The log lines of a deployment, 1 s apart, the newest now."""
        service = next(service for service in RUNBOOK.services if deployment_id == f"d-{service.short}")
        messages, now = self.logs.get(service, []), datetime.now(UTC)
        times = [now - timedelta(seconds=len(messages) - n - 1) for n in range(len(messages))]
        tags = {"deploymentInstanceId": "i0"}
        return [
            {"timestamp": at.isoformat(), "severity": "info", "message": message, "tags": tags}
            for at, message in zip(times, messages, strict=True)
        ]

    def _node(self, service: Service) -> dict[str, Any]:
        status = self.instances.get(service, "RUNNING")
        replicas = [{"id": f"i{n}", "status": status} for n in range(self.replicas[service])]
        deployment = {
            "id": f"d-{service.short}",
            "status": "SUCCESS",
            "createdAt": self._deployed_at.isoformat(),
            "meta": {"commitHash": self.commits.get(service, SHA), "commitMessage": "Fix it", "commitAuthor": "Ann"},
            "instances": replicas,
        }
        return {
            "serviceId": f"s-{service.short}",
            "serviceName": service.value,
            "startCommand": f"python -m services.{MODULES[service]}",
            "numReplicas": len(replicas),
            "activeDeployments": [deployment],
            "latestDeployment": deployment | self.latest.get(service, {}),
        } | self.nodes.get(service, {})


@pytest.fixture
def outside() -> Outside:
    return Outside()


MakeWorld = Callable[..., World]


@pytest.fixture
async def make_world(outside: Outside) -> AsyncIterator[MakeWorld]:
    """`make_world(dsn, timeout_s=…)`: a world over that database. All are closed at the end."""
    worlds: list[World] = []

    def make(dsn: str | None, *, timeout_s: float = 30.0) -> World:
        named = Settings.from_environment({"ENVIRONMENT": "prod", "SUPABASE_MODE": "prod"})
        settings = replace(named, source_timeout_s=timeout_s)
        world = World(
            settings,
            database=Database.connect_lazily(Secret(dsn), application_name="test", timeout_s=60.0) if dsn else None,
            railway=RailwayClient(
                url="http://railway.test/graphql",
                token=Secret("t"),
                token_kind=TokenKind.PROJECT,
                project_id="p",
                environment_id="e",
                transport=httpx.MockTransport(outside.answer_railway),
            ),
            api=DragonflyApi(
                "http://api.test", None, transport=httpx.MockTransport(outside.answer_api), system=RUNBOOK.name
            ),
            git_sha=SHA,
        )
        worlds.append(world)
        return world

    yield make
    for world in worlds:
        await world.close()


@pytest.fixture
def world(make_world: MakeWorld, database_urls: DatabaseUrls) -> World:
    """A world over a migrated database, as `dragonfly_bot`."""
    return make_world(database_urls.bot)


@dataclass
class System:
    """The operated system, changed as its owner."""

    conn: psycopg.Connection[Any]

    def beat(self, worker_id: str, worker_type: str = "ingest_processor", *, ago_s: float = 0, **more: object) -> None:
        """Write a worker's heartbeat row; `more` are further columns."""
        row = {"status": "running", "git_sha": SHA[:8], **more}
        row |= {"worker_id": worker_id, "worker_type": worker_type}
        row["last_heartbeat_at"] = datetime.now(UTC) - timedelta(seconds=ago_s)
        names, places = ", ".join(row), ", ".join(f"%({name})s" for name in row)
        self.conn.execute(f"INSERT INTO ops.worker_heartbeats ({names}) VALUES ({places})", row)  # noqa: S608 - our names

    def work(self) -> None:
        """One worker of each type sends a heartbeat."""
        self.beat("ingest-1")
        self.beat("enforcement-1", "enforcement_engine")

    def run(self, sql: str) -> None:
        self.conn.execute(sql)

    async def evaluated(self, *, after_s: float | None = None) -> None:
        """Wait for an evaluation of the alert rules: for any, or for one at least so many seconds from now."""
        found = self.conn.execute("SELECT clock_timestamp() + make_interval(secs => %s)", [after_s or 0.0]).fetchone()
        assert found is not None
        since = datetime.min.replace(tzinfo=UTC) if after_s is None else found[0]
        query = "SELECT FROM chatops.watch WHERE looked_at >= %s"
        async with asyncio.timeout(PATIENCE_S):
            while self.conn.execute(query, [since]).fetchone() is None:
                await asyncio.sleep(0.02)


@pytest.fixture
def system(database_urls: DatabaseUrls) -> Iterator[System]:
    with psycopg.connect(database_urls.owner, autocommit=True) as conn:
        yield System(conn)
