import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp

from services.sandbox.slack.cast import ANN, BOT, INCIDENTS_ID, OLIVIA
from services.sandbox.slack.workspace import Workspace

Connect = Callable[[AsyncApp], Awaitable[AsyncSocketModeHandler]]


async def eventually(is_true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not is_true():
            await asyncio.sleep(0.005)


def texts(workspace: Workspace, user: str = OLIVIA.id) -> list[str]:
    return [message.text for message in workspace.messages_for(user, INCIDENTS_ID)]


async def test_a_slash_command_is_acknowledged_and_answered_to_the_asker_only(
    workspace: Workspace, app: AsyncApp, connect: Connect
) -> None:
    @app.command("/dragonfly")
    async def dragonfly(ack: Any, respond: Any, command: dict[str, Any]) -> None:
        await ack()
        await respond(f"you asked for {command['text']}")

    await connect(app)

    error = await workspace.acting_as(OLIVIA.id).type(INCIDENTS_ID, "/dragonfly health")

    assert error is None
    await eventually(lambda: texts(workspace) == ["you asked for health"])
    assert texts(workspace, ANN.id) == []


async def test_a_mention_reaches_the_app_and_is_answered_in_its_thread(
    workspace: Workspace, app: AsyncApp, connect: Connect
) -> None:
    @app.event("app_mention")
    async def mentioned(event: dict[str, Any], say: Any) -> None:
        await say(f"you said {event['text']}", thread_ts=event["ts"])

    @app.event("message")
    async def message() -> None:
        pass

    await connect(app)

    said = workspace.acting_as(OLIVIA.id).say(INCIDENTS_ID, "@dragonfly health <now>")

    await eventually(lambda: len(workspace.thread_for(ANN.id, INCIDENTS_ID, said.ts)) == 2)
    answer = workspace.thread_for(ANN.id, INCIDENTS_ID, said.ts)[1]
    assert answer.user == BOT.id
    assert answer.text == f"you said <@{BOT.id}> health &lt;now&gt;"
