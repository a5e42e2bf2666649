"""The week after: the figures of the nights on call."""

from __future__ import annotations

import asyncio

from services.clients.postgres.pool import Connection
from services.sandbox.railway.local import LocalRailway
from services.sandbox.slack import model
from tests.conftest import DatabaseUrls
from tests.integration.bot.running.conftest import QUICK_BEATS, StartBot, StartWhole
from tests.integration.bot.running.crew import Crew
from tests.scenarios.conftest import PEOPLE, STORY_S, Channel
from tests.scenarios.test_nights import SEEN_S


async def test_a_night_is_counted_in_the_report(
    start_bot: StartBot, database_urls: DatabaseUrls, channel: Channel
) -> None:
    await start_bot(database_urls.bot, **PEOPLE)
    await channel.type("incident open no uploads since noon")
    root = await channel.expect("🔴 no uploads since noon")
    await channel.type("ack", by=model.ANN, thread=root)
    await channel.expect(f"*ACKNOWLEDGED* by <@{model.ANN.id}>", at=root)
    await channel.type("resolve the pool was full", by=model.ANN, thread=root)
    await channel.expect("RESOLVED", at=root)

    await channel.type("report 30d")

    await channel.expect("*Incidents:* 1 · 1 paged people · 1 resolved", "(MTTA)", "✅ 0 of 60 shifts above 2")


async def test_a_morning_look_at_the_night_shows_queue_and_workers(
    start_bot: StartBot, database_urls: DatabaseUrls, channel: Channel, crew: Crew, as_bot: Connection
) -> None:
    crew.hire("ingest-1")
    await start_bot(database_urls.bot, **PEOPLE, **QUICK_BEATS)
    async with asyncio.timeout(STORY_S):
        while not await (await as_bot.execute("SELECT FROM chatops.history")).fetchall():
            await asyncio.sleep(0.2)

    await channel.type("graph 6h")

    await channel.expect("📈 *History*", "last 6 h", "*Queue:* min 0 jobs", "ingest st-1", "alive 100%")


async def test_the_second_night_with_the_same_alert_says_what_it_was_the_first_time(
    start_bot: StartBot, database_urls: DatabaseUrls, channel: Channel, crew: Crew
) -> None:
    worker = crew.hire("ingest-1")
    await start_bot(database_urls.bot, **PEOPLE, **QUICK_BEATS)
    await asyncio.sleep(SEEN_S)
    worker.kill()
    first = await channel.expect("🔴", "ingest is down (0 of 1)")
    worker = crew.hire("ingest-2")
    await channel.expect("CLEARED", at=first)
    await channel.type("resolve the pool was full", by=model.ANN, thread=first)
    await channel.expect("RESOLVED", at=first)

    worker.kill()

    seen = await channel.expect("2nd time in 30 days", "the pool was full", "Last time")
    await channel.press(seen, "Last time", by=model.ANN)
    await channel.expect("resolved it: the pool was full", by=model.ANN)


async def test_leak_is_reported_before_the_process_is_killed_at_its_limit(
    start_whole: StartWhole, channel: Channel, railway: LocalRailway
) -> None:
    railway.fill_memory("dragonfly-worker-ingest")
    await start_whole()

    warning = await channel.expect("ingest will reach its memory limit at about", "GB per minute")
    await channel.press(warning, "History of ingest")

    await channel.expect("📈 *History*", "· ingest ·", "last 60 min")
