"""People silence an alert from its own message, and hear of it when that is over."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot.app import Bot
from services.clients.postgres.pool import Connection
from services.domain.services import Service
from services.sandbox.slack import model
from services.sandbox.slack.actor import acting_as
from services.sandbox.slack.model import Message, User
from tests.conftest import DatabaseUrls
from tests.integration.bot.conftest import Outside
from tests.integration.bot.running.conftest import QUICK_BEATS, Slack, StartBot
from tests.integration.bot.running.crew import BEAT_EVERY_S, Crew

MENU, REASON = "silence heartbeats.ingest 1h", "silence heartbeats.ingest 1h Known, being worked on"
IN_INCIDENT = "silence heartbeats.ingest 1h incident 1"


@pytest.fixture
async def bot(start_bot: StartBot, database_urls: DatabaseUrls) -> Bot:
    people = {"DRAGONFLY_OPERATORS": model.OPERATORS.id, "DRAGONFLY_APPROVERS": model.APPROVERS.id}
    return await start_bot(database_urls.bot, **people, **QUICK_BEATS)


@pytest.fixture
def two_replicas(outside: Outside) -> None:
    outside.replicas[Service.INGEST] = 2


@pytest.fixture
async def alert(two_replicas: None, bot: Bot, slack: Slack, crew: Crew) -> Message:  # noqa: ARG001 - in this order
    """The own message of an alert that opens no incident: one of two workers fell silent."""
    crew.hire("ingest-2")
    worker = crew.hire("ingest-1")
    await asyncio.sleep(2 * BEAT_EVERY_S)
    worker.kill()
    return await slack.wait_for(lambda message: find(message, MENU) is not None)


def find(message: Message, value: str) -> str | None:
    """Return the action id of the button or menu item that runs this line, None if there is none."""
    for block in message.blocks:
        for one in block.get("elements", ()):
            values = [one.get("value"), *(option["value"] for option in one.get("options", ()))]
            if value in values:
                return str(one["action_id"])
    return None


async def press(slack: Slack, message: Message, value: str, user: User = model.OLIVIA) -> None:
    action_id = find(message, value)
    assert action_id is not None
    assert await acting_as(slack.workspace, user.id).click(message.channel, message.ts, action_id, value=value) is None


async def silence(slack: Slack, alert: Message) -> None:
    await press(slack, alert, MENU)
    ask = await slack.wait_for(lambda message: "Why silence" in message.text)
    await press(slack, ask, REASON)
    await slack.wait_for(lambda message: message.ts == alert.ts and "Silenced" in message.text)


async def test_a_silence_from_the_menu_is_one_tap_on_a_reason(slack: Slack, alert: Message) -> None:
    await silence(slack, alert)

    reported = await slack.wait_for(lambda message: "silenced `heartbeats.ingest` until" in message.text)
    assert f"<@{model.OLIVIA.id}>" in reported.text
    assert "being worked" in reported.text
    root = next(message for message in slack.seen() if message.ts == alert.ts)
    assert "silenced by" in str(root.blocks)


async def test_a_silence_ends_when_the_worker_is_back_and_its_owner_is_notified(
    slack: Slack, alert: Message, crew: Crew
) -> None:
    await silence(slack, alert)

    crew.hire("ingest-3")

    await slack.wait_for(lambda message: message.ts == alert.ts and "Resolved" in message.text)
    reported = await slack.wait_for(lambda message: "has ended early" in message.text)
    assert reported.thread_ts == alert.ts
    assert f"<@{model.OLIVIA.id}>" in reported.text


async def test_lifting_it_reports_the_alert_again(slack: Slack, alert: Message) -> None:
    await silence(slack, alert)
    reported = await slack.wait_for(lambda message: "silenced `heartbeats.ingest` until" in message.text)

    await press(slack, reported, "silence end 1")

    await slack.wait_for(lambda message: message.ts == alert.ts and "Silenced" not in message.text)
    line = await slack.wait_for(lambda message: "The silence has ended and the alert is still firing" in message.text)
    assert line.thread_ts == alert.ts


@pytest.mark.usefixtures("bot")
async def test_a_silence_from_an_incident_s_menu_is_one_tap(slack: Slack, crew: Crew) -> None:
    worker = crew.hire("ingest-1")
    await asyncio.sleep(2 * BEAT_EVERY_S)
    worker.kill()
    root = await slack.wait_for(
        lambda message: message.text.startswith("🔴") and find(message, IN_INCIDENT) is not None
    )

    await press(slack, root, IN_INCIDENT)

    reported = await slack.wait_for(lambda message: "silenced `heartbeats.ingest` until" in message.text)
    assert f"<@{model.OLIVIA.id}>" in reported.text
    assert "incident 1" in reported.text


async def test_an_outsider_silences_nothing(slack: Slack, alert: Message, as_owner: Connection) -> None:
    await acting_as(slack.workspace, model.OTTO.id).type(alert.channel, f"/dragonfly {REASON}")

    refused = await slack.wait_for(lambda message: "Nothing was silenced" in message.text, user=model.OTTO)

    assert "you don't have permission to request `silence`" in str(refused.blocks)
    rows = await as_owner.execute("SELECT event FROM chatops.audit WHERE event LIKE '%.refused'")
    assert await rows.fetchall() == [("silence.refused",)]


INGEST_ALONE = """
version = 1
[[allow]]
may = "request"
who = ["operators"]
services = ["ingest"]
"""
ALL_BUT_THE_API = """
version = 1
[[allow]]
may = "request"
who = ["operators"]
[[deny]]
may = "request"
who = ["*"]
verbs = ["silence"]
services = ["api"]
"""


def policy(tmp_path: Path, text: str) -> dict[str, str]:
    path = tmp_path / "policy.toml"
    path.write_text(text)
    return {"DRAGONFLY_POLICY": str(path), "DRAGONFLY_OPERATORS": model.OPERATORS.id}


async def test_who_may_silence_a_service_may_end_what_they_silenced(
    start_bot: StartBot, database_urls: DatabaseUrls, slack: Slack, tmp_path: Path
) -> None:
    await start_bot(database_urls.bot, **policy(tmp_path, INGEST_ALONE))

    await slack.type("/dragonfly silence ingest 7d we move the queue")
    await slack.wait_for(lambda message: "silenced `ingest` until" in message.text)
    await slack.type("/dragonfly silence ingest sat 02:00 for 2h every week backup")
    await slack.wait_for(lambda message: "silences `ingest` from" in message.text)

    await slack.type("/dragonfly silence end 1")
    await slack.wait_for(lambda message: "ended silence 1 of `ingest`" in message.text)
    await slack.type("/dragonfly silence cancel 1")
    await slack.wait_for(lambda message: "cancelled planned silence 1 of `ingest`" in message.text)


async def test_a_rule_is_silenced_only_by_who_may_silence_all_its_services(
    start_bot: StartBot, database_urls: DatabaseUrls, slack: Slack, tmp_path: Path, as_bot: Connection
) -> None:
    await start_bot(database_urls.bot, **policy(tmp_path, ALL_BUT_THE_API))

    for what in ("api", "deployments.api", "deployments", "heartbeats"):
        await slack.type(f"/dragonfly silence {what} 2h we deploy all day")
    await slack.wait_for(lambda message: "silenced `heartbeats` until" in message.text)
    refused = "Nothing was silenced"
    await slack.wait_for(lambda _: sum(refused in message.text for message in slack.seen()) == 3)
    assert await (await as_bot.execute("SELECT what FROM chatops.silences")).fetchall() == [("heartbeats",)]
