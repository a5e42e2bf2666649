"""A colleague joins late and asks in words, from the first question to the draft of the postmortem."""

from __future__ import annotations

import asyncio

from services.sandbox.slack import model
from tests.assistant import models
from tests.conftest import DatabaseUrls
from tests.integration.bot.running.conftest import QUICK_BEATS, StartBot
from tests.integration.bot.running.crew import Crew
from tests.openai_server import OpenAIServer
from tests.scenarios.conftest import PEOPLE, Channel, shown

SEEN_S = 0.5  # so that the bot has seen a worker before it falls silent


async def test_a_colleague_asks_in_the_thread_catches_up_and_drafts_the_postmortem(
    start_bot: StartBot, database_urls: DatabaseUrls, channel: Channel, crew: Crew
) -> None:
    worker = crew.hire("ingest-1")
    async with OpenAIServer(models.right).serve() as server:
        variables = {"OPENAI_API_KEY": "sk-story", "OPENAI_BASE_URL": server.base_url}
        await start_bot(database_urls.bot, **PEOPLE, **QUICK_BEATS, **variables)
        await asyncio.sleep(SEEN_S)

        worker.kill()
        root = await channel.expect("🔴", "ingest is down (0 of 1)")
        await channel.press(root, "Acknowledge", by=model.ANN)
        await channel.expect(f"*ACKNOWLEDGED* by <@{model.ANN.id}>", at=root)

        await channel.type("why did it stop?", thread=root)
        answer = await channel.expect("💬 *why did it stop?*", "gpt-6-luna", "ask.rate.up", thread=root)
        assert "ingest" in shown(answer)
        assert "⏳" not in shown(answer)

        await channel.type("catchup", thread=root)
        late = await channel.expect("Who has it", f"<@{model.ANN.id}>, since")
        assert late.visible_to == model.OLIVIA.id

        crew.hire("ingest-2")
        await channel.type("incident resolve the worker was killed", thread=root, by=model.ANN)
        await channel.expect("Draft postmortem", at=root)
        await channel.press(root, "Draft postmortem")
        draft = await channel.expect("DRAFT", "Edit and export")
        server.speak = models.right_draft
        await channel.press(draft, "Edit and export")
        await channel.expect_dialog("DRAFT", "by gpt-6-luna", "At 20")
        await channel.fill_in("At 03:00 the worker was killed.")
        await channel.expect("Postmortem of incident")
