"""An error after the acknowledgement of a dialog is shown, and does not undo the acknowledgement."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from slack_bolt.async_app import AsyncApp, AsyncBoltRequest
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.context.ack.async_ack import AsyncAck

from bot.slack.acknowledged import Acknowledged
from bot.slack.dedup import Deduplicator
from bot.slack.gate import Gate, GatedApp
from bot.slack_directory import make_profiles
from services.clients.slack import SlackClient
from services.domain.errors import OperatorError
from services.domain.secrets import Secret

# A submission that names no one passes the gate without a call to Slack.
SUBMISSION = {"type": "view_submission", "view": {"type": "modal", "callback_id": "run.deny", "id": "V1"}}
REFUSAL = OperatorError("Nothing was done", why="it is too late", what_next="Type `runs`.")


async def authorize() -> AuthorizeResult:
    return AuthorizeResult(enterprise_id=None, team_id="T1", bot_token="xoxb-1", bot_id="B1", bot_user_id="U1")


@pytest.fixture
def slack() -> SlackClient:
    return SlackClient(Secret("xoxb-1"), api_url="http://127.0.0.1:1/")


async def submit(slack: SlackClient, *, acknowledges: bool) -> tuple[int, list[Exception]]:
    """The status of Bolt's answer, and the errors that were shown."""
    shown: list[Exception] = []
    bolt = AsyncApp(authorize=authorize, request_verification_enabled=False)
    gate = Gate(slack, make_profiles(slack), workspace=lambda: "T1", channel="C1")

    async def show(error: Exception, _: dict[str, Any]) -> None:
        shown.append(error)

    async def refuse(ack: AsyncAck) -> None:
        if acknowledges:
            await ack()
        raise REFUSAL

    GatedApp(bolt, gate, show, Acknowledged(Deduplicator(None, owner="test"), lambda: None)).view("run.deny")(refuse)
    bolt.error(show_to_bolt(shown))
    answer = await bolt.async_dispatch(AsyncBoltRequest(body=json.dumps(SUBMISSION), mode="http"))
    await asyncio.sleep(0)
    return answer.status, shown


def show_to_bolt(shown: list[Exception]) -> Any:
    async def handle(error: Exception) -> None:
        shown.append(error)

    return handle


async def test_a_refusal_right_after_the_acknowledgement_leaves_it_sent(slack: SlackClient) -> None:
    assert await submit(slack, acknowledges=True) == (200, [REFUSAL])


async def test_an_error_before_it_is_bolts_to_handle(slack: SlackClient) -> None:
    status, shown = await submit(slack, acknowledges=False)

    assert (status, shown) == (500, [REFUSAL])
