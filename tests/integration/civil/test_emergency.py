"""The emergency stop does not wait for the database to be recognized, and covers every worker once it is."""

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
from tests.integration.civil.railway_stub import CivilRailway
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
    """Of a process that has just started, and that OPERATED_SYSTEM does not help."""
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
    assert "the database has not shown which system it holds; by its services it is civil" in shown


async def test_stop_as_the_first_command_covers_every_worker_of_the_system(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.commands.stop_workers.PATIENCE_S", 60.0)  # for a loaded machine

    answer = await run(LINE, TERMINAL, world)

    shown = answer_text(answer)
    assert [worker.short for worker in CIVIL.workers if f"Stop {worker.short}" not in shown] == []
    assert "does not cover" not in shown
    assert "has not shown" not in shown
