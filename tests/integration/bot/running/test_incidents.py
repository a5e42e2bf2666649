"""A whole bot and Slack: from a message to an incident, its thread, its marks, its end."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from services.sandbox.slack import model
from services.sandbox.slack.actor import acting_as
from services.sandbox.slack.model import Message
from tests.conftest import DatabaseUrls
from tests.integration.bot.running.conftest import Slack, StartBot
from tests.outside import PATIENCE_S

PEOPLE = {"DRAGONFLY_OPERATORS": model.OPERATORS.id, "DRAGONFLY_APPROVERS": model.APPROVERS.id}

GONE = "level 1 pages ann, who is deactivated in Slack"


def key_of(message: Message) -> str:
    return str((message.metadata or {}).get("event_payload", {}).get("key"))


async def root_of(slack: Slack, number: int = 1) -> Message:
    return await slack.wait_for(lambda message: key_of(message) == f"incident:{number}")


async def until_it_says(slack: Slack, words: str) -> Message:
    return await slack.wait_for(lambda message: key_of(message) == "incident:1" and words in message.text)


async def modal_of(slack: Slack, user: str) -> str:
    async with asyncio.timeout(PATIENCE_S):
        while (view := slack.workspace.modal_for(user)) is None:
            await asyncio.sleep(0.01)
    return view.id


async def test_acknowledge_button_is_refused_without_permission(
    start_bot: StartBot, slack: Slack, database_urls: DatabaseUrls
) -> None:
    await start_bot(database_urls.bot, **PEOPLE)
    await slack.type("/dragonfly incident open no ingest")
    root = await root_of(slack)

    otto = acting_as(slack.workspace, model.OTTO.id)
    await otto.click(model.INCIDENTS_ID, root.ts, first_action(root, "Acknowledge"))

    async with asyncio.timeout(PATIENCE_S):
        while not any("Nothing changed" in message.text for message in slack.seen(model.OTTO.id)):
            await asyncio.sleep(0.05)
    assert (await root_of(slack)).text.startswith("🔴 no ingest")


async def test_triage_is_finished_by_the_next_bot(
    start_bot: StartBot, slack: Slack, database_urls: DatabaseUrls
) -> None:
    first = await start_bot(database_urls.bot, **PEOPLE)
    await slack.type("/dragonfly incident open no ingest")
    root = await root_of(slack)
    await first.stop()

    await start_bot(database_urls.bot, **PEOPLE)

    last = await slack.wait_for(is_complete_diagnosis)
    keys = [key_of(message) for message in slack.seen() if message.thread_ts == root.ts]
    assert len(keys) == len(set(keys))
    assert [key for key in keys if "diagnosis" in key] == ["incident:1:diagnosis"]
    assert last.thread_ts == root.ts


async def test_page_skips_a_deactivated_person_and_says_so(
    start_bot: StartBot, slack: Slack, database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    slack.workspace.users[model.ANN.id] = replace(model.ANN, deleted=True)
    file = tmp_path / "oncall.toml"
    people = f'version = 1\n[people.ann]\nslack = "{model.ANN.id}"\n[people.ben]\nslack = "{model.BEN.id}"\n'
    file.write_text(people + '[[levels]]\ncall = ["ann", "ben"]\naccept_slack_only = true\n')
    bot = await start_bot(database_urls.bot, DRAGONFLY_ONCALL=str(file), **PEOPLE)
    assert bot.wiring is not None
    async with asyncio.timeout(PATIENCE_S):
        while bot.wiring.changing.groups.absent(model.ANN.id) is None:
            await asyncio.sleep(0.01)

    await slack.type("/dragonfly incident open no ingest")

    call = await slack.wait_for(lambda message: key_of(message) == "incident:1:page:1")
    assert f"<@{model.BEN.id}>" in call.text
    assert f"<@{model.ANN.id}>" not in str(call.blocks)
    assert "⚠️ ann is deactivated in Slack: not paged" in str(call.blocks)
    await slack.type("/dragonfly oncall")
    reported = await slack.wait_for(lambda message: GONE in str(message.blocks))
    await slack.type("/dragonfly check-config")
    await slack.wait_for(lambda message: message.ts != reported.ts and GONE in str(message.blocks))


def is_complete_diagnosis(message: Message) -> bool:
    return key_of(message) == "incident:1:diagnosis" and "Still collecting data" not in str(message.blocks)


def first_action(message: Message, label: str) -> str:
    """Return the action id of the first button with this label."""
    found = [element for block in message.blocks for element in block.get("elements", []) if "action_id" in element]
    return next(str(one["action_id"]) for one in found if one.get("text", {}).get("text") == label)
