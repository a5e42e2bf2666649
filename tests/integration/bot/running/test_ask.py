"""Questions in words in Slack: always the answer by rules, below it the model's checked claims; all recorded."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from bot.app import Bot
from services.clients.postgres.audit import list_audit
from services.clients.postgres.pool import Database
from services.domain.secrets import Secret
from services.sandbox.slack import model
from services.sandbox.slack.actor import acting_as
from services.sandbox.slack.faults import FaultKind
from services.sandbox.slack.model import Message
from tests.assistant import models
from tests.conftest import DatabaseUrls
from tests.integration.bot.running.conftest import Slack
from tests.openai_server import OpenAIServer

StartBot = Callable[..., Awaitable[Bot]]
KEY = "sk-canary-of-the-model"


@pytest.fixture
async def server() -> AsyncIterator[OpenAIServer]:
    async with OpenAIServer(models.right).serve() as running:
        yield running


@pytest.fixture
async def asking(start_bot: StartBot, database_urls: DatabaseUrls, server: OpenAIServer) -> Bot:
    """A bot with a model that its operators may use."""
    return await start_bot(
        database_urls.bot,
        DRAGONFLY_OPERATORS=model.OPERATORS.id,
        OPENAI_API_KEY=KEY,
        OPENAI_BASE_URL=server.base_url,
    )


def shown(message: Message) -> str:
    return message.text + json.dumps(message.blocks, ensure_ascii=False)


async def answered(slack: Slack, *words: str) -> Message:
    def wanted(message: Message) -> bool:
        return "⏳" not in shown(message) and all(one in shown(message) for one in words)

    return await slack.wait_for(wanted)


async def test_ask_answers_by_rules_without_a_key(slack: Slack, bot: Bot) -> None:  # noqa: ARG001
    await slack.type("/dragonfly ask is ingest fine?")

    message = await answered(slack, "💬 is ingest fine?")
    assert "model is configured" in shown(message)
    assert message.visible_to is None
    assert sum("💬" in one.text for one in slack.seen()) == 1


async def test_words_that_are_no_command_and_hold_a_question_are_one(slack: Slack, bot: Bot) -> None:  # noqa: ARG001
    acting_as(slack.workspace, model.OLIVIA.id).say(model.INCIDENTS_ID, "@dragonfly why is ingest so slow?")

    message = await answered(slack, "💬 why is ingest so slow?", "model is configured")
    assert message.thread_ts is not None


async def test_a_change_is_never_taken_for_a_question(slack: Slack, bot: Bot) -> None:  # noqa: ARG001
    await slack.type("/dragonfly rollback nothing?")

    message = await slack.wait_for()
    assert "💬" not in shown(message)


async def test_claims_are_checked_and_quoted_and_the_ask_is_recorded(
    slack: Slack, asking: Bot, database_urls: DatabaseUrls, server: OpenAIServer  # noqa: ARG001
) -> None:  # fmt: skip
    await slack.type("/dragonfly ask why is nothing beating?")

    message = await answered(slack, "💬", "gpt-6-luna", "USD")
    assert "“" in shown(message)
    assert len(server.requests) == 2
    row = await audit_row(database_urls)
    assert (row.event, row.actor) == ("ask", model.OLIVIA.id)
    assert row.details["question"] == "why is nothing beating?"
    assert row.details["tokens"] == 1000
    assert row.details["reads"][0] == "doctor"


async def audit_row(database_urls: DatabaseUrls) -> Any:
    database = Database.connect_lazily(Secret(database_urls.bot), application_name="test", timeout_s=20)
    try:
        async with database.read() as conn:
            rows = await list_audit(conn, limit=50)
    finally:
        await database.close()
    [row] = [one for one in rows if one.event == "ask"]
    return row


async def test_private_reads_make_the_answer_private(slack: Slack, asking: Bot, server: OpenAIServer) -> None:  # noqa: ARG001
    server.speak = lambda request: models.right(request, verbs=["logs", "health"])

    await slack.type("/dragonfly ask what do the logs say?")

    public = await answered(slack, "shown to the requester only")
    assert public.visible_to is None
    assert "gpt-6-luna" not in shown(public)
    await slack.wait_for(lambda message: message.visible_to == model.OLIVIA.id and "gpt-6-luna" in shown(message))
    assert public in slack.seen()


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("broken JSON", "its answer was not usable"),
        ("refusing", "the model declined"),
        ("dear", "budget"),
    ],
)
async def test_a_model_that_fails_costs_the_answer_in_words_only(
    slack: Slack, asking: Bot, server: OpenAIServer, program: str, words: str  # noqa: ARG001
) -> None:  # fmt: skip
    server.speak = models.MODELS[program]

    await slack.type("/dragonfly ask is ingest fine?")

    message = await answered(slack, "💬 is ingest fine?", words)
    assert "No written answer" in shown(message)


async def test_stop_ends_it_and_the_answer_by_rules_stands(slack: Slack, asking: Bot, server: OpenAIServer) -> None:  # noqa: ARG001
    server.speak = models.slow
    await slack.type("/dragonfly ask is ingest fine?")
    message = await slack.wait_for(lambda message: "ask.stop" in shown(message))

    assert await acting_as(slack.workspace, model.OLIVIA.id).click(message.channel, message.ts, "ask.stop") is None

    await answered(slack, "💬 is ingest fine?", "No written answer: stopped")


async def test_ask_answers_by_rules_without_permission_for_the_model(
    slack: Slack, start_bot: StartBot, database_urls: DatabaseUrls, server: OpenAIServer
) -> None:
    await start_bot(database_urls.bot, OPENAI_API_KEY=KEY, OPENAI_BASE_URL=server.base_url)

    await slack.type("/dragonfly ask is ingest fine?")

    await answered(slack, "💬 is ingest fine?", "No model was asked", "permission")
    assert not server.requests


async def test_the_sentence_of_the_question_is_in_no_log_line(
    slack: Slack, asking: Bot, caplog: pytest.LogCaptureFixture  # noqa: ARG001
) -> None:  # fmt: skip
    caplog.set_level("DEBUG")

    await slack.type("/dragonfly ask is the zebra fine?")
    await answered(slack, "💬", "gpt-6-luna")

    ours = [record for record in caplog.records if record.name.startswith(("bot", "services.clients"))]
    assert not [record for record in ours if "zebra" in record.getMessage()]


async def test_a_rating_is_stored(slack: Slack, asking: Bot, database_urls: DatabaseUrls) -> None:  # noqa: ARG001
    await slack.type("/dragonfly ask is ingest fine?")
    message = await answered(slack, "ask.rate.up")

    await acting_as(slack.workspace, model.OLIVIA.id).click(message.channel, message.ts, "ask.rate.up")

    async def is_rated() -> bool:
        database = Database.connect_lazily(Secret(database_urls.bot), application_name="test", timeout_s=20)
        try:
            async with database.read() as conn:
                row = await (await conn.execute("SELECT rating FROM chatops.asks")).fetchone()
        finally:
            await database.close()
        return row is not None and row[0] == 1

    async with asyncio.timeout(30):
        while not await is_rated():
            await asyncio.sleep(0.05)


async def test_a_direct_message_is_a_question_too(slack: Slack, asking: Bot) -> None:  # noqa: ARG001
    channel = slack.workspace.direct_channel(model.OLIVIA.id).id

    acting_as(slack.workspace, model.OLIVIA.id).say(channel, "is ingest fine?")

    def wanted(message: Message) -> bool:
        return message.user == slack.workspace.bot.id and "gpt-6-luna" in shown(message)

    async with asyncio.timeout(60):
        while not (found := [one for one in slack.workspace.messages if one.channel == channel and wanted(one)]):
            await asyncio.sleep(0.01)
    assert found[0].thread_ts is None
    assert not slack.seen()


async def test_the_bot_does_not_answer_itself_or_messages_of_a_channel(slack: Slack, bot: Bot) -> None:  # noqa: ARG001
    acting_as(slack.workspace, model.OLIVIA.id).say(model.INCIDENTS_ID, "is ingest fine?")
    await slack.type("/dragonfly sha")
    await slack.wait_for()

    channel = slack.workspace.direct_channel(model.OLIVIA.id).id
    acting_as(slack.workspace, model.OLIVIA.id).say(channel, "queue")
    async with asyncio.timeout(60):
        while len([one for one in slack.workspace.messages if one.channel == channel]) < 2:
            await asyncio.sleep(0.01)
    acting_as(slack.workspace, model.OLIVIA.id).say(channel, "sha")
    async with asyncio.timeout(60):
        while len([one for one in slack.workspace.messages if one.channel == channel]) < 4:
            await asyncio.sleep(0.01)

    assert len([one for one in slack.workspace.messages if one.channel == channel]) == 4
    assert len(slack.seen()) == 1


def statuses(slack: Slack) -> list[str]:
    return [call.payload["status"] for call in slack.workspace.calls_of("assistant.threads.setStatus")]


async def ask_in_a_thread(slack: Slack, server: OpenAIServer) -> tuple[Message, str]:
    """Ask in a thread; return the answer and the thread's ts."""
    server.speak = lambda request: models.right(request, verbs=["health", "queue"])  # nothing private
    acting_as(slack.workspace, model.OLIVIA.id).say(model.INCIDENTS_ID, "@dragonfly is ingest fine?")
    message = await answered(slack, "💬 is ingest fine?", "gpt-6-luna")
    assert message.thread_ts is not None
    return message, message.thread_ts


async def test_the_thread_shows_what_is_being_done_until_the_answer_stands(
    slack: Slack, asking: Bot, server: OpenAIServer  # noqa: ARG001
) -> None:  # fmt: skip
    _, thread_ts = await ask_in_a_thread(slack, server)

    async with asyncio.timeout(30):
        while not statuses(slack) or statuses(slack)[-1]:
            await asyncio.sleep(0.01)
    assert statuses(slack)[0] == "is reading every check …"
    assert any(status.startswith("is checking") for status in statuses(slack))
    assert slack.workspace.status_of(model.INCIDENTS_ID, thread_ts) == ""
    assert sum("💬" in one.text for one in slack.seen()) == 1


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (FaultKind.REFUSED, "missing_scope"),
        (FaultKind.REFUSED, "invalid_thread_ts"),
        (FaultKind.SERVER_ERROR, ""),
        (FaultKind.LOST_ANSWER, ""),
    ],
)
async def test_a_status_that_slack_does_not_take_costs_nothing_and_is_tried_once(
    slack: Slack, asking: Bot, server: OpenAIServer, kind: FaultKind, code: str  # noqa: ARG001
) -> None:  # fmt: skip
    slack.workspace.faults.plant("assistant.threads.setStatus", kind, times=99, code=code)

    await ask_in_a_thread(slack, server)

    assert sum("💬" in one.text for one in slack.seen()) == 1
    left = slack.workspace.faults.take("assistant.threads.setStatus")
    assert left is not None
    assert left.times == 97  # one call of the bot, and this `take`


async def test_outside_a_thread_no_status_is_set(slack: Slack, asking: Bot) -> None:  # noqa: ARG001
    await slack.type("/dragonfly ask is ingest fine?")
    await answered(slack, "💬", "gpt-6-luna")

    assert statuses(slack) == []
