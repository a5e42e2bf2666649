"""The week after: what the nights on call amount to."""

from __future__ import annotations

from services.sandbox.slack import model
from tests.conftest import DatabaseUrls
from tests.integration.bot.running.conftest import StartBot
from tests.scenarios.conftest import PEOPLE, Channel


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
