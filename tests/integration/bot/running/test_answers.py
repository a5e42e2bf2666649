"""Answers reach the requester even if the channel refuses them: each of Slack's refusals of a post, over the wire."""

from __future__ import annotations

import pytest

from services.sandbox.slack import model
from services.sandbox.slack.actor import acting_as
from services.sandbox.slack.faults import FaultKind
from services.sandbox.slack.model import Message
from tests.integration.bot.running.conftest import Slack
from tests.outside import until

REFUSALS = [
    "channel_not_found",
    "not_in_channel",
    "is_archived",
    "restricted_action",
    "restricted_action_read_only_channel",
    "restricted_action_thread_only_channel",
    "restricted_action_non_threadable_channel",
    "restricted_action_thread_locked",
    "no_permission",
]

pytestmark = pytest.mark.usefixtures("bot")


def direct(slack: Slack) -> list[Message]:
    channel = slack.workspace.direct_channel(model.OLIVIA.id).id
    return [message for message in slack.workspace.messages if message.channel == channel]


@pytest.mark.parametrize("code", REFUSALS)
async def test_an_answer_that_a_channel_refuses_goes_through_the_commands_own_address(slack: Slack, code: str) -> None:
    slack.workspace.faults.plant("chat.postMessage", FaultKind.REFUSED, code=code)

    await slack.type("/dragonfly queue")

    answer = await slack.wait_for(lambda message: "queue" in message.text.lower())
    assert answer.visible_to is None
    assert not direct(slack)


@pytest.mark.parametrize("code", REFUSALS)
async def test_an_answer_to_a_mention_that_a_channel_refuses_is_a_direct_message(slack: Slack, code: str) -> None:
    slack.workspace.faults.plant("chat.postMessage", FaultKind.REFUSED, code=code)

    acting_as(slack.workspace, model.OLIVIA.id).say(model.INCIDENTS_ID, "@dragonfly queue")

    await until(lambda: bool(direct(slack)))
    [answer] = direct(slack)
    assert "queue" in answer.text.lower()
    assert "directly" in str(answer.blocks)


async def test_a_private_answer_to_a_mention_that_a_channel_refuses_is_a_direct_message(slack: Slack) -> None:
    slack.workspace.faults.plant("chat.postEphemeral", FaultKind.REFUSED, code="user_not_in_channel")

    acting_as(slack.workspace, model.OLIVIA.id).say(model.INCIDENTS_ID, "@dragonfly help")

    await until(lambda: bool(direct(slack)))


async def test_an_answer_that_slack_does_not_take_for_its_blocks_is_plain_text(slack: Slack) -> None:
    slack.workspace.faults.plant("chat.postMessage", FaultKind.REFUSED, code="invalid_blocks")

    await slack.type("/dragonfly queue")

    answer = await slack.wait_for(lambda message: "queue" in message.text.lower())
    assert not answer.blocks
