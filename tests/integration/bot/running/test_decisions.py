"""Requests and decisions on a whole bot: each click counts once, and a late one is answered privately."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from bot.app import Bot
from bot.types import Actor, Request, Surface
from bot.views.modals import ANSWER
from bot.views.run import run_message
from bot.views.run_buttons import APPROVE, APPROVE_TYPED, ASK_AGAIN, CONFIRM, DENY, DETAILS
from bot.views.runs import filed_answer
from playbooks.model import Risk
from playbooks.plan import Plan
from playbooks.steps import RestartDeployment, VerifySchemaHead
from services.clients.postgres.runs import take_services
from services.clients.slack import SlackClient
from services.domain.runs import Record, Run, RunState
from services.domain.secrets import Secret
from services.domain.services import Service
from services.sandbox.slack import actor, model
from services.sandbox.slack.actor import acting_as
from services.sandbox.slack.blocks import find_element
from services.sandbox.slack.delivery import Envelope, EnvelopeKind
from services.sandbox.slack.model import Message, User, View
from tests.conftest import DatabaseUrls
from tests.integration.bot.running.conftest import Slack
from tests.outside import PATIENCE_S

OLIVIA = Request((), Surface.SLASH, Actor(model.OLIVIA.id, model.TEAM.id), model.INCIDENTS_ID)
# Its playbook cannot make the plan again here: once approved, it is voided and changes nothing.
CRITICAL = Plan(
    environment="dev",
    playbook="rollback-db",
    parameters={"version": "20200101000000"},
    steps=(VerifySchemaHead("20200101000000"),),
    risk=Risk.CRITICAL,
    title="Roll the database back: 20200101000000",
    impact=("stops 2 workers",),
)
HIGH = replace(
    CRITICAL,
    playbook="redeploy",
    parameters={"service": "api"},
    steps=(RestartDeployment(Service.API, "d-gone"),),
    risk=Risk.HIGH,
    title="Redeploy api",
)
File = Callable[[Plan], Awaitable[tuple[Run, Message]]]


@pytest.fixture
async def bot(start_bot: Callable[..., Awaitable[Bot]], database_urls: DatabaseUrls) -> Bot:
    people = {"DRAGONFLY_OPERATORS": model.OPERATORS.id, "DRAGONFLY_APPROVERS": model.APPROVERS.id}
    return await start_bot(database_urls.bot, **people)


@pytest.fixture
def file(bot: Bot, slack: Slack) -> File:
    """`await file(plan)`: files the plan as Olivia; returns the run and its message in Slack."""

    async def file(plan: Plan) -> tuple[Run, Message]:
        assert bot.wiring is not None
        run = await bot.wiring.changing.approval_service.file(plan, OLIVIA)
        return run, await slack.wait_for(lambda message: plan.title in message.text)

    return file


async def click(slack: Slack, message: Message, action_id: str, user: User) -> None:
    assert await acting_as(slack.workspace, user.id).click(message.channel, message.ts, action_id) is None


async def deliver_click(slack: Slack, message: Message, action_id: str, user: User) -> None:
    """Deliver a click on the message as this person saw it, even if it was edited since."""
    found = find_element(message.blocks, action_id, None)
    assert found is not None
    action = actor.action_of(slack.workspace, *found, None)
    payload = actor.message_action(slack.workspace, user, message, action, None)
    await slack.workspace.delivery.send(Envelope(EnvelopeKind.INTERACTIVE, payload))


async def reported(slack: Slack, user: User, words: str) -> Message:
    """Return the first message with these words that only this person can see."""
    return await slack.wait_for(lambda one: one.visible_to == user.id and words in one.text, user=user)


async def modal_of(slack: Slack, user: User) -> View:
    async with asyncio.timeout(PATIENCE_S):
        while (view := slack.workspace.modal_for(user.id)) is None or "submit" not in view.content:
            await asyncio.sleep(0.01)
    return view


async def test_something_critical_takes_two_people_who_type_its_name(slack: Slack, file: File) -> None:
    _, message = await file(CRITICAL)

    for person in (model.ANN, model.BEN):
        await click(slack, message, APPROVE_TYPED, person)
        modal = await modal_of(slack, person)
        assert "stops 2 workers" in json.dumps(modal.content)
        actor = acting_as(slack.workspace, person.id)
        assert list(await actor.submit(modal.id, {ANSWER: {ANSWER: "yes"}})) == [ANSWER]
        phrase = json.loads(modal.content["private_metadata"])["phrase"]
        assert await actor.submit(modal.id, {ANSWER: {ANSWER: phrase}}) == {}
        if person is model.ANN:
            await reported(slack, person, "1 approval still missing")

    void = await slack.wait_for(lambda one: one.ts == message.ts and "VOID" in one.text)
    assert json.dumps(void.blocks).count("Approved by") == 2


async def test_void_run_can_be_requested_again_with_a_new_plan(slack: Slack, file: File) -> None:
    _, message = await file(HIGH)
    await click(slack, message, APPROVE, model.ANN)
    void = await slack.wait_for(lambda one: one.ts == message.ts and "VOID" in one.text)

    await click(slack, void, ASK_AGAIN, model.OLIVIA)

    await slack.wait_for(lambda one: one.ts != message.ts and "WAITING FOR APPROVAL" in one.text)


async def test_a_late_click_is_answered_privately_and_changes_nothing(slack: Slack, file: File) -> None:
    run, message = await file(HIGH)
    old = copy.deepcopy(message)
    await click(slack, message, DENY, model.BEN)
    modal = await modal_of(slack, model.BEN)
    await acting_as(slack.workspace, model.BEN.id).submit(modal.id, {ANSWER: {ANSWER: "not today"}})
    denied = await slack.wait_for(lambda one: one.ts == message.ts and "DENIED" in one.text)

    await deliver_click(slack, old, APPROVE, model.ANN)

    answer = await reported(slack, model.ANN, "Nothing changed")
    assert f"run {run.id}" in answer.text
    assert "denied: not today" in denied.text


async def test_details_are_shown_only_to_the_person_who_clicks(slack: Slack, file: File) -> None:
    run, message = await file(HIGH)

    await click(slack, message, DETAILS, model.OTTO)

    details = await reported(slack, model.OTTO, "Redeploy api")
    assert run.plan_hash in json.dumps(details.blocks)


@pytest.mark.usefixtures("bot")
async def test_a_change_asked_for_in_a_thread_has_its_message_in_the_channel(slack: Slack) -> None:
    posted = acting_as(slack.workspace, model.OLIVIA.id).say(model.INCIDENTS_ID, "@dragonfly restart api")

    message = await slack.wait_for(lambda one: "Restart api" in one.text and one.visible_to is None)

    assert message.thread_ts is None
    assert find_element(message.blocks, CONFIRM, None) is not None
    receipt = await reported(slack, model.OLIVIA, "Restart api")
    assert receipt.thread_ts == posted.ts


@pytest.mark.usefixtures("bot")
async def test_bare_command_lists_waiting_runs_to_their_approvers(slack: Slack, file: File) -> None:
    await file(HIGH)

    for person, words in ((model.ANN, "*1 run* waiting for you"), (model.OTTO, "Nothing is waiting")):
        await acting_as(slack.workspace, person.id).type(model.INCIDENTS_ID, "/dragonfly")
        home = await reported(slack, person, "dev")
        assert words in json.dumps(home.blocks)


@pytest.mark.usefixtures("bot")
async def test_an_approval_on_the_home_tab_removes_the_request_from_it(slack: Slack, file: File) -> None:
    await file(HIGH)
    ann = acting_as(slack.workspace, model.ANN.id)
    ann.open_home()
    home = await home_with(slack, model.ANN, "*1 run* waiting for you")

    assert await ann.click_in_view(home.id, APPROVE) is None

    await home_with(slack, model.ANN, "Nothing is waiting")


async def home_with(slack: Slack, user: User, words: str) -> View:
    """Return the person's Home tab, once it has these words."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            home = slack.workspace.home_for(user.id)
            if home is not None and words in json.dumps(home.content, ensure_ascii=False):
                return home
            await asyncio.sleep(0.01)


async def test_person_resolves_an_unknown_step_in_slack(
    bot: Bot, slack: Slack, file: File, as_bot: psycopg.AsyncConnection[Any]
) -> None:
    assert bot.wiring is not None
    run, message = await file(HIGH)
    await bot.wiring.changing.stop()  # no replica executes it in the meantime
    await bot.wiring.changing.approval_service.decide(run.id, Actor(model.ANN.id, model.TEAM.id), approve=True)
    async with as_bot.transaction():
        await take_services(as_bot, run_id=run.id)
        for table, key, state in (
            ("runs", "id", "running"),
            ("run_steps", "run_id", "running"),
            ("run_steps", "run_id", "unknown"),
            ("runs", "id", "unknown"),
        ):
            await as_bot.execute(f"UPDATE chatops.{table} SET state = %s WHERE {key} = %s", [state, run.id])  # noqa: S608

    asks = run_message(Record(replace(run, state=RunState.UNKNOWN)))
    await deliver_click(slack, replace(message, blocks=asks.blocks), "run.resolve.abort", model.BEN)

    failed = await slack.wait_for(lambda one: one.ts == message.ts and "FAILED" in one.text)
    assert "Aborted" in failed.text


async def test_low_risk_is_confirmed_in_the_private_answer_which_reports_that_it_counted(
    slack: Slack, file: File
) -> None:
    run, message = await file(replace(HIGH, risk=Risk.LOW, playbook="restart", title="Restart api"))
    answer, olivia = filed_answer(run), model.OLIVIA.id
    client = SlackClient(Secret("xoxb-local"), api_url=f"{slack.workspace.base_url}/slack/api/")
    await client.post_ephemeral(message.channel, olivia, answer.text, answer.blocks)
    await client.aclose()
    private = await slack.wait_for(lambda one: one.visible_to == olivia and f"*Run {run.id}*" in one.text)

    await click(slack, private, "run.confirm", model.OLIVIA)

    reported = await slack.wait_for(
        lambda one: one.visible_to == olivia and one.ts != private.ts and f"run {run.id}" in one.text
    )
    assert "Restart api" in reported.text
    await slack.wait_for(lambda one: one.ts == message.ts and "WAITS" not in one.text)
