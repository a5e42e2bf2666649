"""A page does not wait for answers, and no person fills the channel with theirs."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg

from bot.app import Bot
from bot.views.notes import NOTE
from services.clients.postgres import messages
from services.clients.postgres.operated import read_heartbeats
from services.clients.postgres.pool import Connection
from services.domain.messages import PAGE
from services.sandbox.slack import model
from services.sandbox.slack.actor import acting_as
from services.sandbox.slack.model import Message
from tests.conftest import DatabaseUrls
from tests.integration.bot.running.conftest import Slack
from tests.locks import WAITS_FOR_TABLE
from tests.outside import PATIENCE_S

BLOCKS: list[dict[str, Any]] = [{"type": "section", "text": {"type": "mrkdwn", "text": "hello"}}]
ASKED = 60


async def store_page(bot: Bot) -> None:
    assert bot.world.database is not None
    async with bot.world.database.transaction() as conn:
        await messages.store_message(
            conn, key="p1", channel="dragonfly-incidents", text="wake up", blocks=BLOCKS, priority=PAGE
        )


async def test_a_page_goes_before_the_answers_that_wait_already(bot: Bot, slack: Slack) -> None:
    slack.workspace.strict = True  # Slack takes 1 message/s in a channel
    answers = [
        asyncio.create_task(bot.slack.post(model.INCIDENTS_ID, f"answer {number}", BLOCKS)) for number in range(ASKED)
    ]
    await slack.wait_for(lambda message: message.text == "answer 0")

    await store_page(bot)
    await slack.wait_for(lambda message: message.text == "wake up")

    for answer in answers:
        answer.cancel()
    before = [message.text for message in slack.seen()].index("wake up")
    assert before < ASKED / 2  # a few on a slow machine; without a priority all of them


async def test_one_person_cannot_fill_the_channel_and_a_page_gets_through(bot: Bot, slack: Slack) -> None:
    otto = acting_as(slack.workspace, model.OTTO.id)

    def answers() -> list[Message]:
        return [message for message in slack.seen(model.OTTO.id) if message.text != "wake up"]

    for wave in range(1, ASKED // 5 + 1):  # no faster than they are answered, so that none is refused
        await asyncio.gather(*(otto.type(model.INCIDENTS_ID, "/dragonfly health") for _ in range(5)))
        await store_page(bot)
        async with asyncio.timeout(PATIENCE_S):
            while len(answers()) < wave * 5:
                await asyncio.sleep(0.05)
    await slack.wait_for(lambda message: message.text == "wake up")

    public = [message for message in answers() if message.visible_to is None]
    noted = [message for message in answers() if NOTE in str(message.blocks)]
    assert len(public) < ASKED / 2
    assert noted
    assert all(message.visible_to == model.OTTO.id for message in noted)


async def test_a_page_gets_a_database_session_while_commands_hold_the_others(
    bot: Bot, slack: Slack, database_urls: DatabaseUrls, as_owner: Connection
) -> None:
    """Every read of the queue waits for a lock, so questions and the leader hold their sessions until the end."""
    async with as_owner.transaction():
        await as_owner.execute("LOCK TABLE ops.job_queue, ops.worker_heartbeats IN ACCESS EXCLUSIVE MODE")
        for user in (model.OTTO, model.OLIVIA, model.ANN, model.BEN):
            for _ in range(2):
                await acting_as(slack.workspace, user.id).type(model.INCIDENTS_ID, "/dragonfly queue")
        async with asyncio.TaskGroup() as group:
            facts = [group.create_task(bot.world.read(read_heartbeats)) for _ in range(4)]
            await until_waiting(database_urls, 3)

            async with await psycopg.AsyncConnection.connect(database_urls.bot) as conn:
                await messages.store_message(
                    conn, key="p1", channel="dragonfly-incidents", text="wake up", blocks=BLOCKS, priority=PAGE
                )
            await slack.wait_for(lambda message: message.text == "wake up")

            assert [message.text for message in slack.seen()] == ["wake up"]
            for task in facts:
                task.cancel()


async def until_waiting(database_urls: DatabaseUrls, sessions: int) -> None:
    """Wait until so many sessions of the bot wait for a lock."""
    async with await psycopg.AsyncConnection.connect(database_urls.superuser, autocommit=True) as conn:
        async with asyncio.timeout(PATIENCE_S):
            while len(await (await conn.execute(WAITS_FOR_TABLE)).fetchall()) < sessions:
                await asyncio.sleep(0.02)
