"""Whole incidents as the person on call at night experiences them, and how many phone screens each takes.

The paged person presses the first button without acknowledging before: that acknowledges. From the page to the end, the
bot writes at most 5 messages into the thread.
"""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import TYPE_CHECKING

import psycopg
import pytest

from bot.config.timing import EvaluatorSettings
from bot.views.outage import ACKNOWLEDGE
from bot.views.run_buttons import APPROVE, CONFIRM
from playbooks.service_causes import RAN
from services.domain.services import Service
from services.sandbox.railway.model import Behaviour
from services.sandbox.slack import model
from services.sandbox.slack.actor import acting_as
from services.sandbox.slack.model import Json, Message, User

if TYPE_CHECKING:
    from tests.e2e.conftest import MeasureThread, Stage


pytestmark = [pytest.mark.browser, pytest.mark.timeout(420), pytest.mark.asyncio(loop_scope="module")]

# As in production, Railway is read after each deployment before a worker is missed: the first button is decided
# once, when the incident opens, and must not depend on which of two clocks is 1 s ahead.
MISSED_AFTER_S = EvaluatorSettings.railway_every_s + 5
BOTS = 2
TWO_SCREENS = 2 * 844  # CSS pixels of a phone's height
MOST = 5  # messages of the bot in one incident's thread
STORY_S = 150.0  # a page of the API waits for a minute; a rollback with its proof, on a busy machine
TOO_SLOW_S = 20.0  # longer than the bot waits for an answer


async def test_a_worker_killed_at_night_is_restarted_in_five_messages(
    stage: Stage, thread_height: MeasureThread
) -> None:
    await _has_worked(stage, Service.ENFORCEMENT)
    known = _known(stage)

    stage.sandbox.railway.kill(_replica(stage, Service.ENFORCEMENT))
    root = await _page(stage, known)
    called = _paged(root)
    await _diagnosed(stage, root, "enforcement")
    root = await _press(stage, root, called, "Restart enforcement")
    await _until(stage, root, "ACKNOWLEDGED")  # no one pressed Acknowledge
    run = await _reply(stage, root, "WAITING FOR CONFIRMATION")
    await _click(stage, run, called, CONFIRM)
    await _until(stage, root, "CLEARED")
    await _reply(stage, root, "DONE")

    await _resolve_and_count(stage, root, called)
    assert await thread_height(root.ts) <= TWO_SCREENS


async def test_a_bad_deploy_is_rolled_back_in_five_messages(stage: Stage, thread_height: MeasureThread) -> None:
    known, railway = _known(stage), stage.sandbox.railway
    bad = next(one for one in railway.commits if one.behaviour is Behaviour.CRASHES)

    railway.deploy(Service.INGEST, bad.sha)
    root = await _page(stage, known)
    called = _paged(root)
    await _diagnosed(stage, root, bad.sha[:8])
    await _until(stage, root, f"deploy {bad.sha[:8]} of ingest crashes at start")
    root = await _press(stage, root, called, "Roll back to ")
    run = await _reply(stage, root, "WAITING FOR APPROVAL")
    assert await thread_height(root.ts) <= TWO_SCREENS  # its greatest height
    await _click(stage, run, model.BEN if called == model.ANN else model.ANN, APPROVE)
    await _until(stage, root, "CLEARED")
    await _reply(stage, root, "DONE")

    await _resolve_and_count(stage, root, called)
    assert await thread_height(root.ts) <= TWO_SCREENS


@pytest.mark.chaos  # the approvers' time and the countdown pass
async def test_a_bad_deploy_that_no_one_approves_at_night_takes_five_messages(
    stage: Stage, thread_height: MeasureThread
) -> None:
    known, railway = _known(stage), stage.sandbox.railway
    bad = next(one for one in railway.commits if one.behaviour is Behaviour.CRASHES)

    railway.deploy(Service.ENFORCEMENT, bad.sha)
    root = await _page(stage, known)
    called = _paged(root)
    await _until(stage, root, f"deploy {bad.sha[:8]} of enforcement crashes at start")
    root = await _press(stage, root, called, "Roll back to ")
    run = await _reply(stage, root, "can self-approve it.")
    number = str((run.metadata or {})["event_payload"]["key"]).removeprefix("run:")
    line = f"/dragonfly start-alone {number} no one answers"
    assert await acting_as(stage.sandbox.workspace, called.id).type(model.INCIDENTS_ID, line) is None
    await _reply(stage, root, "self-approves it")
    assert await thread_height(root.ts) <= TWO_SCREENS
    await _until(stage, root, "CLEARED")
    await _reply(stage, root, "DONE")

    await _resolve_and_count(stage, root, called)
    assert await thread_height(root.ts) <= TWO_SCREENS


@pytest.mark.chaos  # 2 min, mostly the alert's own wait
async def test_a_slow_api_that_recovers_takes_five_messages(stage: Stage, thread_height: MeasureThread) -> None:
    known = _known(stage)

    stage.sandbox.railway.set_latency(TOO_SLOW_S)
    root = await _page(stage, known)
    called = _paged(root)
    await _diagnosed(stage, root, "api")
    root = await _press(stage, root, called, "Acknowledge")
    await _until(stage, root, "ACKNOWLEDGED")
    stage.sandbox.railway.set_latency(0)
    await _until(stage, root, "CLEARED")

    await _resolve_and_count(stage, root, called)
    assert await thread_height(root.ts) <= TWO_SCREENS


async def test_a_stopped_postgres_takes_five_messages(stage: Stage, thread_height: MeasureThread) -> None:
    known = {message.ts for message in stage.messages()}

    await stage.sandbox.database.stop_postgres()
    try:
        page = await stage.wait_for(
            lambda one: one.ts not in known and "database does not" in one.text, timeout_s=STORY_S
        )
        await _click(stage, page, model.ANN, ACKNOWLEDGE)
        await stage.wait_for(lambda one: one.ts == page.ts and "acknowledged by" in one.text)
    finally:
        await stage.sandbox.database.start_postgres()
    await stage.wait_for(lambda one: one.ts == page.ts and one.text.startswith("🟢 Back"), timeout_s=STORY_S)

    assert len(_replies(stage, page)) <= MOST, [one.text for one in _replies(stage, page)]
    assert await thread_height(page.ts) <= TWO_SCREENS


def _known(stage: Stage) -> set[str]:
    return {message.ts for message in stage.messages() if _is_root(message)}


def _is_root(message: Message) -> bool:
    payload = (message.metadata or {}).get("event_payload") or {}
    return str(payload.get("key", "")).startswith("incident:")


def _replica(stage: Stage, service: Service) -> str:
    found = next(one for one in stage.sandbox.railway.snapshot().services if one.name == service)
    return next(replica.id for replica in found.replicas if replica.pid)


async def _has_worked(stage: Stage, service: Service) -> None:
    """Wait until the service has sent heartbeats for so long that its death is not blamed on its deployment."""
    sql = "SELECT max(last_heartbeat_at - started_at) > %s FROM ops.worker_heartbeats WHERE worker_type = %s"
    async with (
        asyncio.timeout(STORY_S),
        await psycopg.AsyncConnection.connect(stage.sandbox.database.urls.owner.reveal(), autocommit=True) as conn,
    ):
        while True:
            found = await conn.execute(sql, [RAN + timedelta(seconds=stage.heartbeat_every_s), service.worker_type])
            if await found.fetchone() == (True,):
                return
            await asyncio.sleep(0.1)


async def _page(stage: Stage, known: set[str]) -> Message:
    """Wait for the root message of the new incident that names the paged person."""
    return await stage.wait_for(
        lambda one: _is_root(one) and one.ts not in known and "📟 paged" in _shown(one), timeout_s=STORY_S
    )


def _paged(root: Message) -> User:
    """The person whom the incident paged."""
    words = _shown(root).partition("📟 paged ")[2].lower()
    return model.ANN if words.startswith("ann") else model.BEN


async def _diagnosed(stage: Stage, root: Message, words: str) -> None:
    """Wait until the diagnosis is complete and its first line names the cause."""
    await stage.wait_for(
        lambda one: (
            "Most likely" in one.text and words in one.text.split("\n")[0] and "Still collecting" not in _shown(one)
        ),
        thread_ts=root.ts,
        timeout_s=STORY_S,
    )


def _first_line(message: Message) -> str:
    """The first line of a diagnosis; empty for other messages."""
    line = message.text.split("\n")[0]
    return line if line.startswith("🔎 ") else ""


async def _press(stage: Stage, root: Message, person: User, label: str) -> Message:
    """Wait until the root message offers this button first, or right after *Acknowledge*; press it and return the
    message."""

    def wanted(message: Message) -> Json | None:
        return next((one for one in _buttons(message)[:2] if _label(one).startswith(label)), None)

    found = await stage.wait_for(lambda one: one.ts == root.ts and wanted(one) is not None, timeout_s=STORY_S)
    button = wanted(found)
    assert button is not None
    await _click(stage, found, person, str(button["action_id"]))
    return found


async def _click(stage: Stage, message: Message, person: User, action_id: str) -> None:
    error = await acting_as(stage.sandbox.workspace, person.id).click(model.INCIDENTS_ID, message.ts, action_id)
    assert error is None


async def _until(stage: Stage, root: Message, words: str) -> None:
    await stage.wait_for(lambda one: one.ts == root.ts and words in one.text, timeout_s=STORY_S)


async def _reply(stage: Stage, root: Message, words: str) -> Message:
    return await stage.wait_for(
        lambda one: one.visible_to is None and words in _shown(one), thread_ts=root.ts, timeout_s=STORY_S
    )


async def _resolve_and_count(stage: Stage, root: Message, person: User) -> None:
    number = str((root.metadata or {})["event_payload"]["key"]).removeprefix("incident:")
    line = f"/dragonfly incident resolve {number} it works again"
    assert await acting_as(stage.sandbox.workspace, person.id).type(model.INCIDENTS_ID, line) is None
    await _until(stage, root, "RESOLVED")
    replies = _replies(stage, root)
    assert len(replies) <= MOST, [one.text for one in replies]


def _replies(stage: Stage, root: Message) -> list[Message]:
    """The bot's messages in the thread that everyone sees."""
    shown = stage.messages(thread_ts=root.ts)
    bot = stage.sandbox.workspace.bot.id
    return [one for one in shown if one.ts != root.ts and one.user == bot and one.visible_to is None]


def _buttons(message: Message) -> list[Json]:
    """The buttons of the message, without the overflow menu."""
    rows = [block["elements"] for block in message.blocks if block["type"] == "actions"]
    return [element for row in rows for element in row if element["type"] == "button"]


def _label(button: Json) -> str:
    return str(button["text"]["text"])


def _shown(message: Message) -> str:
    return message.text + json.dumps(message.blocks, ensure_ascii=False)
