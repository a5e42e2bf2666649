"""Handling of Slack's answers, and of missing ones, in the client."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.views.blocks import section
from services.clients.slack import Pace, SlackClient, Urgency
from services.clients.slack_charts import Charts
from services.domain.errors import SourceError
from services.domain.message_origin import MessageOrigin
from services.domain.phone_lines import PHONE_LIMIT, shown_width
from services.domain.secrets import Secret
from services.domain.slack_refusals import SlackRefusedError
from services.sandbox.slack import model
from services.sandbox.slack.actor import response_url
from services.sandbox.slack.faults import FaultKind
from tests.integration.bot.running.conftest import Slack
from tests.outside import PATIENCE_S, failure_of


@pytest.fixture
async def client(slack: Slack) -> AsyncIterator[SlackClient]:
    client = SlackClient(Secret("xoxb-local"), api_url=f"{slack.url}/slack/api/", timeout_s=1.0)
    yield client
    await client.aclose()


async def test_channel_is_found_by_its_name(client: SlackClient) -> None:
    assert await client.channel_id("#dragonfly-incidents") == model.INCIDENTS_ID
    assert await client.channel_id(model.INCIDENTS_ID) == model.INCIDENTS_ID


async def test_unknown_channel_is_refused_by_its_code(client: SlackClient) -> None:
    with pytest.raises(SlackRefusedError) as caught:
        await client.channel_id("nowhere")

    assert caught.value.code == "channel_not_found"
    assert not caught.value.retryable


async def test_refusal_is_no_unknown_outcome(client: SlackClient) -> None:
    with pytest.raises(SlackRefusedError) as caught:
        await client.post("C0NOSUCHONE", "text", [])

    assert not caught.value.outcome_unknown


async def test_an_answer_that_slack_rate_limited_takes_no_moment_of_a_page(client: SlackClient, slack: Slack) -> None:
    slack.workspace.strict = True
    slack.workspace.faults.plant("chat.postMessage", FaultKind.RATE_LIMIT, seconds=1)
    answer = asyncio.create_task(client.post(model.INCIDENTS_ID, "answer", []))
    async with asyncio.timeout(PATIENCE_S):
        while not slack.workspace.calls_of("chat.postMessage"):
            await asyncio.sleep(0.01)

    await asyncio.gather(client.post(model.INCIDENTS_ID, "page", [], urgency=Urgency.PAGE), answer)

    assert [one.text for one in slack.seen()] == ["page", "answer"]
    assert [call.answer["ok"] for call in slack.workspace.calls_of("chat.postMessage")] == [False, True, True]


async def test_an_answer_that_stays_rate_limited_is_tried_three_times(client: SlackClient, slack: Slack) -> None:
    for _ in range(3):
        slack.workspace.faults.plant("chat.postMessage", FaultKind.RATE_LIMIT, seconds=1)

    with pytest.raises(SlackRefusedError) as caught:
        await client.post(model.INCIDENTS_ID, "answer", [])

    assert caught.value.retry_after_s == 1
    assert len(slack.workspace.calls_of("chat.postMessage")) == 3


@pytest.mark.parametrize("kind", [FaultKind.LOST_ANSWER, FaultKind.SERVER_ERROR])
async def test_lost_answer_is_an_unknown_outcome_and_not_repeated(
    client: SlackClient, slack: Slack, kind: FaultKind
) -> None:
    slack.workspace.faults.plant("chat.postMessage", kind)

    with pytest.raises(SourceError) as caught:
        await client.post(model.INCIDENTS_ID, "text", [])

    assert caught.value.outcome_unknown
    assert len(slack.workspace.calls_of("chat.postMessage")) <= 1


async def test_server_that_is_away_did_nothing() -> None:
    client = SlackClient(Secret("xoxb-hush"), api_url="http://127.0.0.1:9/api/")

    with pytest.raises(SourceError) as caught:
        await client.post(model.INCIDENTS_ID, "text", [])

    assert not caught.value.outcome_unknown
    assert "xoxb" not in str(caught.value)
    await client.aclose()


async def test_message_is_found_by_its_key(client: SlackClient) -> None:
    since = datetime.now(UTC) - timedelta(minutes=1)
    channel, ts = await client.post(model.INCIDENTS_ID, "text", [], key="alert:1")
    _, reply = await client.post(model.INCIDENTS_ID, "reply", [], key="alert:2", thread_ts=ts)

    assert await client.find(channel, "alert:1", since=since) == ts
    assert await client.find(channel, "alert:2", since=since, thread_ts=ts) == reply
    assert await client.find(channel, "alert:3", since=since) is None


@pytest.mark.parametrize("is_connected", [False, True])
async def test_a_post_that_misses_its_deadline_is_never_sent(slack: Slack, is_connected: bool) -> None:
    """A process that was frozen between its intent and the call."""
    client = SlackClient(Secret("xoxb-local"), api_url=f"{slack.url}/slack/api/", timeout_s=5.0)
    if is_connected:
        await client.identify()

    error = await failure_of(client.post(model.INCIDENTS_ID, "late", [], leaves_by=time.monotonic()))
    await client.post(model.INCIDENTS_ID, "in time", [], leaves_by=time.monotonic() + 60)

    assert (error.retryable, error.outcome_unknown) == (True, False)
    assert [message.text for message in slack.seen()] == ["in time"]
    await client.aclose()


@pytest.mark.parametrize("method", ["files.getUploadURLExternal", "files.completeUploadExternal"])
async def test_an_upload_that_fails_names_the_method_that_did(client: SlackClient, slack: Slack, method: str) -> None:
    slack.workspace.faults.plant(method, FaultKind.SERVER_ERROR)

    error = await failure_of(client.upload(model.INCIDENTS_ID, "a.md", "text", "comment"))

    assert error.why.startswith(f"{method} was refused")


async def test_an_upload_whose_answer_is_lost_names_methods_that_exist(client: SlackClient, slack: Slack) -> None:
    slack.workspace.faults.plant("files.getUploadURLExternal", FaultKind.LOST_ANSWER)

    error = await failure_of(client.upload(model.INCIDENTS_ID, "a.md", "text", "comment"))

    assert error.why.startswith("an upload (files.getUploadURLExternal, files.completeUploadExternal)")
    assert "upload_v2" not in error.why


async def test_a_method_of_three_words_is_named_as_slack_does(client: SlackClient) -> None:
    with pytest.raises(SlackRefusedError, match=r"usergroups\.users\.list was refused"):
        await client.list_group_members("S0NOSUCHONE")


def with_chart() -> list[dict[str, Any]]:
    chart = {"type": "line", "series": [{"name": "q", "data": [{"label": "a", "value": 1}]}]}
    axes = {"axis_config": {"categories": ["a"]}}
    return [
        section("Queue: now 1 job"),
        {"type": "data_visualization", "title": "Queue", "chart": chart | axes},
    ]


async def test_an_address_of_a_command_gets_charts_until_it_refuses_one(client: SlackClient, slack: Slack) -> None:
    def last_kinds() -> list[str]:
        return [block["type"] for block in list(slack.workspace.messages)[-1].blocks]

    address = response_url(slack.workspace, model.OTTO, model.INCIDENTS_ID)
    await client.respond(address, "Queue: now 1 job", with_chart())
    assert last_kinds() == ["section", "data_visualization"]

    slack.workspace.faults.plant("response_url", FaultKind.REFUSED, code="invalid_blocks")
    await client.respond(address, "Queue: now 1 job", with_chart())
    assert last_kinds() == ["section"]

    await client.post(model.INCIDENTS_ID, "Queue: now 1 job", with_chart())  # remembered for every method
    assert last_kinds() == ["section"]


async def test_a_refused_chart_is_left_out_once_and_then_for_a_while(slack: Slack) -> None:
    """A workspace that does not support the block refuses it; the text beside it says the same."""
    url, blocks = f"{slack.url}/slack/api/", with_chart()
    client = SlackClient(Secret("xoxb-local"), api_url=url, pace=Pace(every_s=0))
    forgetful = SlackClient(Secret("xoxb-local"), api_url=url, pace=Pace(every_s=0), charts=Charts(again_s=0.0))

    def kinds(ts: str) -> list[str]:
        [message] = [one for one in slack.workspace.messages if one.ts == ts]
        return [block["type"] for block in message.blocks]

    for one, later in ((client, ["section"]), (forgetful, ["section", "data_visualization"])):
        slack.workspace.faults.plant("chat.postMessage", FaultKind.REFUSED, code="invalid_blocks")
        _, ts = await one.post(model.INCIDENTS_ID, "Queue: now 1 job", blocks)
        assert kinds(ts) == ["section"]
        _, ts = await one.post(model.INCIDENTS_ID, "Queue: now 1 job", blocks)
        assert kinds(ts) == later
        await one.aclose()
    assert len(slack.workspace.calls_of("chat.postMessage")) == 6


async def test_blocks_refused_for_another_reason_say_nothing_of_charts(slack: Slack) -> None:
    client = SlackClient(Secret("xoxb-local"), api_url=f"{slack.url}/slack/api/", pace=Pace(every_s=0))
    slack.workspace.faults.plant("chat.postMessage", FaultKind.REFUSED, code="invalid_blocks")

    with pytest.raises(SlackRefusedError, match="invalid_blocks"):
        await client.post(model.INCIDENTS_ID, "x", [section("x")])

    assert len(slack.workspace.calls_of("chat.postMessage")) == 1
    await client.aclose()


async def test_the_first_line_fits_a_notification_with_the_environment_s_mark_in_it(slack: Slack) -> None:
    mark = "🟥 prod"
    room = PHONE_LIMIT - len(f"{mark} ")
    client = SlackClient(Secret("xoxb-local"), api_url=f"{slack.url}/slack/api/", origin=MessageOrigin("prod", mark))
    for width in (room, room + 1):
        await client.post(model.INCIDENTS_ID, "x" * width, [section("*What happened*")])
    await client.aclose()

    first_lines = [message.text.partition("\n")[0] for message in slack.seen()]
    assert [shown_width(line) for line in first_lines] == [PHONE_LIMIT, PHONE_LIMIT]
    assert first_lines[0] == f"{mark} {'x' * room}"
