"""The probable command is offered as a button, and pressing it does the same as typing it."""

from __future__ import annotations

import pytest

from services.sandbox.slack import model
from services.sandbox.slack.actor import acting_as
from services.sandbox.slack.model import Json, Message
from tests.integration.bot.conftest import System
from tests.integration.bot.running.conftest import Slack
from tests.integration.bot.running.test_decisions import bot as bot

ABOUT_ONE = {  # each command about one incident, and the command of its button
    **{f"incident {verb}": f"incident {verb} {{}}" for verb in ("ack", "escalate", "timeline", "export", "draft")},
    "incident similar": "incident similar {}",
    "incident severity sev2": "incident severity {} sev2",
    "incident resolve a full disk": "incident resolve {} a full disk",
    "incident todo call the bank": "incident todo {} call the bank",
    "catchup": "catchup {}",
}


def buttons(message: Message) -> list[Json]:
    rows = [block["elements"] for block in message.blocks if block["type"] == "actions"]
    return [element for row in rows for element in row] + [
        block["accessory"] for block in message.blocks if "accessory" in block
    ]


def offers(message: Message, line: str) -> bool:
    return "Which incident?" in message.text and any(button.get("value") == line for button in buttons(message))


async def press(slack: Slack, message: Message, line: str) -> None:
    [button] = [one for one in buttons(message) if one.get("value") == line]
    await acting_as(slack.workspace, model.OLIVIA.id).click(message.channel, message.ts, button["action_id"])


async def answer_to(slack: Slack, line: str, words: str) -> Message:
    await slack.type(f"/dragonfly {line}")
    return await slack.wait_for(lambda message: words in message.text)


@pytest.mark.usefixtures("bot")
async def test_an_offered_change_waits_for_its_confirmation_as_when_typed(slack: Slack, system: System) -> None:
    system.work()
    offer = await answer_to(slack, "restrat ingest", "no command")
    assert "🔴" not in str(offer.blocks) + offer.text

    await press(slack, offer, "restart ingest")

    run = await slack.wait_for(lambda message: "WAITING FOR CONFIRMATION" in message.text)
    assert "Restart ingest" in run.text


@pytest.mark.usefixtures("bot")
async def test_an_offered_change_of_high_risk_waits_for_an_approval(slack: Slack, system: System) -> None:
    system.work()
    offer = await answer_to(slack, "scael ingest 3", "no command")

    await press(slack, offer, "scale ingest 3")

    await slack.wait_for(lambda message: "WAITING FOR APPROVAL" in message.text)


@pytest.mark.usefixtures("bot")
async def test_of_several_open_incidents_each_has_its_button(slack: Slack) -> None:
    for number, title in enumerate(("payments have stopped", "amounts look wrong"), start=1):
        await answer_to(slack, f"incident open sev3 {title}", f"Incident {number} is open")

    which = await answer_to(slack, "ack", "Which incident")
    rows = {block["accessory"]["value"]: block for block in which.blocks if "accessory" in block}
    await press(slack, which, "incident ack 2")

    assert [rows[line]["accessory"]["text"]["text"] for line in ("incident ack 1", "incident ack 2")] == [
        "Acknowledge"
    ] * 2
    assert "payments have stopped" in str(rows["incident ack 1"])
    assert "amounts look wrong" in str(rows["incident ack 2"])
    await slack.wait_for(lambda message: "You're assigned" in message.text)


@pytest.mark.usefixtures("bot")
async def test_every_command_about_an_incident_offers_each_of_several(slack: Slack) -> None:
    for number, title in enumerate(("payments have stopped", "amounts look wrong"), start=1):
        await answer_to(slack, f"incident open sev3 {title}", f"Incident {number} is open")

    for typed, line in ABOUT_ONE.items():
        lines = [line.format(number) for number in (1, 2)]
        await slack.type(f"/dragonfly {typed}")
        which = await slack.wait_for(lambda message, first=lines[0]: offers(message, first))  # type: ignore[misc]
        assert offers(which, lines[1])


@pytest.mark.usefixtures("bot")
async def test_without_an_open_incident_what_acts_on_one_shows_how_to_open_one(slack: Slack) -> None:
    escalate = await answer_to(slack, "incident escalate", "no incident")
    await slack.type("/dragonfly catchup")
    catchup = await slack.wait_for(lambda message: "catchup 7" in str(message.blocks))

    assert "`incident open <what>`" in str(escalate.blocks)
    assert "resolved" not in str(escalate.blocks)
    assert "a resolved one" in str(catchup.blocks)
