"""Neither a flood of one person's commands nor refusals by Slack delay the emergency stop or a page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from fastapi import FastAPI

from services.clients.postgres import messages
from services.clients.postgres.pool import Database
from services.domain.messages import PAGE
from services.sandbox.railway.control import build_railway_router
from services.sandbox.railway.local import LocalRailway
from services.sandbox.slack import model
from services.sandbox.slack.actor import acting_as
from tests.integration.bot.running.conftest import Slack, StartWhole
from tests.scenarios.conftest import STORY_S, Channel
from tests.serving import serve
from tests.wire import Wire

QUOTA = 1000  # requests per hour of Railway's smallest plan
TIMES = 100
POISONED = 30
BLOCKS = [{"type": "section", "text": {"type": "mrkdwn", "text": "wake up"}}]


@pytest.fixture
async def wire(railway: LocalRailway) -> AsyncIterator[Wire]:
    """A wire with Railway's own rate limit, which the other scenarios do without."""
    app = FastAPI()
    app.include_router(build_railway_router(railway, limit_per_hour=QUOTA))
    async with serve(app) as url, Wire(f"{url}/railway/graphql/v2").serve() as wire:
        yield wire


async def test_an_outsiders_flood_delays_neither_the_stop_nor_the_next_page(
    start_whole: StartWhole, channel: Channel, slack: Slack, railway: LocalRailway, wire: Wire
) -> None:
    await start_whole()
    otto = acting_as(slack.workspace, model.OTTO.id)

    async with asyncio.TaskGroup() as asking:
        for _ in range(TIMES):
            asking.create_task(otto.type(model.INCIDENTS_ID, "/dragonfly doctor"))
            asking.create_task(otto.type(model.INCIDENTS_ID, "@dragonfly health"))
    await channel.type("stop-workers ingest amounts are doubled")
    await channel.expect("DONE", "amounts are doubled", "Review")
    [enforcement] = [one for one in railway.snapshot().services if "enforcement" in one.name]
    railway.kill(enforcement.replicas[0].id)

    root = await channel.expect("🔴", "enforcement crashed", "Acknowledge")

    assert wire.mutations
    await channel.press(root, "Acknowledge", by=model.ANN)
    await channel.expect("ACKNOWLEDGED", at=root)


async def test_pages_that_slack_refuses_do_not_stop_a_good_one(start_whole: StartWhole, channel: Channel) -> None:
    bot = await start_whole()
    assert bot.world.database is not None
    async with bot.world.database.transaction() as conn:
        for number in range(POISONED):
            await messages.store_message(
                conn, key=f"poisoned:{number}", channel="C0NOWHERE1", text="refused", blocks=BLOCKS, priority=PAGE
            )

    await channel.type("incident open sev1 amounts are doubled")

    root = await channel.expect("🔴", "amounts are doubled", "Acknowledge")
    await channel.press(root, "Acknowledge", by=model.ANN)
    await channel.expect("ACKNOWLEDGED", at=root)
    async with asyncio.timeout(STORY_S):  # all have left the queue, and none blocks the next page
        while await _refused(bot.world.database) < POISONED:
            await asyncio.sleep(0.1)


async def _refused(database: Database) -> int:
    async with database.read() as conn:
        return len(await messages.list_undeliverable(conn, window=timedelta(days=1), limit=100))
