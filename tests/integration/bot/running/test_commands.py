"""Commands, mentions, buttons and the Home tab, from the typed line to the message that the person sees."""

from __future__ import annotations

import asyncio

import pytest

from bot.app import Bot
from bot.slack.app import show_error
from services.sandbox.slack import model
from services.sandbox.slack.actor import acting_as
from tests.integration.bot.conftest import Outside, System
from tests.integration.bot.running.conftest import Slack
from tests.outside import PATIENCE_S


@pytest.mark.usefixtures("bot")
async def test_slash_command_is_answered_in_the_channel(slack: Slack, system: System) -> None:
    system.work()

    await slack.type("/dragonfly health")
    answer = await slack.wait_for(lambda message: "dev" in message.text)

    assert answer.thread_ts is None
    assert answer.visible_to is None


@pytest.mark.usefixtures("bot")
async def test_acknowledges_before_slow_work(slack: Slack, outside: Outside) -> None:
    outside.api_may_answer.clear()

    await slack.type("/dragonfly health")  # returns once it is acknowledged

    assert not slack.seen()
    outside.api_may_answer.set()
    await slack.wait_for()


@pytest.mark.usefixtures("bot")
async def test_mention_is_answered_in_its_thread(slack: Slack) -> None:
    posted = acting_as(slack.workspace, model.OLIVIA.id).say(model.INCIDENTS_ID, "@dragonfly queue")

    answer = await slack.wait_for()

    assert answer.thread_ts == posted.ts


@pytest.mark.usefixtures("bot")
async def test_usage_error_is_for_the_requester_only(slack: Slack) -> None:
    await slack.type("/dragonfly helth")

    answer = await slack.wait_for(lambda message: "health" in message.text)

    assert answer.visible_to == model.OLIVIA.id


@pytest.mark.usefixtures("bot")
async def test_button_runs_its_command(slack: Slack, system: System) -> None:
    system.work()
    await slack.type("/dragonfly")
    home = await slack.wait_for()
    [button] = [
        element
        for block in home.blocks
        for element in block.get("elements", ())
        if isinstance(element, dict) and element.get("value") == "queue"
    ]

    await acting_as(slack.workspace, model.OLIVIA.id).click(model.INCIDENTS_ID, home.ts, button["action_id"])

    answer = await slack.wait_for(lambda message: message.ts != home.ts)
    assert "queue" in answer.text.lower()


async def test_button_of_an_older_version_is_answered(bot: Bot, slack: Slack) -> None:
    blocks = [
        {
            "type": "actions",
            "elements": [
                {"type": "button", "action_id": "gone.for.ever", "text": {"type": "plain_text", "text": "Old"}}
            ],
        }
    ]
    _, ts = await bot.slack.post(model.INCIDENTS_ID, "an old message", blocks)

    error = await acting_as(slack.workspace, model.OLIVIA.id).click(model.INCIDENTS_ID, ts, "gone.for.ever")

    assert error is None
    answer = await slack.wait_for(lambda message: "no longer works" in message.text)
    assert answer.visible_to == model.OLIVIA.id


@pytest.mark.usefixtures("bot")
async def test_home_tab_shows_the_state_and_runs_commands(slack: Slack, system: System) -> None:
    system.work()
    actor = acting_as(slack.workspace, model.OLIVIA.id)
    actor.open_home()
    async with asyncio.timeout(PATIENCE_S):
        while (home := slack.workspace.home_for(model.OLIVIA.id)) is None:
            await asyncio.sleep(0.01)
    buttons = [e for block in home.content["blocks"] if block["type"] == "actions" for e in block["elements"]]
    [heartbeats] = [button for button in buttons if button["value"] == "queue"]

    await actor.click_in_view(home.id, heartbeats["action_id"])

    async with asyncio.timeout(PATIENCE_S):
        while "Back to the start" not in str(slack.workspace.home_for(model.OLIVIA.id)):
            await asyncio.sleep(0.01)


async def test_unexpected_error_is_reported_with_a_reference_and_nothing_else(bot: Bot, slack: Slack) -> None:
    body = {"command": "/dragonfly", "user_id": model.OLIVIA.id, "team_id": "T1", "channel_id": model.INCIDENTS_ID}

    await show_error(bot.slack, KeyError("hush-1"), body)

    answer = await slack.wait_for()
    assert "hush-1" not in f"{answer.text} {answer.blocks}"
    assert "reference" in str(answer.blocks)


@pytest.mark.usefixtures("bot")
async def test_slack_refuses_no_answer_to_a_command(slack: Slack, system: System) -> None:
    system.work()
    for line in ("health", "heartbeats", "queue", "sha", "help", "check-config", "throughput"):
        seen = len(slack.seen())
        await slack.type(f"/dragonfly {line}")
        async with asyncio.timeout(PATIENCE_S):
            while len(slack.seen()) == seen:
                await asyncio.sleep(0.01)

    assert not list(slack.workspace.refusals)
