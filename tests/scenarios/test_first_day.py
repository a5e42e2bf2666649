"""The first day: a newcomer tests the setup and asks the bot in a direct message; an approver decides in one."""

from __future__ import annotations

from collections import deque

from bot.config.environment import Settings
from bot.setup.check_slack import check_setup
from services.domain.status import Status
from services.sandbox.slack import model
from services.sandbox.slack.actor import acting_as
from services.sandbox.slack.model import Message, User
from tests.integration.bot.running.conftest import Slack, StartWhole, environment
from tests.integration.bot.setup.test_init import Typist, wrong
from tests.outside import first_message
from tests.scenarios.conftest import PEOPLE, STORY_S, Channel, buttons_of, shown


def direct(slack: Slack, person: User) -> list[Message]:
    """The bot's direct messages to this person."""
    channel = slack.workspace.direct_channel(person.id).id
    return [one for one in slack.workspace.messages if one.channel == channel and one.bot_id is not None]


async def expect_directly(slack: Slack, person: User, *words: str) -> Message:
    return await first_message(
        lambda: direct(slack, person), lambda one: all(word in shown(one) for word in words), timeout_s=STORY_S
    )


async def test_newcomer_mends_the_setup_asks_directly_and_an_approver_decides_in_a_direct_message(
    start_whole: StartWhole, channel: Channel, slack: Slack
) -> None:
    settings = Settings.from_environment(environment(slack, None, **PEOPLE))
    members = slack.workspace.channels[model.INCIDENTS_ID].members
    members.remove(model.BOT.id)
    answer = await check_setup(settings, Typist(deque()), is_live=False)
    assert "/invite @dragonfly" in wrong(answer)["slack.channel"]
    members.append(model.BOT.id)
    assert (await check_setup(settings, Typist(deque()), is_live=False)).status is Status.OK
    await start_whole(ALONE_AFTER_SECONDS="600")

    olivia = acting_as(slack.workspace, model.OLIVIA.id)
    assert await olivia.type(slack.workspace.direct_channel(model.OLIVIA.id).id, "health") is None
    await expect_directly(slack, model.OLIVIA, "dev is")

    await channel.type("incident open ingest is slow service ingest")
    await channel.expect("ingest is slow", "Acknowledge")
    await channel.type("redeploy ingest")
    asked = await expect_directly(slack, model.ANN, "approver is needed", "Redeploy ingest")
    assert buttons_of(asked)[:2] == ["Approve", "Deny"]
    await channel.press(asked, "Approve", by=model.ANN)
    for approver in (model.ANN, model.BEN):
        closed = await expect_directly(slack, approver, "Approved", "No action", "Redeploy ingest")
        assert "Approve" not in buttons_of(closed)
