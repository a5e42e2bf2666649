"""The gate of a whole bot: people of other workspaces, and channels that others read, get no answer on any surface."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from bot.app import Bot
from bot.views.modals import OPEN
from bot.views.run_buttons import APPROVE
from services.clients.postgres import runs
from services.domain.runs import RunState
from services.sandbox.slack import actor, model
from services.sandbox.slack.actor import acting_as
from services.sandbox.slack.delivery import Envelope, EnvelopeKind
from services.sandbox.slack.faults import FaultKind
from services.sandbox.slack.model import Message, User, View
from tests.conftest import DatabaseUrls
from tests.integration.bot.running.conftest import Slack, StartBot
from tests.integration.bot.running.test_decisions import HIGH, OLIVIA, reported
from tests.outside import PATIENCE_S, QUIET_S

PEOPLE = {"DRAGONFLY_OPERATORS": model.OPERATORS.id, "DRAGONFLY_APPROVERS": model.APPROVERS.id}
FOREIGN = replace(model.BEN, team_id="T0OTHER", is_stranger=True)  # an approver who changed companies
GUEST = replace(model.BEN, is_restricted=True)
SOLE_GUEST = replace(model.BEN, is_ultra_restricted=True)
GONE = replace(model.BEN, deleted=True)

Act = Callable[[Slack, User], Awaitable[None]]
Begin = Callable[..., Awaitable[Bot]]


@pytest.fixture
def begin(start_bot: StartBot, database_urls: DatabaseUrls, slack: Slack) -> Begin:
    """`await begin(person)`: Slack returns `person` for Ben's id; starts a bot with a run that waits for approval."""

    async def begin(person: User = model.BEN) -> Bot:
        slack.workspace.users[person.id] = person
        bot = await start_bot(database_urls.bot, **PEOPLE)
        assert bot.wiring is not None
        await bot.wiring.changing.approval_service.file(HIGH, OLIVIA)
        await message_of(slack)
        return bot

    return begin


async def message_of(slack: Slack) -> Message:
    """Return the run's message."""
    return await slack.wait_for(lambda message: HIGH.title in message.text)


async def send(slack: Slack, kind: EnvelopeKind, payload: dict[str, Any]) -> None:
    await slack.workspace.delivery.send(Envelope(kind, payload))


async def by_command(slack: Slack, user: User) -> None:
    await acting_as(slack.workspace, user.id).type(model.INCIDENTS_ID, "/dragonfly help")


async def by_mention(slack: Slack, user: User) -> None:
    await acting_as(slack.workspace, user.id).type(model.INCIDENTS_ID, f"<@{model.BOT.id}> help")


async def by_button(slack: Slack, user: User) -> None:
    message = await message_of(slack)
    await acting_as(slack.workspace, user.id).click(message.channel, message.ts, APPROVE)


async def by_shortcut(slack: Slack, user: User) -> None:
    message = await message_of(slack)
    await acting_as(slack.workspace, user.id).shortcut("incident.escalate_this", message.channel, message.ts)


async def by_modal(slack: Slack, user: User) -> None:
    """Submit a modal that was opened while the person still belonged to the workspace."""
    content = {
        "type": "modal",
        "callback_id": OPEN,
        "private_metadata": f'{{"channel": "{model.INCIDENTS_ID}"}}',
        "blocks": [],
        "state": {"values": {"answer": {"answer": {"type": "plain_text_input", "value": "no ingest"}}}},
    }
    payload = actor.view_submission(slack.workspace, user, View("V1", user.id, "h", content, "V1"))
    payload["view"]["state"] = content["state"]
    await send(slack, EnvelopeKind.INTERACTIVE, payload)


SURFACES = [by_command, by_mention, by_button, by_shortcut, by_modal]


async def nothing_happened(bot: Bot, slack: Slack) -> None:
    """Assert that the run still waits, no modal is open and no incident was opened."""
    assert bot.wiring is not None
    assert bot.world.database is not None
    async with bot.world.database.read() as conn:
        run = await runs.read_run(conn, 1)
    assert run is not None
    assert run.state is RunState.AWAITING_APPROVAL
    assert slack.workspace.modal_for(model.BEN.id) is None
    assert not any("no ingest" in one.text for one in slack.seen())


@pytest.mark.parametrize("act", SURFACES)
async def test_a_person_of_another_company_is_refused_on_every_surface(begin: Begin, slack: Slack, act: Act) -> None:
    bot = await begin(FOREIGN)

    await act(slack, FOREIGN)

    refused = await reported(slack, FOREIGN, "you belong to another workspace")
    assert "Nothing was done" in refused.text
    await nothing_happened(bot, slack)


@pytest.mark.parametrize("name", ["user_team", "source_team", "team"])
async def test_every_workspace_that_an_event_names_has_to_be_ours(begin: Begin, slack: Slack, name: str) -> None:
    bot = await begin()
    event = {
        "type": "app_mention",
        "user": model.ANN.id,
        "text": f"<@{model.BOT.id}> help",
        "channel": model.INCIDENTS_ID,
    }
    callback = {"type": "event_callback", "team_id": model.TEAM.id, "event_id": "Ev1", "api_app_id": model.APP_ID}
    event |= {"ts": "1.1", "event_ts": "1.1", name: "T0OTHER"}

    await send(slack, EnvelopeKind.EVENT, callback | {"event": event})

    await reported(slack, model.ANN, "you belong to another workspace")
    await nothing_happened(bot, slack)


async def test_stranger_gets_no_home(begin: Begin, slack: Slack) -> None:
    await begin(FOREIGN)

    acting_as(slack.workspace, FOREIGN.id).open_home()

    async with asyncio.timeout(PATIENCE_S):
        while (home := slack.workspace.home_for(FOREIGN.id)) is None:
            await asyncio.sleep(0.01)
    assert "you belong to another workspace" in str(home.content)
    assert HIGH.title not in str(home.content)


@pytest.mark.parametrize("act", SURFACES)
async def test_channel_shared_with_another_company_gets_no_answer_not_even_to_us(
    begin: Begin, slack: Slack, act: Act
) -> None:
    bot = await begin()
    slack.workspace.channels[model.INCIDENTS_ID].is_ext_shared = True

    await act(slack, model.BEN)

    await reported(slack, model.BEN, "another company")
    await nothing_happened(bot, slack)


@pytest.mark.parametrize("person", [GUEST, SOLE_GUEST])
async def test_guest_reads_but_approves_and_acknowledges_nothing(begin: Begin, slack: Slack, person: User) -> None:
    bot = await begin(person)
    await slack.type("/dragonfly incident open no api")
    await slack.wait_for(lambda one: "no api" in one.text)

    await by_command(slack, person)
    await reported(slack, person, "")
    await by_button(slack, person)
    await reported(slack, person, "Guests of the workspace have no permissions here")
    await acting_as(slack.workspace, person.id).type(model.INCIDENTS_ID, "/dragonfly incident ack 1")
    async with asyncio.timeout(PATIENCE_S):
        while sum("uests of the workspace" in one.text for one in slack.seen(person.id)) < 2:
            await asyncio.sleep(0.01)
    await nothing_happened(bot, slack)
    assert not any("ACKNOWLEDGED" in one.text for one in slack.seen())


async def test_deactivated_account_gets_no_answer(begin: Begin, slack: Slack) -> None:
    bot = await begin(GONE)

    await by_button(slack, GONE)

    await reported(slack, GONE, "your Slack account is deactivated")
    await nothing_happened(bot, slack)


@pytest.mark.parametrize("method", ["users.info", "conversations.info"])
async def test_gate_refuses_when_slack_does_not_answer(begin: Begin, slack: Slack, method: str) -> None:
    bot = await begin()
    slack.workspace.faults.plant(method, FaultKind.SERVER_ERROR, times=1000)

    await by_command(slack, model.OTTO)

    await reported(slack, model.OTTO, "did not return" if method == "users.info" else "does not report")
    await nothing_happened(bot, slack)


async def test_payload_that_names_no_workspace_is_answered(begin: Begin, slack: Slack) -> None:
    """An organization-wide installation."""
    await begin()
    message = await message_of(slack)
    payload = actor.command(slack.workspace, model.ANN, model.INCIDENTS_ID, "/dragonfly", "help")
    del payload["team_id"]
    payload |= {"enterprise_id": "E1", "is_enterprise_install": "true"}

    await send(slack, EnvelopeKind.COMMAND, payload)
    await reported(slack, model.ANN, "help")

    click = actor.action_of(slack.workspace, "b", {"type": "button", "action_id": APPROVE, "value": "1"}, None)
    payload = actor.message_action(slack.workspace, model.ANN, message, click, None)
    payload |= {"team": None, "enterprise": {"id": "E1", "name": "Org"}, "is_enterprise_install": True}
    payload["user"] = {"id": model.ANN.id}
    await send(slack, EnvelopeKind.INTERACTIVE, copy.deepcopy(payload))
    await slack.wait_for(lambda one: one.ts == message.ts and "awaiting" not in one.text.lower())


async def test_slacks_notice_of_dropped_events_is_taken_and_reported_once(begin: Begin, slack: Slack) -> None:
    await begin()
    notice = {"type": "app_rate_limited", "team_id": model.TEAM.id, "api_app_id": model.APP_ID}

    for _ in range(3):
        await send(slack, EnvelopeKind.EVENT, notice | {"minute_rate_limited": 1518467820})

    await slack.wait_for(lambda one: "dropping events" in one.text)
    await asyncio.sleep(QUIET_S)
    assert sum("dropping events" in one.text for one in slack.seen()) == 1
