"""An outside monitor is pinged only while the bot evaluates, sends and reaches people."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest

from bot.app import Bot
from bot.leader import Fence
from bot.periodic_tasks import HeartbeatMonitor
from bot.watchdog import DeadMansSwitch
from services.clients.pagers.webhook import Webhooks
from services.clients.postgres import messages
from services.clients.postgres.pool import Database
from services.domain.channels import OUTSIDE_SLACK
from services.domain.messages import PAGE
from services.domain.secrets import Secret
from tests.conftest import DatabaseUrls
from tests.integration.bot.running.conftest import StartBot
from tests.outside import PATIENCE_S, Phone, until
from tests.scheduling import leading

FENCE = Fence("bot-1", 1)


@dataclass
class Stage:
    """`seen` is what the evaluator calls after each completed evaluation."""

    switch: DeadMansSwitch
    seen: Callable[[], None]
    sent: Callable[[], None]
    database: Database


@pytest.fixture
async def stage(database_urls: DatabaseUrls, phone: Phone) -> AsyncIterator[Stage]:
    database = Database.connect_lazily(Secret(database_urls.bot), application_name="test", timeout_s=60.0)
    webhooks, heartbeat_monitor = Webhooks(), HeartbeatMonitor()
    seen, sent = (
        heartbeat_monitor.part("evaluation", late_after_s=60.0),
        heartbeat_monitor.part("outbox", late_after_s=0.05),
    )
    switch = DeadMansSwitch(database, webhooks, Secret(phone.url), heartbeat_monitor=heartbeat_monitor, every_s=0.02)
    yield Stage(switch, seen, sent, database)
    await webhooks.aclose()
    await database.close()


async def test_the_monitor_is_pinged_while_every_checkpoint_is_fresh(stage: Stage, phone: Phone) -> None:
    stage.seen()
    stage.sent()
    await stage.switch.tick(FENCE)

    assert len(phone.rings) == 1


async def test_part_that_never_finished_a_round_keeps_it_back(stage: Stage, phone: Phone) -> None:
    stage.sent()
    await stage.switch.tick(FENCE)

    assert phone.rings == []
    assert stage.switch.late == ["evaluation"]


async def test_part_that_is_stuck_keeps_it_back_until_it_goes_on(stage: Stage, phone: Phone) -> None:
    stage.seen()
    stage.sent()
    await asyncio.sleep(0.1)
    await stage.switch.tick(FENCE)
    assert (phone.rings, stage.switch.late) == ([], ["outbox"])

    stage.sent()
    await stage.switch.tick(FENCE)
    assert (len(phone.rings), stage.switch.late) == (1, [])


@pytest.mark.parametrize(("waits_s", "calls"), [(30, 1), (70, 0)])
async def test_page_that_slack_does_not_take_keeps_it_back(
    stage: Stage, phone: Phone, waits_s: int, calls: int
) -> None:
    async with stage.database.transaction() as conn:
        await messages.store_message(conn, key="page", channel="c", text="PAGE", blocks=[], priority=PAGE)
        await conn.execute(
            "UPDATE chatops.outbox SET created_at = created_at - make_interval(secs => %s)", [float(waits_s)]
        )
    stage.seen()
    stage.sent()
    await stage.switch.tick(FENCE)

    assert len(phone.rings) == calls


async def test_the_monitor_is_not_pinged_without_a_database(phone: Phone) -> None:
    database = Database.connect_lazily(
        Secret("postgresql://nobody@127.0.0.1:9/none"), application_name="test", timeout_s=60.0
    )
    webhooks = Webhooks()
    switch = DeadMansSwitch(database, webhooks, Secret(phone.url), heartbeat_monitor=HeartbeatMonitor())

    await switch.tick(FENCE)

    assert (phone.rings, switch.late) == ([], ["database"])
    await webhooks.aclose()


async def test_monitor_that_is_away_stops_nothing(stage: Stage, phone: Phone) -> None:
    phone.answers.append(500)
    stage.seen()

    async with leading(FENCE, stage.switch), asyncio.timeout(PATIENCE_S):
        while len(phone.rings) < 2:
            stage.sent()
            await asyncio.sleep(0.01)


async def test_bot_that_works_is_on_time(start_bot: StartBot, database_urls: DatabaseUrls, phone: Phone) -> None:
    bot: Bot = await start_bot(database_urls.bot, DEAD_MANS_SWITCH_URL=phone.url)
    wiring = bot.wiring
    assert wiring is not None
    assert wiring.switch is not None
    switch = wiring.switch

    await until(lambda: wiring.leader.is_leading)
    async with asyncio.timeout(PATIENCE_S):
        while not phone.rings:
            await switch.tick(FENCE)
            await asyncio.sleep(0.05)

    assert (await bot.health()).as_json()["late"] == []


async def test_each_part_that_wakes_people_is_minded(start_bot: StartBot, phone: Phone) -> None:
    bot: Bot = await start_bot("postgresql://nobody@127.0.0.1:9/none", DEAD_MANS_SWITCH_URL=phone.url)
    assert bot.wiring is not None
    assert bot.wiring.switch is not None

    await bot.wiring.switch.tick(FENCE)

    means = [f"notifications by {one}" for one in OUTSIDE_SLACK]
    assert sorted(bot.wiring.switch.late) == sorted(["evaluation", "outbox", "escalation", *means, "database"])
    assert phone.rings == []
