"""The emergency stop gets through under any load and while Railway refuses reads: bot and local Railway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI

from bot.app import Bot
from services.clients.postgres import runs
from services.domain.runs import RunState
from services.sandbox.railway.control import build_railway_router
from services.sandbox.railway.local import LocalRailway
from services.sandbox.slack import model
from services.sandbox.slack.actor import acting_as
from tests.integration.bot.running.conftest import Slack
from tests.integration.bot.running.conftest import start_whole as start_whole
from tests.integration.bot.running.test_runs_in_slack import bot as bot
from tests.integration.bot.runs.conftest import pace as pace
from tests.integration.bot.runs.conftest import railway as railway
from tests.outside import PATIENCE_S
from tests.serving import serve
from tests.wire import Wire

QUOTA = 400


@pytest.fixture
async def wire(railway: LocalRailway, request: pytest.FixtureRequest) -> AsyncIterator[Wire]:
    app = FastAPI()
    app.include_router(build_railway_router(railway, limit_per_hour=getattr(request, "param", QUOTA)))
    async with serve(app) as url, Wire(f"{url}/railway/graphql/v2").serve() as wire:
        yield wire


async def stop_workers(bot: Bot, slack: Slack) -> RunState:
    """Stop ingest as Olivia, by the emergency stop; return the final state of its run."""
    assert bot.world.database is not None
    await slack.type("/dragonfly stop-workers ingest wrong amounts")
    async with asyncio.timeout(PATIENCE_S):
        while True:
            async with bot.world.database.read() as conn:
                found = await runs.list_runs(conn, limit=1)
            if found and found[0].state.is_final:
                return found[0].state
            await asyncio.sleep(0.1)


async def test_the_workers_are_stopped_after_an_outsider_asked_doctor_100_times(
    bot: Bot, slack: Slack, wire: Wire
) -> None:
    otto = acting_as(slack.workspace, model.OTTO.id)
    await asyncio.gather(*(otto.type(model.INCIDENTS_ID, "/dragonfly doctor") for _ in range(100)))
    refused = await slack.wait_for(lambda message: "commands running" in message.text, user=model.OTTO)

    assert refused.visible_to == model.OTTO.id
    assert await stop_workers(bot, slack) is RunState.SUCCEEDED
    assert wire.mutations == ["stop"]
    assert len(wire.calls) < QUOTA / 2


@pytest.mark.parametrize("wire", [100 * QUOTA], indirect=True)  # with a small quota it would read 30 s later
async def test_the_workers_are_stopped_while_railway_refuses_every_read(bot: Bot, slack: Slack, wire: Wire) -> None:
    await slack.type("/dragonfly deployments")
    async with asyncio.timeout(PATIENCE_S):
        while not any(call.answered for call in wire.calls):  # the services have been read once
            await asyncio.sleep(0.05)
    await slack.wait_for(lambda message: "ingest" in str(message.blocks) and "still reading" not in message.text)
    wire.reads_status = 429
    await slack.type("/dragonfly deployments api")

    stopping = asyncio.create_task(stop_workers(bot, slack))
    async with asyncio.timeout(PATIENCE_S):
        while not wire.mutations:
            await asyncio.sleep(0.05)
    wire.reads_status = None

    assert await stopping is RunState.SUCCEEDED
    assert wire.mutations == ["stop"]
