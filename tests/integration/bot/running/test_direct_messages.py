"""A whole bot and Slack: decisions and next steps in a direct message, and the links in it."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.types import Actor, Request, Surface
from bot.views.run_buttons import APPROVE, DENY, DETAILS
from playbooks.model import Risk
from playbooks.plan import Plan
from playbooks.steps import RestartDeployment
from services.domain.messages import LINK_TO_MESSAGE
from services.domain.services import Service
from services.sandbox.slack import model
from services.sandbox.slack.actor import acting_as
from services.sandbox.slack.blocks import find_element
from services.sandbox.slack.model import Message, User
from tests.conftest import DatabaseUrls
from tests.integration.bot.running.conftest import Slack, StartBot
from tests.integration.bot.running.test_decisions import deliver_click, modal_of
from tests.outside import PATIENCE_S

PEOPLE = {"DRAGONFLY_OPERATORS": model.OPERATORS.id, "DRAGONFLY_APPROVERS": model.APPROVERS.id}
OLIVIA = Request((), Surface.SLASH, Actor(model.OLIVIA.id, model.TEAM.id), model.INCIDENTS_ID)
REDEPLOY = Plan(
    environment="dev",
    playbook="redeploy",
    parameters={"service": "api"},
    steps=(RestartDeployment(Service.API, "d-gone"),),
    risk=Risk.HIGH,
    title="Redeploy api",
    impact=("api is away for a minute",),
)
ONCALL = f"""version = 1
[people.ann]
slack = "{model.ANN.id}"
[people.ben]
slack = "{model.BEN.id}"
[[levels]]
call = ["ann", "ben"]
accept_slack_only = true
"""


def labels(message: Message) -> list[str]:
    return [
        element["text"]["text"]
        for block in message.blocks
        if block["type"] == "actions"
        for element in block["elements"]
    ]


def link_of(message: Message) -> str | None:
    found = find_element(message.blocks, LINK_TO_MESSAGE, None)
    return None if found is None else found[1].get("url")


def address(slack: Slack, message: Message) -> str:
    """The link to a message, as Slack builds it."""
    start = f"{slack.workspace.team.url.rstrip('/')}/archives/{message.channel}/p{message.ts.replace('.', '')}"
    return start if message.thread_ts is None else f"{start}?thread_ts={message.thread_ts}&cid={message.channel}"


async def direct(slack: Slack, user: User, wanted: Callable[[Message], bool]) -> Message:
    """Return the first direct message to this person that matches."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            channel = slack.workspace.direct_channel(user.id).id
            for message in slack.workspace.messages_for(user.id, channel):
                if wanted(message):
                    return copy.deepcopy(message)  # a copy: the sandbox edits in place
            await asyncio.sleep(0.01)


async def test_direct_message_lets_the_assignee_resolve_and_names_them_to_the_others(
    start_bot: StartBot, slack: Slack, database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    file = tmp_path / "oncall.toml"
    file.write_text(ONCALL)
    await start_bot(database_urls.bot, DRAGONFLY_ONCALL=str(file), **PEOPLE)
    await slack.type("/dragonfly incident open ingest hangs service ingest")
    root = await slack.wait_for(lambda message: message.text.startswith("🔴") and "ingest hangs" in message.text)

    called = await direct(slack, model.ANN, lambda one: link_of(one) is not None)
    assert labels(called)[:2] == ["Acknowledge", "Escalate"]
    assert link_of(called) == address(slack, root)
    ann = acting_as(slack.workspace, model.ANN.id)
    await ann.click(called.channel, called.ts, "command.run.0")

    hers = await direct(slack, model.ANN, lambda one: "*You're assigned.*" in str(one.blocks))
    assert link_of(hers) == address(slack, root)
    his = await direct(slack, model.BEN, lambda one: f"<@{model.ANN.id}> is assigned." in str(one.blocks))
    assert (labels(his), link_of(his)) == (["Open the thread"], address(slack, root))
    await deliver_click(slack, hers, command_action(hers, "Resolve…"), model.ANN)
    modal = await modal_of(slack, model.ANN)
    await ann.submit(modal.id, {"answer": {"answer": "it was the pool"}})
    await direct(slack, model.ANN, lambda one: "Resolved." in str(one.blocks))


def command_action(message: Message, label: str) -> str:
    elements = [element for block in message.blocks if block["type"] == "actions" for element in block["elements"]]
    return str(next(element["action_id"] for element in elements if element["text"]["text"] == label))


@pytest.mark.parametrize("approve", [True, False])
async def test_an_approver_decides_in_the_direct_message_and_only_once(
    start_bot: StartBot, slack: Slack, database_urls: DatabaseUrls, approve: bool
) -> None:
    bot = await start_bot(database_urls.bot, **PEOPLE)
    await slack.type("/dragonfly incident open no ingest")
    await slack.wait_for(lambda message: "no ingest" in message.text)
    assert bot.wiring is not None

    await bot.wiring.changing.approval_service.file(REDEPLOY, OLIVIA)

    shown = await slack.wait_for(lambda message: "Redeploy api" in message.text)
    hers, his = [await direct(slack, user, lambda one: link_of(one) is not None) for user in (model.ANN, model.BEN)]
    assert labels(hers) == ["Approve", "Deny", "Details", "Open the request"]
    assert link_of(hers) == address(slack, shown)
    assert "api is away for a minute" in str(hers.blocks)
    await decide(slack, hers, approve=approve)
    word = "Approved" if approve else "Denied"
    await direct(slack, model.BEN, lambda one: f"*{word}* by <@{model.ANN.id}>" in one.text)
    await deliver_click(slack, his, APPROVE, model.BEN)
    await direct(slack, model.BEN, lambda one: "Nothing changed" in one.text)
    await deliver_click(slack, his, DETAILS, model.BEN)
    await direct(slack, model.BEN, lambda one: f"<@{model.ANN.id}>" in str(one.blocks) and "Redeploy api" in one.text)


async def decide(slack: Slack, message: Message, *, approve: bool) -> None:
    """Decide as Ann, with the message's own buttons."""
    await deliver_click(slack, message, APPROVE if approve else DENY, model.ANN)
    if not approve:
        modal = await modal_of(slack, model.ANN)
        await acting_as(slack.workspace, model.ANN.id).submit(modal.id, {"answer": {"answer": "not now"}})


async def test_direct_message_refuses_an_approval_without_permission(
    start_bot: StartBot, slack: Slack, database_urls: DatabaseUrls
) -> None:
    bot = await start_bot(database_urls.bot, **PEOPLE)
    await slack.type("/dragonfly incident open no ingest")
    await slack.wait_for(lambda message: "no ingest" in message.text)
    assert bot.wiring is not None
    await bot.wiring.changing.approval_service.file(REDEPLOY, OLIVIA)
    hers = await direct(slack, model.ANN, lambda one: "approver is needed" in one.text)

    await deliver_click(slack, hers, APPROVE, model.OLIVIA)

    def is_refused(one: Message) -> bool:
        return one.channel == hers.channel and "Nothing changed" in one.text

    async with asyncio.timeout(PATIENCE_S):
        while not any(map(is_refused, slack.workspace.messages)):
            await asyncio.sleep(0.01)
    shown = await slack.wait_for(lambda message: "Redeploy api" in message.text)
    assert "WAITING FOR APPROVAL" in shown.text
