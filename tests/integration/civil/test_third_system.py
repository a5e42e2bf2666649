"""A tiny third system on a real database: one value, its queries and one reader are all that the bot needs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import httpx
import pytest

from bot.commands.dispatch import run
from bot.config.environment import Settings
from bot.types import Request, Surface
from bot.world import World
from playbooks.model import Status
from services.clients.dragonfly_api import client
from services.clients.dragonfly_api.civil import CivilReader
from services.clients.dragonfly_api.http import ApiHttp
from services.clients.postgres import queries
from services.clients.postgres import systems as catalogue
from services.clients.postgres.pool import Connection, Database
from services.domain import systems
from services.domain.health import ApiHealth
from services.domain.secrets import Secret
from services.domain.systems import RUNBOOK, System
from tests.integration.civil.conftest import Civil
from tests.messages.render import answer_text
from tests.owl import declared_owl

TABLES = """
    CREATE SCHEMA owl;
    CREATE TABLE owl.birds (name text, seen_at timestamptz NOT NULL DEFAULT now());
    CREATE TABLE owl.hunts (prey text);
    INSERT INTO owl.birds VALUES ('owl-1');
    CREATE ROLE owl_reader LOGIN;
    GRANT USAGE ON SCHEMA owl TO owl_reader;
    GRANT SELECT ON ALL TABLES IN SCHEMA owl TO owl_reader;
"""
HEARTBEATS = """-- name: list_heartbeats
-- Every bird.
SELECT name AS worker_id, 'owl_hunter' AS worker_type, 'running' AS status, seen_at AS last_heartbeat_at
FROM owl.birds;
"""


class OwlReader(CivilReader):
    """The reader of an API that reports its commit."""

    async def read_health(self, http: ApiHttp) -> ApiHealth:
        response, elapsed_ms = await http.send("GET", "nest", accept=(200,))
        return ApiHealth(200, "ok", None, response.json()["commit"], None, None, elapsed_ms)


@pytest.fixture
def owl(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[System]:
    """Adds the three parts of a third system where the other systems have theirs."""
    (tmp_path / "heartbeats.sql").write_text(HEARTBEATS)
    with declared_owl() as system:
        found = {**queries.DIALECTS, system.name: MappingProxyType(queries.read_queries(tmp_path))}
        monkeypatch.setattr(queries, "DIALECTS", MappingProxyType(found))
        monkeypatch.setattr(client, "READERS", {**client.READERS, system.name: OwlReader()})
        monkeypatch.setattr(systems, "SYSTEMS", (*systems.SYSTEMS, system))
        monkeypatch.setattr(catalogue, "TABLES", systems.TABLES | {"owl.birds", "owl.hunts"})
        yield system


@pytest.fixture
async def world(owl: System, civil: Civil, as_owner: Connection) -> AsyncIterator[World]:  # noqa: ARG001
    for schema in ("ops", "intake"):
        await as_owner.execute(f"DROP SCHEMA {schema} CASCADE".encode())
    await as_owner.execute(TABLES.encode())
    database = Database.connect_lazily(
        Secret(civil.dsn("owl_reader")), application_name="test", timeout_s=60.0, recognize=catalogue.read_system
    )
    settings = Settings.from_environment({"ENVIRONMENT": "dev", "SUPABASE_MODE": "dev"})
    nest = httpx.MockTransport(lambda request: httpx.Response(200, json={"commit": f"c0ffee{request.url.path[1:2]}0"}))
    api = client.DragonflyApi("http://owl.test", None, timeout_s=30.0, transport=nest, system=RUNBOOK.name)
    made = World(replace(settings, source_timeout_s=30.0), database=database, api=api)
    yield made
    await made.close()
    await as_owner.execute(b"DROP SCHEMA owl CASCADE; DROP ROLE owl_reader")


async def test_third_system_is_recognized_and_read_by_its_queries_and_its_reader(world: World, owl: System) -> None:
    answer = await run("heartbeats", Request(surface=Surface.TERMINAL), world)
    health = await world.api_health()

    assert world.system == owl
    assert "owl-1" in answer_text(answer)
    assert isinstance(health, ApiHealth)
    assert health.git_sha == "c0ffeen0"


async def test_third_system_hides_no_row_unnoticed(world: World, as_owner: Connection) -> None:
    await as_owner.execute(b"ALTER TABLE owl.birds ENABLE ROW LEVEL SECURITY")

    answer = await run("heartbeats", Request(surface=Surface.TERMINAL), world)

    assert answer.status is Status.UNKNOWN
    assert "row-level security may hide workers" in answer_text(answer)
