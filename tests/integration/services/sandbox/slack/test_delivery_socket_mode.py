import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp

from services.sandbox.slack.actor import acting_as
from services.sandbox.slack.model import ANN, BOT, INCIDENTS_ID, OLIVIA, OTTO
from services.sandbox.slack.workspace import Workspace

Connect = Callable[[AsyncApp], Awaitable[AsyncSocketModeHandler]]


async def eventually(is_true: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not is_true():
            await asyncio.sleep(0.005)


def texts(workspace: Workspace, user: str = OLIVIA.id) -> list[str]:
    return [message.text for message in workspace.messages_for(user, INCIDENTS_ID)]


async def test_a_slash_command_is_acknowledged_and_answered_to_the_requester_only(
    workspace: Workspace, app: AsyncApp, connect: Connect
) -> None:
    @app.command("/dragonfly")
    async def dragonfly(ack: Any, respond: Any, command: dict[str, Any]) -> None:
        await ack()
        await respond(f"you asked for {command['text']}")

    await connect(app)

    error = await acting_as(workspace, OLIVIA.id).type(INCIDENTS_ID, "/dragonfly health")

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

    posted = acting_as(workspace, OLIVIA.id).say(INCIDENTS_ID, "@dragonfly health <now>")

    await eventually(lambda: len(workspace.thread_for(ANN.id, INCIDENTS_ID, posted.ts)) == 2)
    answer = workspace.thread_for(ANN.id, INCIDENTS_ID, posted.ts)[1]
    assert answer.user == BOT.id
    assert answer.text == f"you said <@{BOT.id}> health &lt;now&gt;"


async def test_a_command_that_no_one_acknowledges_fails_for_the_requester_only(
    workspace: Workspace, app: AsyncApp, connect: Connect
) -> None:
    @app.command("/dragonfly")
    async def silent() -> None:
        await asyncio.sleep(0.2)

    workspace.sockets.ack_within_s = 0.05
    await connect(app)

    error = await acting_as(workspace, OLIVIA.id).type(INCIDENTS_ID, "/dragonfly health")

    assert error == "operation_timeout"
    assert texts(workspace) == ['/dragonfly failed with the error "operation_timeout"']
    assert texts(workspace, ANN.id) == []


async def test_a_command_without_a_connected_app_fails_at_once(workspace: Workspace) -> None:
    assert await acting_as(workspace, OLIVIA.id).type(INCIDENTS_ID, "/dragonfly health") == "dispatch_failed"


async def test_a_command_in_a_thread_is_not_sent(workspace: Workspace) -> None:
    await acting_as(workspace, OLIVIA.id).type(INCIDENTS_ID, "/dragonfly health", thread_ts="1.000001")

    assert [m.text for m in workspace.thread_for(OLIVIA.id, INCIDENTS_ID, "1.000001")] == [
        "/dragonfly is not supported in threads. Sorry!"
    ]


async def test_the_acknowledgement_may_hold_the_answer(workspace: Workspace, app: AsyncApp, connect: Connect) -> None:
    @app.command("/dragonfly")
    async def dragonfly(ack: Any) -> None:
        await ack(text="at once", response_type="in_channel")

    await connect(app)

    await acting_as(workspace, OLIVIA.id).type(INCIDENTS_ID, "/dragonfly")

    assert texts(workspace, OTTO.id) == ["at once"]


async def test_people_and_channels_in_a_command_arrive_as_ids(
    workspace: Workspace, app: AsyncApp, connect: Connect
) -> None:
    heard: list[str] = []

    @app.command("/dragonfly")
    async def dragonfly(ack: Any, command: dict[str, Any]) -> None:
        heard.append(command["text"])
        await ack()

    await connect(app)

    await acting_as(workspace, OLIVIA.id).type(INCIDENTS_ID, "/dragonfly tell @ann in #general <b> a@b.example")

    assert heard == [f"tell <@{ANN.id}|ann> in <#C0GENERAL01|general> &lt;b&gt; a@b.example"]


async def test_each_envelope_goes_to_one_of_two_connections_in_turn(
    workspace: Workspace, app: AsyncApp, connect: Connect
) -> None:
    heard: list[str] = []

    @app.command("/dragonfly")
    async def dragonfly(ack: Any, command: dict[str, Any]) -> None:
        heard.append(command["text"])
        await ack()

    first, second = await connect(app), await connect(app)
    seen_by: dict[str, int] = {"first": 0, "second": 0}

    async def count_first(*_: Any) -> None:
        seen_by["first"] += 1

    async def count_second(*_: Any) -> None:
        seen_by["second"] += 1

    first.client.socket_mode_request_listeners.append(count_first)
    second.client.socket_mode_request_listeners.append(count_second)

    for number in range(4):
        await acting_as(workspace, OLIVIA.id).type(INCIDENTS_ID, f"/dragonfly {number}")

    assert workspace.sockets.count == 2
    assert heard == ["0", "1", "2", "3"]
    await eventually(lambda: seen_by == {"first": 2, "second": 2})


async def test_an_event_that_is_not_acknowledged_is_delivered_again_with_its_reason(
    workspace: Workspace, app: AsyncApp, connect: Connect
) -> None:
    tries: list[tuple[str, str | None, str | None]] = []

    @app.middleware
    async def drop_the_first(req: Any, body: dict[str, Any], next: Any) -> None:  # noqa: A002  # Bolt's own name
        headers = {name: values[0] for name, values in req.headers.items()}
        tries.append((body["event_id"], headers.get("x-slack-retry-num"), headers.get("x-slack-retry-reason")))
        if len(tries) == 1:
            await asyncio.sleep(0.2)
        await next()

    @app.event("app_mention")
    async def mentioned() -> None:
        pass

    workspace.subscribed_events = frozenset({"app_mention"})
    workspace.sockets.ack_within_s = 0.05
    workspace.events.retry_after_s = (0.0,)
    await connect(app)
    await connect(app)

    acting_as(workspace, OLIVIA.id).say(INCIDENTS_ID, "@dragonfly health")

    await eventually(lambda: len(tries) == 2)
    assert tries[0][0] == tries[1][0]
    assert tries[1][1:] == ("1", "timeout")


async def test_an_acknowledged_envelope_can_be_delivered_again(
    workspace: Workspace, app: AsyncApp, connect: Connect
) -> None:
    triggers: list[str] = []

    @app.command("/dragonfly")
    async def dragonfly(ack: Any, command: dict[str, Any]) -> None:
        triggers.append(command["trigger_id"])
        await ack()

    await connect(app)
    await acting_as(workspace, OLIVIA.id).type(INCIDENTS_ID, "/dragonfly health")

    await workspace.sockets.redeliver(workspace.sockets.sent[-1])

    assert len(triggers) == 2
    assert triggers[0] == triggers[1]


async def test_a_refresh_makes_the_client_reconnect(workspace: Workspace, app: AsyncApp, connect: Connect) -> None:
    handler = await connect(app)
    before = handler.client.current_session

    await workspace.sockets.refresh()

    await eventually(lambda: handler.client.current_session is not before and workspace.sockets.count == 1)


async def test_a_cut_connection_is_opened_again(workspace: Workspace, app: AsyncApp, connect: Connect) -> None:
    handler = await connect(app)
    before = handler.client.current_session

    await workspace.sockets.cut()

    await eventually(lambda: handler.client.current_session is not before and workspace.sockets.count == 1)
