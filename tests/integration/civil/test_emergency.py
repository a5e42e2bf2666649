"""The emergency stop does not wait until the database is recognized, and covers every worker once it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest

from bot import world as worlds
from bot.commands.dispatch import run
from bot.config.environment import Settings
from bot.types import Request, Surface
from bot.world import World
from services.clients.dragonfly_api.client import DragonflyApi
from services.clients.postgres.pool import Database
from services.clients.postgres.systems import read_system
from services.domain.secrets import Secret
from services.domain.systems import CIVIL
from tests.integration.civil.api_stub import KEY, CivilApi
from tests.integration.civil.conftest import Civil
from tests.integration.civil.railway_stub import SHORT, CivilRailway
from tests.integration.civil.test_golden import ENVIRON
from tests.messages.render import answer_text
from tests.wire import Line

TERMINAL = Request(surface=Surface.TERMINAL)
LINE = "stop-workers wrong amounts --dry-run"


@pytest.fixture
async def line(civil: Civil) -> AsyncIterator[Line]:
    async with Line(civil.owner_dsn).serve() as line:
        yield line


@pytest.fixture
async def world(civil: Civil, line: Line) -> AsyncIterator[World]:
    """A process that has just started and whose OPERATED_SYSTEM is not set."""
    settings = replace(Settings.from_environment(ENVIRON), source_timeout_s=30.0)
    database = Database.connect_lazily(
        Secret(line.dsn), application_name="dragonfly-bot", timeout_s=60.0, recognize=read_system
    )
    transport = httpx.ASGITransport(CivilApi(civil.vintage).app())
    api = DragonflyApi("http://api.test", Secret(KEY), timeout_s=30.0, transport=transport, system=CIVIL.name)
    made = World(settings, database=database, railway=CivilRailway(civil.vintage).client(), api=api)
    yield made
    await made.close()


async def test_stop_does_not_wait_for_a_database_that_swallows_every_word(
    world: World, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worlds, "RECOGNITION_PATIENCE_S", 600.0)
    line.swallow()

    async with asyncio.timeout(60):
        answer = await run(LINE, TERMINAL, world)

    shown = answer_text(answer)
    assert [worker.short for worker in CIVIL.workers if f"Stop {worker.short}" not in shown] == []
    assert "it is civil" in shown


async def test_stop_as_the_first_command_covers_every_worker_of_the_system(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.commands.stop_workers.PATIENCE_S", 60.0)  # for a busy machine

    answer = await run(LINE, TERMINAL, world)

    shown = answer_text(answer)
    assert [worker.short for worker in CIVIL.workers if f"Stop {worker.short}" not in shown] == []
    assert "does not cover" not in shown
    assert "has not shown" not in shown


class Railway(CivilRailway):
    """`failed`: short names of the services for which it returns an error."""

    failed: tuple[str, ...] = ()

    def answer(self, request: httpx.Request) -> httpx.Response:
        body = super().answer(request).json()
        edges = body["data"]["environment"]["serviceInstances"]["edges"]
        for number, short in enumerate(self.services):
            if short in self.failed:
                edges[number] = None
                path = ["environment", "serviceInstances", "edges", number, "node"]
                body.setdefault("errors", []).append({"message": "Problem processing request", "path": path})
        return httpx.Response(200, json=body)


async def shown_without_database(command: str, *services: str, failed: tuple[str, ...] = ()) -> str:
    """Return the answer of a bot whose database was down since its start, with these services in Railway."""
    railway = Railway("december", services=services)
    railway.failed = failed
    world = World(Settings.from_environment(ENVIRON), railway=railway.client())
    try:
        return answer_text(await run(f"{command} --dry-run", TERMINAL, world))
    finally:
        await world.close()


async def test_stop_covers_the_known_workers_where_the_services_fit_no_system() -> None:
    three = ("api", "ingest", "simplicity")

    every = await shown_without_database("stop-workers wrong amounts", *three)
    one = await shown_without_database("stop-workers simplicity wrong amounts", *three)

    assert [short for short in ("ingest", "simplicity") if f"Stop {short}" not in every] == []
    assert "not stopped: enforcement, " in every
    assert "no dragonfly-worker-enforcement" in every
    assert "by its services" not in every
    assert "every known worker" in every
    assert "Stop simplicity" in one


@pytest.mark.parametrize("failed", ["ingest", "simplicity"])
async def test_stop_names_the_worker_of_which_railway_failed_to_report(failed: str) -> None:
    shown = await shown_without_database("stop-workers wrong amounts", *SHORT, failed=(failed,))

    stopped = {worker.short for worker in CIVIL.workers if f"Stop {worker.short}" in shown}
    assert stopped == {"ingest", "enforcement", "simplicity"} - {failed}
    assert f"not stopped: {failed}, " in shown
    assert "by its services" not in shown
