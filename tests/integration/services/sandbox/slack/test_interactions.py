import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from services.sandbox.slack.actor import acting_as
from services.sandbox.slack.model import ANN, BEN, FORMER, INCIDENTS_ID, OLIVIA, NothingThereError, View
from services.sandbox.slack.workspace import Workspace

Connect = Callable[[AsyncApp], Awaitable[AsyncSocketModeHandler]]

APPROVE = {"type": "button", "text": {"type": "plain_text", "text": "Approve"}, "action_id": "approve", "value": "42"}
CHOICE = {
    "type": "static_select",
    "action_id": "service",
    "options": [{"text": {"type": "plain_text", "text": name}, "value": name} for name in ("api", "ingest")],
}
BUTTONS = [{"type": "actions", "block_id": "decision", "elements": [APPROVE, CHOICE]}]
REASON = {
    "type": "input",
    "block_id": "reason",
    "label": {"type": "plain_text", "text": "Reason"},
    "element": {"type": "plain_text_input", "action_id": "text", "max_length": 20},
}


def modal(title: str = "Stop workers", **more: Any) -> dict[str, Any]:
    texts = {"title": {"type": "plain_text", "text": title}, "submit": {"type": "plain_text", "text": "Stop"}}
    return {"type": "modal", "callback_id": "stop", "blocks": [REASON], **texts, **more}


async def eventually(is_true: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not is_true():
            await asyncio.sleep(0.005)


def open_modal(workspace: Workspace, content: dict[str, Any] | None = None) -> View:
    return workspace.views.open(OLIVIA.id, content or modal())


async def test_a_button_sends_its_value_and_the_message_it_stands_in(
    workspace: Workspace, app: AsyncApp, client: AsyncWebClient, connect: Connect
) -> None:
    heard: list[dict[str, Any]] = []

    @app.action("approve")
    async def approve(ack: Any, body: dict[str, Any], respond: Any) -> None:
        await ack()
        heard.append(body)
        await respond(text="Approved by Ann", replace_original=True)

    await connect(app)
    posted = await client.chat_postMessage(channel=INCIDENTS_ID, text="Scale?", blocks=BUTTONS)

    error = await acting_as(workspace, ANN.id).click(
        INCIDENTS_ID, posted["ts"], "approve", answers={"decision": {"service": "ingest"}}
    )

    assert error is None
    body = heard[0]
    assert body["actions"][0]["value"] == "42"
    assert (body["user"]["id"], body["team"]["id"]) == (ANN.id, workspace.team.id)
    assert body["container"]["message_ts"] == posted["ts"]
    assert body["state"]["values"]["decision"]["service"]["selected_option"]["value"] == "ingest"
    await eventually(lambda: workspace.messages_for(BEN.id, INCIDENTS_ID)[0].text == "Approved by Ann")
    assert workspace.messages_for(BEN.id, INCIDENTS_ID)[0].blocks == []


async def test_a_select_sends_what_was_chosen(
    workspace: Workspace, app: AsyncApp, client: AsyncWebClient, connect: Connect
) -> None:
    chosen: list[str] = []

    @app.action("service")
    async def service(ack: Any, action: dict[str, Any]) -> None:
        await ack()
        chosen.append(action["selected_option"]["value"])

    await connect(app)
    posted = await client.chat_postMessage(channel=INCIDENTS_ID, text="Which?", blocks=BUTTONS)

    await acting_as(workspace, ANN.id).click(INCIDENTS_ID, posted["ts"], "service", value="api")

    assert chosen == ["api"]


async def test_a_button_that_was_replaced_while_it_was_pressed_is_sent_as_it_was_seen(
    workspace: Workspace, app: AsyncApp, client: AsyncWebClient, connect: Connect
) -> None:
    pressed: list[str] = []

    @app.action("approve")
    async def approve(ack: Any, action: dict[str, Any]) -> None:
        await ack()
        pressed.append(action["value"])

    def home(value: str) -> dict[str, Any]:
        return {"type": "home", "blocks": [{"type": "actions", "elements": [APPROVE | {"value": value}]}]}

    await connect(app)
    await client.views_publish(user_id=ANN.id, view=home("seen"))
    view = workspace.home_for(ANN.id)
    assert view is not None
    seen = view.content["blocks"][0]["block_id"]
    posted = await client.chat_postMessage(channel=INCIDENTS_ID, text="Scale?", blocks=BUTTONS)
    await client.views_publish(user_id=ANN.id, view=home("newer"))
    await client.chat_update(channel=INCIDENTS_ID, ts=posted["ts"], text="Scaled", blocks=[])
    ann = acting_as(workspace, ANN.id)

    await ann.click_in_view(view.id, "approve", block_id=seen)
    await ann.click(INCIDENTS_ID, posted["ts"], "approve", block_id="decision")

    assert pressed == ["seen", "42"]


async def test_a_button_of_long_ago_is_gone(workspace: Workspace, client: AsyncWebClient) -> None:
    posted = await client.chat_postMessage(channel=INCIDENTS_ID, text="Scale?", blocks=BUTTONS)
    for _ in range(FORMER + 1):
        await client.chat_update(channel=INCIDENTS_ID, ts=posted["ts"], text="Scaled", blocks=[])

    with pytest.raises(NothingThereError):
        await acting_as(workspace, ANN.id).click(INCIDENTS_ID, posted["ts"], "approve", block_id="decision")


async def test_a_click_that_no_one_handles_fails(
    workspace: Workspace, app: AsyncApp, client: AsyncWebClient, connect: Connect
) -> None:
    workspace.sockets.ack_within_s = 0.1
    await connect(app)
    posted = await client.chat_postMessage(channel=INCIDENTS_ID, text="Scale?", blocks=BUTTONS)

    assert await acting_as(workspace, ANN.id).click(INCIDENTS_ID, posted["ts"], "approve") == "operation_timeout"


async def test_no_one_clicks_in_what_only_another_person_sees(workspace: Workspace, client: AsyncWebClient) -> None:
    posted = await client.chat_postEphemeral(channel=INCIDENTS_ID, user=OLIVIA.id, text="Yours", blocks=BUTTONS)

    with pytest.raises(NothingThereError):
        await acting_as(workspace, ANN.id).click(INCIDENTS_ID, posted["message_ts"], "approve")


async def test_a_modal_is_opened_by_a_command_and_takes_an_answer(
    workspace: Workspace, app: AsyncApp, connect: Connect
) -> None:
    reasons: list[str] = []

    @app.command("/dragonfly")
    async def dragonfly(ack: Any, command: dict[str, Any], client: AsyncWebClient) -> None:
        await ack()
        await client.views_open(trigger_id=command["trigger_id"], view=modal(private_metadata="C1"))

    @app.view("stop")
    async def stop(ack: Any, view: dict[str, Any]) -> None:
        await ack()
        reasons.append(view["state"]["values"]["reason"]["text"]["value"])

    await connect(app)
    olivia = acting_as(workspace, OLIVIA.id)
    await olivia.type(INCIDENTS_ID, "/dragonfly stop-workers")
    await eventually(lambda: workspace.modal_for(OLIVIA.id) is not None)
    view = workspace.modal_for(OLIVIA.id)
    assert view is not None

    assert await olivia.submit(view.id, {"reason": {"text": "bad batch"}}) == {}

    assert reasons == ["bad batch"]
    assert workspace.modal_for(OLIVIA.id) is None


async def test_errors_keep_the_modal_open_with_what_was_typed(
    workspace: Workspace, app: AsyncApp, connect: Connect
) -> None:
    @app.view("stop")
    async def stop(ack: Any) -> None:
        await ack(response_action="errors", errors={"reason": "Say more."})

    await connect(app)
    view = open_modal(workspace)

    assert await acting_as(workspace, OLIVIA.id).submit(view.id, {"reason": {"text": "x"}}) == {"reason": "Say more."}

    assert workspace.modal_for(OLIVIA.id) is view
    assert view.errors == {"reason": "Say more."}
    assert view.state["reason"]["text"]["value"] == "x"


async def test_a_required_input_left_empty_never_reaches_the_app(workspace: Workspace) -> None:
    view = open_modal(workspace)

    assert await acting_as(workspace, OLIVIA.id).submit(view.id) == {"reason": "Please complete this required field."}


async def test_a_submission_may_update_push_or_clear(workspace: Workspace, app: AsyncApp, connect: Connect) -> None:
    answers: Iterator[dict[str, Any]] = iter(
        [
            {"response_action": "update", "view": modal("Second")},
            {"response_action": "push", "view": modal("Third")},
            {"response_action": "clear"},
        ]
    )

    @app.view("stop")
    async def stop(ack: Any) -> None:
        await ack(**next(answers))

    await connect(app)
    olivia = acting_as(workspace, OLIVIA.id)
    view = open_modal(workspace)
    titles: list[list[str]] = []

    for _ in range(3):
        front = workspace.modal_for(OLIVIA.id)
        assert front is not None
        assert await olivia.submit(front.id, {"reason": {"text": "x"}}) == {}
        titles.append([each.content["title"]["text"] for each in workspace.views.stack_for(OLIVIA.id)])

    assert titles == [["Second"], ["Second", "Third"], []]
    assert view.content["title"]["text"] == "Second"


async def test_an_answer_that_slack_would_refuse_is_shown_as_problem(
    workspace: Workspace, app: AsyncApp, connect: Connect
) -> None:
    @app.view("stop")
    async def stop(ack: Any) -> None:
        await ack(response_action="update", view=modal("A title that is longer than 24 characters"))

    await connect(app)
    view = open_modal(workspace)

    errors = await acting_as(workspace, OLIVIA.id).submit(view.id, {"reason": {"text": "x"}})

    assert list(errors) == [""]
    assert workspace.refusals[-1].method == "view_submission"


async def test_closing_a_modal_is_reported_when_it_asked_for_it(
    workspace: Workspace, app: AsyncApp, connect: Connect
) -> None:
    closed: list[bool] = []

    @app.view_closed("stop")
    async def on_close(ack: Any, body: dict[str, Any]) -> None:
        await ack()
        closed.append(body["is_cleared"])

    await connect(app)
    view = open_modal(workspace, modal(notify_on_close=True))

    await acting_as(workspace, OLIVIA.id).close_modal(view.id)

    assert closed == [False]
    assert workspace.modal_for(OLIVIA.id) is None


async def test_the_home_tab_is_published_per_person(workspace: Workspace, app: AsyncApp, connect: Connect) -> None:
    @app.event("app_home_opened")
    async def opened(event: dict[str, Any], client: AsyncWebClient) -> None:
        text = {"type": "mrkdwn", "text": f"Hello <@{event['user']}>"}
        view = {"type": "home", "blocks": [{"type": "section", "text": text}]}
        await client.views_publish(user_id=event["user"], view=view)

    await connect(app)

    acting_as(workspace, ANN.id).open_home()

    await eventually(lambda: workspace.home_for(ANN.id) is not None)
    assert workspace.home_for(OLIVIA.id) is None


async def test_a_message_shortcut_reaches_the_app(
    workspace: Workspace, app: AsyncApp, client: AsyncWebClient, connect: Connect
) -> None:
    heard: list[str] = []

    @app.shortcut("explain")
    async def explain(ack: Any, body: dict[str, Any]) -> None:
        await ack()
        heard.append(body["message"]["text"])

    await connect(app)
    posted = await client.chat_postMessage(channel=INCIDENTS_ID, text="Look")

    await acting_as(workspace, ANN.id).shortcut("explain", INCIDENTS_ID, posted["ts"])

    assert heard == ["Look"]


async def test_a_trigger_opens_one_modal(workspace: Workspace, client: AsyncWebClient) -> None:
    trigger = workspace.tickets.new_trigger(OLIVIA.id)
    opened = await client.views_open(trigger_id=trigger, view=modal())

    with pytest.raises(SlackApiError, match="exchanged_trigger_id"):
        await client.views_open(trigger_id=trigger, view=modal())

    updated = await client.views_update(view_id=opened["view"]["id"], hash=opened["view"]["hash"], view=modal("Filled"))
    assert updated["view"]["title"]["text"] == "Filled"
    with pytest.raises(SlackApiError, match="hash_conflict"):
        await client.views_update(view_id=opened["view"]["id"], hash=opened["view"]["hash"], view=modal())
