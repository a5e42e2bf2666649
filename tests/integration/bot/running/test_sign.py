"""A placeholder is visible while every source hangs, and the answer replaces it."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator

import pytest

from bot.admission import PublicAnswers
from bot.slack.progress import LATE, Progress
from bot.slack.request_origin import RequestOrigin
from bot.types import Actor, Answer, Surface
from bot.views.progress import still_reading
from services.clients.slack import Pace, SlackClient, Urgency
from services.domain.errors import OperatorError
from services.domain.secrets import Secret
from services.sandbox.slack import model
from services.sandbox.slack.faults import FaultKind
from services.sandbox.slack.model import Message
from tests.integration.bot.running.conftest import Slack, StartBot
from tests.outside import until

SIGN = "still reading"


@pytest.fixture
def silence() -> Iterator[str]:
    """ "127.0.0.1:port" of a server that accepts every connection and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listening:
        host, port = listening.getsockname()
        yield f"{host}:{port}"


async def test_command_shows_a_sign_while_every_source_hangs_and_then_the_answer(
    slack: Slack, start_bot: StartBot, silence: str
) -> None:
    hanging = {"RAILWAY_API_URL": f"http://{silence}/", "DRAGONFLY_API_BASE": f"http://{silence}"}
    dsn = f"postgresql://bot:made-up@{silence}/db"
    await start_bot(dsn, **hanging, SIGN_AFTER_SECONDS="0.1", source_timeout_s=6.0)

    await slack.type("/dragonfly health")
    sign = await slack.wait_for(lambda message: SIGN in message.text)
    assert sign.visible_to is None
    answer = await slack.wait_for(lambda message: "Railway does not" in message.text)
    assert answer.ts == sign.ts

    await slack.type("/dragonfly env")
    private = await slack.wait_for(lambda message: SIGN in message.text)
    assert private.visible_to == model.OLIVIA.id


def progress_of(
    slack: Slack, public_answers: PublicAnswers | None = None, *, pace: Pace | None = None
) -> tuple[Progress, SlackClient]:
    client = SlackClient(Secret("xoxb-local"), api_url=f"{slack.url}/slack/api/", pace=pace)
    origin = RequestOrigin(Surface.SLASH, Actor(model.OLIVIA.id, model.TEAM.id), model.INCIDENTS_ID)
    return Progress(client, origin, public_answers or PublicAnswers(time.monotonic)), client


async def test_sign_is_for_the_requester_where_the_channel_has_had_many_answers(slack: Slack) -> None:
    public_answers = PublicAnswers(time.monotonic)
    while public_answers.take(model.INCIDENTS_ID, model.OLIVIA.id):
        pass
    progress, client = progress_of(slack, public_answers)
    try:
        async with progress.sign(still_reading("health", 5.0, private=False), at=time.monotonic()):
            await until(lambda: bool(posted(slack)))
        assert [message.visible_to for message in posted(slack)] == [model.OLIVIA.id]
    finally:
        await client.aclose()


def posted(slack: Slack) -> list[Message]:
    return list(slack.workspace.messages)


async def fail_once_shown(progress: Progress, slack: Slack) -> None:
    async with progress.sign(still_reading("health", 5.0, private=False), at=time.monotonic()):
        await until(lambda: bool(posted(slack)))
        raise OperatorError("It failed", why="it was to", what_next="`help`")


async def test_sign_is_removed_when_the_command_fails_and_never_shown_when_it_is_quick(slack: Slack) -> None:
    progress, client = progress_of(slack)
    try:
        async with progress.sign(still_reading("health", 5.0, private=False), at=time.monotonic() + 300):
            pass
        assert posted(slack) == []

        with pytest.raises(OperatorError):
            await fail_once_shown(progress, slack)
        assert posted(slack) == []
    finally:
        await client.aclose()


PARTIAL = Answer("so far", [], None)


async def test_sign_never_replaces_what_the_command_shows(slack: Slack) -> None:
    progress, client = progress_of(slack, pace=Pace(0.0))
    try:
        async with progress.sign(still_reading("ask", 5.0, private=False), at=asyncio.get_running_loop().time()):
            await progress.show(PARTIAL)
            await asyncio.sleep(0.2)  # the placeholder waits behind it, and could be sent now
        assert [message.text for message in posted(slack)] == [PARTIAL.text]
    finally:
        await client.aclose()


async def test_sign_is_for_the_requester_at_once_where_the_channel_takes_no_message_now(slack: Slack) -> None:
    progress, client = progress_of(slack)
    waiting = [asyncio.create_task(client.pace.wait(model.INCIDENTS_ID, Urgency.NOTE)) for _ in range(30)]
    try:
        async with progress.sign(still_reading("health", 5.0, private=False), at=asyncio.get_running_loop().time()):
            await until(lambda: bool(posted(slack)))
            assert sum(note.done() for note in waiting) < 10  # it waited for none of them
        assert [message.visible_to for message in posted(slack)] == [model.OLIVIA.id]
        assert not await progress.finish(PARTIAL)
    finally:
        for note in waiting:
            note.cancel()
        await client.aclose()


async def test_sign_is_for_the_requester_where_slack_refuses_its_message_for_now(slack: Slack) -> None:
    slack.workspace.faults.plant("chat.postMessage", FaultKind.RATE_LIMIT, seconds=1)
    progress, client = progress_of(slack, pace=Pace(0.0))
    try:
        async with progress.sign(still_reading("ask", 5.0, private=False), at=asyncio.get_running_loop().time()):
            await until(lambda: bool(posted(slack)))
            await progress.show(PARTIAL)  # a refused placeholder does not keep the answer from being shown
        assert [(one.text == PARTIAL.text, one.visible_to) for one in posted(slack)] == [
            (False, model.OLIVIA.id),
            (True, None),
        ]
    finally:
        await client.aclose()


async def test_sign_whose_answer_is_lost_is_not_shown_a_second_time(slack: Slack) -> None:
    slack.workspace.faults.plant("chat.postMessage", FaultKind.LOST_ANSWER)
    progress, client = progress_of(slack, pace=Pace(0.0))
    try:
        async with progress.sign(still_reading("ask", 5.0, private=False), at=asyncio.get_running_loop().time()):
            await until(lambda: bool(posted(slack)))
            await progress.show(PARTIAL)
        assert [one.visible_to for one in posted(slack)] == [None]
    finally:
        await client.aclose()


async def test_sign_takes_the_moment_of_its_channel(slack: Slack) -> None:
    progress, client = progress_of(slack)
    try:
        async with progress.sign(still_reading("health", 5.0, private=False), at=asyncio.get_running_loop().time()):
            await until(lambda: bool(posted(slack)))
        assert not client.pace.is_free(model.INCIDENTS_ID)
    finally:
        await client.aclose()


async def test_sign_that_arrives_after_the_answer_is_removed(slack: Slack) -> None:
    progress, client = progress_of(slack)
    slack.workspace.faults.plant("chat.postMessage", FaultKind.SLOW, seconds=2.5)
    try:
        async with progress.sign(still_reading("health", 5.0, private=False), at=asyncio.get_running_loop().time()):
            await until(lambda: slack.workspace.faults.is_used_up)
        assert posted(slack) == []
        assert not await progress.finish(PARTIAL)
        await until(lambda: not LATE)
        assert posted(slack) == []
    finally:
        await client.aclose()
