"""A drill in a whole bot: from a simulated worker through real pages to an answer, and nothing is left of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from bot.app import Bot
from services.clients.postgres import alerts
from services.clients.postgres.pool import Connection
from services.domain.systems import RUNBOOK
from services.sandbox.slack import model
from services.sandbox.slack.actor import acting_as
from services.sandbox.slack.model import Message, User
from tests.conftest import DatabaseUrls
from tests.integration.bot.conftest import Outside
from tests.integration.bot.running.conftest import Slack, StartBot
from tests.outside import Mailbox, Phone, until

ONCALL = f"""version = 1
[people.ann]
slack = "{model.ANN.id}"
webhook = "ann"
email = "ann"
[[levels]]
call = ["ann"]
by = ["mention", "direct", "webhook", "email"]
wait = "5m"
"""

StartReady = Callable[..., Awaitable[Bot]]


@pytest.fixture
async def start_ready(
    start_bot: StartBot, database_urls: DatabaseUrls, phone: Phone, mailbox: Mailbox, outside: Outside, tmp_path: Path
) -> StartReady:
    """`await start_ready()`: a bot that leads, with Ann on call and no other alert."""
    outside.replicas = dict.fromkeys(RUNBOOK.services, 0)
    outside.health = {"environment": "dev"}
    path = tmp_path / "oncall.toml"
    path.write_text(ONCALL)

    async def start(**more: str) -> Bot:
        bot = await start_bot(
            database_urls.bot,
            DRAGONFLY_ONCALL=str(path),
            DRAGONFLY_OPERATORS=model.OPERATORS.id,
            DRAGONFLY_APPROVERS=model.APPROVERS.id,
            PAGER_WEBHOOK_URL_ANN=phone.url,
            PAGER_EMAIL_ANN="ann@example.com",
            SMTP_URL=mailbox.url,
            SMTP_FROM="bot@example.com",
            HEARTBEAT_STALE_AFTER_S="300",
            **more,
        )
        wiring = bot.wiring
        assert wiring is not None
        await until(lambda: wiring.leader.is_leading)
        return bot

    return start


def is_root(message: Message) -> bool:
    return "DRILL" in message.text and "simulated worker" in message.text and "started by" not in message.text


async def click(slack: Slack, message: Message, label: str, user: User) -> None:
    """Click the button with this label."""
    elements = [one for block in message.blocks if block["type"] == "actions" for one in block["elements"]]
    [action_id] = [one["action_id"] for one in elements if one.get("text", {}).get("text") == label]
    assert await acting_as(slack.workspace, user.id).click(message.channel, message.ts, action_id) is None


async def until_called(conn: Connection, count: int) -> None:
    """Wait until Slack has taken so many messages that page people."""
    query = "SELECT count(*) FROM chatops.outbox WHERE key LIKE 'incident:%:page:%' AND ts IS NOT NULL"
    async with asyncio.timeout(60):
        while await (await conn.execute(query)).fetchone() != (count,):
            await asyncio.sleep(0.1)


async def report_of(conn: Connection) -> dict[str, object]:
    """Return the drill's report, once it is over."""
    async with asyncio.timeout(60):
        while True:
            last = await alerts.read_last_drill(conn)
            if last is not None and last.report is not None:
                return dict(last.report)
            await asyncio.sleep(0.1)


async def test_drill_leaves_no_rows_behind(
    start_ready: StartReady, slack: Slack, as_bot: Connection, as_owner: Connection
) -> None:
    await start_ready()
    await slack.type("/dragonfly drill start")
    root = await slack.wait_for(is_root, timeout_s=60)
    await click(slack, root, "Acknowledge", model.ANN)
    await report_of(as_bot)

    async def count(query: str) -> int:
        row = await (await as_owner.execute(query)).fetchone()
        assert row is not None
        return int(row[0])

    for left in (
        "SELECT count(*) FROM chatops.alerts WHERE state <> 'resolved'",
        "SELECT count(*) FROM chatops.incidents WHERE state <> 'resolved'",
        "SELECT count(*) FROM chatops.notifications WHERE state = 'waiting'",  # the pager gets the resolution
    ):
        async with asyncio.timeout(60):
            while await count(left):
                await asyncio.sleep(0.1)
    assert await count("SELECT count(*) FROM ops.worker_heartbeats") == 0


async def test_drill_report_names_people_who_were_not_reached(
    start_ready: StartReady, slack: Slack, phone: Phone, as_bot: Connection
) -> None:
    phone.answers.append(404)
    await start_ready()
    await slack.type("/dragonfly drill start")
    root = await slack.wait_for(is_root, timeout_s=60)
    await slack.wait_for(lambda message: "was not reached" in message.text, timeout_s=60)
    await click(slack, root, "Acknowledge", model.ANN)

    report = await report_of(as_bot)

    assert report["not_reached"] == ["ann by pager"]


async def test_drill_starts_one_at_a_time_and_only_with_permission(
    start_ready: StartReady, slack: Slack, as_bot: Connection
) -> None:
    await start_ready()
    await slack.type("/dragonfly drill start")
    await slack.type("/dragonfly drill start")
    await slack.wait_for(lambda message: "has been running" in message.text, timeout_s=60)

    assert await acting_as(slack.workspace, model.OTTO.id).type(model.INCIDENTS_ID, "/dragonfly drill start") is None

    await until(lambda: any("No drill was" in message.text for message in slack.seen(model.OTTO.id)))
    cur = await as_bot.execute("SELECT count(*) FROM chatops.drills")
    assert await cur.fetchone() == (1,)


async def test_drill_without_start_starts_nothing(start_ready: StartReady, slack: Slack, as_bot: Connection) -> None:
    await start_ready()
    await slack.type("/dragonfly drill")

    await slack.wait_for(lambda message: "a rehearsal" in message.text, timeout_s=60)

    assert await alerts.read_last_drill(as_bot) is None
