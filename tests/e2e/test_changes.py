"""People request changes, others approve them, and services that really run are changed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import psycopg
import pytest

from bot.views.modals import ANSWER
from bot.views.rollback import CHOOSE
from bot.views.run_buttons import APPROVE, APPROVE_TYPED, ASK_AGAIN, CANCEL, CONFIRM, DENY, REVIEW
from services.domain.deployments import DeploymentStatus
from services.domain.services import Service
from services.domain.systems import RUNBOOK
from services.sandbox.database import TABLE, VERSION
from services.sandbox.slack import model
from services.sandbox.slack.actor import acting_as
from services.sandbox.slack.blocks import Answers
from services.sandbox.slack.model import Json, Message, View

if TYPE_CHECKING:
    from tests.e2e.conftest import Stage


pytestmark = pytest.mark.asyncio(loop_scope="module")

RUN_S = 90.0  # a scale with its soak, or a rollback with its proof, on a busy machine


class Channel:
    """The incidents channel, as requesters and approvers use it."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    async def ask(self, line: str, user: str = model.OLIVIA.id) -> Message:
        """Type a change; return its run's message."""
        return await self._new_run(lambda: self.type(f"/dragonfly {line}", user), user)

    async def type(self, line: str, user: str) -> None:
        error = await acting_as(self._stage.sandbox.workspace, user).type(model.INCIDENTS_ID, line)
        assert error is None

    async def click(self, message: Message, action_id: str, user: str) -> None:
        error = await acting_as(self._stage.sandbox.workspace, user).click(model.INCIDENTS_ID, message.ts, action_id)
        assert error is None

    async def reported(self, user: str, words: str) -> Message:
        """Wait for a message that only this person sees."""
        return await self._stage.wait_for(
            lambda message: message.visible_to == user and words in shown(message), user=user
        )

    async def until(self, message: Message, words: str, timeout_s: float = RUN_S) -> Message:
        """Wait until the message's text contains these words."""
        return await self._stage.wait_for(lambda one: one.ts == message.ts and words in one.text, timeout_s=timeout_s)

    async def until_shown(self, message: Message, words: str) -> Message:
        """Wait until the message's blocks contain these words."""
        return await self._stage.wait_for(lambda one: one.ts == message.ts and words in shown(one))

    async def click_for_run(self, message: Message, action_id: str, user: str) -> Message:
        """Click; return the message of the run that this files."""
        return await self._new_run(lambda: self.click(message, action_id, user), user)

    async def submit_for_run(self, user: str, answers: Answers) -> Message:
        """Submit the modal; return the message of the run that this files."""
        return await self._new_run(lambda: self.submit(user, answers), user)

    async def submit(self, user: str, answers: Answers) -> dict[str, str]:
        """Submit the modal; return its errors by block."""
        workspace = self._stage.sandbox.workspace
        modal = workspace.modal_for(user)
        assert modal is not None
        return await acting_as(workspace, user).submit(modal.id, answers)

    async def modal(self, user: str, title: str) -> View:
        """Wait for the modal of this title that this person can submit."""
        async with asyncio.timeout(RUN_S):
            while True:
                view = self._stage.sandbox.workspace.modal_for(user)
                if view and view.content["title"]["text"] == title and "submit" in view.content:
                    return view
                await asyncio.sleep(0.02)

    async def approve_typed(self, message: Message, user: str, phrase: str) -> None:
        """Approve a critical change with its typed phrase."""
        await self.click(message, APPROVE_TYPED, user)
        await self.modal(user, "Approve, critical")
        assert await self.submit(user, {ANSWER: {ANSWER: phrase}}) == {}

    async def _new_run(self, act: Callable[[], Awaitable[object]], user: str) -> Message:
        known = {message.ts for message in self._stage.messages(user)}
        await act()
        return await self._stage.wait_for(
            lambda one: one.ts not in known and one.visible_to is None and not self._stage.is_news(one), user=user
        )


def elements_of(message: Message) -> list[Json]:
    """The buttons and menus of the message."""
    rows = [element for block in message.blocks if block["type"] == "actions" for element in block["elements"]]
    return rows + [block["accessory"] for block in message.blocks if "accessory" in block]


def menu_of(message: Message) -> list[str]:
    """The command lines of the message's menu entries."""
    return [str(option["value"]) for one in elements_of(message) for option in one.get("options", ())]


def run_of(message: Message) -> str:
    """The number of the message's run."""
    return str((message.metadata or {})["event_payload"]["key"]).removeprefix("run:")


def shown(message: Message) -> str:
    return message.text + json.dumps(message.blocks, ensure_ascii=False)


@pytest.fixture
def channel(stage: Stage) -> Channel:
    return Channel(stage)


async def test_scaling_up_is_confirmed_carried_out_and_proved(stage: Stage, channel: Channel) -> None:
    asked = await channel.ask("scale ingest 2")
    assert "WAITING FOR CONFIRMATION" in asked.text

    await channel.click(asked, CONFIRM, model.OLIVIA.id)
    done = await channel.until(asked, "DONE")

    assert "Scale ingest: 1 → 2" in done.text
    assert "audit `" in shown(done)
    assert not {APPROVE, CONFIRM, DENY} & {one["action_id"] for one in elements_of(done)}
    heartbeats = await stage.ask("/dragonfly heartbeats ingest")
    assert "2 of 2" in shown(heartbeats)


async def test_a_golden_path_reports_in_its_one_message_and_leaves_nothing(stage: Stage, channel: Channel) -> None:
    asked = await channel.ask("golden-path")
    assert "WAITING FOR CONFIRMATION" in asked.text

    await channel.click(asked, CONFIRM, model.OLIVIA.id)
    done = await channel.until(asked, "DONE")

    assert "OVERALL: PASS" in shown(done)
    for name in ("Health Check", "CSV Upload", "Ingest Poll", "Snapshot", "SQL Verification", "Cleanup"):
        assert f"[PASS] {name}" in shown(done)
    refused = await stage.ask("/dragonfly golden-path --clean")
    assert "left a batch" in shown(refused)


async def test_a_rollback_is_offered_approved_by_another_person_and_proved(stage: Stage, channel: Channel) -> None:
    offer = await stage.ask("/dragonfly rollback api")
    assert offer.visible_to == model.OLIVIA.id
    assert "No deploy of api lately" in offer.text  # so it is offered but not recommended
    offered = next(one for one in elements_of(offer) if str(one.get("value")).startswith("rollback api to "))
    line = offered["value"]

    asked = await channel.click_for_run(offer, offered["action_id"], model.OLIVIA.id)
    assert f"<!subteam^{model.APPROVERS.id}>" in shown(asked)
    await channel.click(asked, APPROVE, model.OLIVIA.id)
    await channel.reported(model.OLIVIA.id, "Nothing changed")
    await channel.click(asked, APPROVE, model.ANN.id)
    done = await channel.until(asked, "DONE")

    sha = line.rpartition(" ")[2]
    assert f"Approved by <@{model.ANN.id}>" in shown(done)
    buttons = elements_of(done)
    assert f"unlock api after run {run_of(asked)}" in [one.get("value") for one in buttons], "the way out of the lock"
    assert [line for line in menu_of(done) if line.startswith("rollback api to ")], "the prepared undo, in the menu"
    assert sha in shown(await stage.ask("/dragonfly sha"))
    refused = await stage.ask(f"/dragonfly deploy api {stage.sha}")
    assert "lock" in shown(refused)


async def test_another_target_is_chosen_in_a_modal(stage: Stage, channel: Channel) -> None:
    offer = await stage.ask("/dragonfly rollback ingest")
    await channel.click(offer, CHOOSE, model.OLIVIA.id)
    modal = await channel.modal(model.OLIVIA.id, "Another target")
    other = modal.content["blocks"][0]["element"]["options"][-1]["value"]

    asked = await channel.submit_for_run(model.OLIVIA.id, {ANSWER: {ANSWER: other}})

    assert f"→ {other[:8]}" in asked.text
    await channel.click(asked, DENY, model.BEN.id)
    await channel.modal(model.BEN.id, "Deny the request")
    errors = await channel.submit(model.BEN.id, {ANSWER: {ANSWER: "   "}})
    assert errors
    assert await channel.submit(model.BEN.id, {ANSWER: {ANSWER: "not during <!channel> the import"}}) == {}
    denied = await channel.until(asked, "DENIED")
    assert f"Denied by <@{model.BEN.id}>" in shown(denied)
    assert "not during &lt;!channel&gt; the import" in shown(denied)


async def test_an_outsider_can_neither_ask_nor_decide(stage: Stage, channel: Channel) -> None:
    refused = await stage.ask("/dragonfly restart api", user=model.OTTO.id)
    assert "was not filed" in refused.text
    asked = await channel.ask("redeploy enforcement")

    await channel.click(asked, APPROVE, model.OTTO.id)
    await channel.reported(model.OTTO.id, "Nothing changed")

    await channel.type(f"/dragonfly cancel {run_of(asked)}", model.OLIVIA.id)
    await channel.until(asked, "CANCELLED")
    why = await stage.ask("/dragonfly why refusal")
    assert model.OTTO.id in shown(why)


async def test_clicks_of_two_people_make_one_run(stage: Stage, channel: Channel) -> None:
    before = len(stage.sandbox.railway.find_service(Service.ENFORCEMENT).deployments)
    asked = await channel.ask("redeploy enforcement")

    clicks = (model.ANN.id, model.BEN.id, model.ANN.id)
    await asyncio.gather(*(channel.click(asked, APPROVE, user) for user in clicks))
    done = await channel.until(asked, "DONE")

    assert shown(done).count("Approved by") == 1
    assert len(stage.sandbox.railway.find_service(Service.ENFORCEMENT).deployments) == before + 1
    late = model.BEN if f"Approved by <@{model.ANN.id}>" in shown(done) else model.ANN
    await channel.reported(late.id, "Nothing changed")


async def test_a_deploy_in_between_voids_the_approval_and_reports_the_difference(
    stage: Stage, channel: Channel
) -> None:
    asked = await channel.ask("redeploy enforcement")
    record = stage.sandbox.railway.deploy(Service.ENFORCEMENT, stage.sha)
    async with asyncio.timeout(RUN_S):
        while record.status is not DeploymentStatus.SUCCESS:
            await asyncio.sleep(0.05)

    await channel.click(asked, APPROVE, model.ANN.id)
    void = await channel.until(asked, "VOID")

    assert f"→ {record.id[:8]}" in shown(void)
    reported = await stage.wait_for(lambda one: stage.is_news(one) and "*Verified" in one.text, timeout_s=RUN_S)
    assert "by a run" in shown(reported)
    again = await channel.click_for_run(void, ASK_AGAIN, model.OLIVIA.id)
    assert "WAITING FOR APPROVAL" in again.text
    await channel.click(again, APPROVE, model.BEN.id)
    await channel.until(again, "DONE")


async def test_a_running_scale_can_be_cancelled_and_reports_where_it_stands(stage: Stage, channel: Channel) -> None:
    asked = await channel.ask("scale enforcement 3")
    await channel.click(asked, APPROVE, model.ANN.id)
    running = await channel.until(asked, "RUNNING")

    await channel.click(running, CANCEL, model.BEN.id)
    ended = await channel.until(asked, "CANCELLED")

    assert "enforcement" in ended.text
    assert "replica" in ended.text
    assert CANCEL not in {one["action_id"] for one in elements_of(ended)}
    assert model.BEN.name in shown(await stage.ask(f"/dragonfly why {run_of(ended)}"))


async def test_a_database_rollback_whose_sql_fails_starts_again_what_ran_and_can_be_repeated(
    stage: Stage, channel: Channel
) -> None:
    services = [stage.sandbox.railway.find_service(service) for service in RUNBOOK.workers]
    before = [service.active.commit.sha if service.active else "" for service in services]
    owner = stage.sandbox.database.urls.owner.reveal()
    async with await psycopg.AsyncConnection.connect(owner, autocommit=True) as conn:
        await conn.execute(f"ALTER TABLE {TABLE} RENAME TO elsewhere")
        failed = await channel.until(await _roll_back_database(channel), "FAILED")
        await conn.execute(f"ALTER TABLE {TABLE.partition('.')[0]}.elsewhere RENAME TO {TABLE.partition('.')[2]}")

    assert "were started again" in shown(failed)
    assert f"The schema is at {VERSION}" in shown(failed)
    assert [service.active.commit.sha for service in services if service.active] == before
    assert "0 of" not in shown(await stage.ask("/dragonfly heartbeats"))

    done = await channel.until(await _roll_back_database(channel), "DONE")

    assert f"<@{model.ANN.id}>" in shown(done)
    assert f"<@{model.BEN.id}>" in shown(done)
    assert VERSION in shown(await stage.ask("/dragonfly migrations")), "it is pending again"


async def _roll_back_database(channel: Channel) -> Message:
    asked = await channel.ask(f"rollback-db {VERSION}")
    for user in (model.ANN.id, model.BEN.id):
        await channel.approve_typed(asked, user, f"rollback-db {VERSION} dev")
    return asked


async def test_workers_are_stopped_at_once_with_a_preset_reason_and_it_is_reviewed(
    stage: Stage, channel: Channel
) -> None:
    await channel.type("/dragonfly stop-workers", model.OLIVIA.id)
    await channel.modal(model.OLIVIA.id, "Stop workers")

    asked = await channel.submit_for_run(model.OLIVIA.id, {ANSWER: {ANSWER: "amounts are doubled"}})
    done = await channel.until(asked, "DONE")

    assert "Break-glass" in shown(done)
    assert "amounts are doubled" in shown(await stage.ask(f"/dragonfly run {run_of(asked)}"))
    assert len([line for line in menu_of(done) if line.startswith("scale ")]) == 2, "the prepared undo, in the menu"
    workers = [stage.sandbox.railway.find_service(service).active for service in RUNBOOK.workers]
    assert all(worker and worker.is_stopped for worker in workers)
    await _is_reviewed_by_another(stage, channel, done)


async def _is_reviewed_by_another(stage: Stage, channel: Channel, stopped: Message) -> None:
    assert "review* waiting for you" in shown(await stage.ask("/dragonfly", user=model.ANN.id))
    await channel.click(stopped, REVIEW, model.OLIVIA.id)
    await channel.reported(model.OLIVIA.id, "Nothing changed")

    await channel.click(stopped, REVIEW, model.ANN.id)
    await channel.modal(model.ANN.id, "Review")
    assert await channel.submit(model.ANN.id, {ANSWER: {ANSWER: " "}}), "a note is asked for"
    assert await channel.submit(model.ANN.id, {ANSWER: {ANSWER: "right, and mended in e4f5a6b"}}) == {}

    await channel.until_shown(stopped, f"Reviewed by <@{model.ANN.id}>")
    assert "review* waiting for you" not in shown(await stage.ask("/dragonfly", user=model.ANN.id))


async def test_the_audit_log_is_complete(stage: Stage) -> None:
    assert "complete and unchanged" in (await stage.ask("/dragonfly audit verify")).text
