"""People type commands; the whole product answers, about services that really run."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from services.domain.services import Service
from services.sandbox.railway.model import HISTORY, Behaviour
from services.sandbox.slack import model
from services.sandbox.slack.actor import acting_as

if TYPE_CHECKING:
    from tests.e2e.conftest import Stage


pytestmark = pytest.mark.asyncio(loop_scope="module")
BOTS = 2  # Slack sends a command to either one

READS = (
    "",
    "help",
    "help logs",
    "health",
    "sha",
    "verify",
    "verify api",
    "heartbeats",
    "heartbeats ingest",
    "failed-jobs",
    "failed-jobs 2h",
    "queue",
    "throughput",
    "intake",
    "deployments api",
    "env",
    "env api",
    "logs ingest",
    "logs api uvicorn",
    "migrations",
    "check-config",
    "doctor",
    "preflight",
    "runs",
    "audit",
    "audit verify",
    "why refusal",
    "policy explain @ann rollback api",
    "scale ingest 2 --dry-run",
    "restart api --dry-run",
    "rollback all",
    "help rollback",
)
PRIVATE = ("help", "env", "logs ingest", "failed-jobs")


@pytest.mark.parametrize("line", READS)
async def test_each_command_answers(stage: Stage, line: str) -> None:
    answer = await stage.ask(f"/dragonfly {line}".strip())

    assert answer.text
    assert answer.blocks


async def test_health_is_true_about_what_runs(stage: Stage) -> None:
    await stage.uploaded()

    answer = await stage.ask("/dragonfly health all")

    shown = json.dumps(answer.blocks, ensure_ascii=False)
    assert "dev is healthy" in answer.text
    assert "1 of 1 alive" in shown
    assert stage.sha[:8] in shown


async def test_the_doctor_finds_nothing_wrong(stage: Stage) -> None:
    await stage.uploaded()

    assert "🔴" not in (await stage.ask("/dragonfly doctor")).text


async def test_a_mention_is_answered_in_its_thread(stage: Stage) -> None:
    asked = acting_as(stage.sandbox.workspace, model.OLIVIA.id).say(model.INCIDENTS_ID, "@dragonfly queue")

    answer = await stage.wait_for(lambda message: message.thread_ts == asked.ts, thread_ts=asked.ts)

    assert "0" in answer.text


@pytest.mark.parametrize("line", PRIVATE)
async def test_answer_with_personal_data_is_seen_by_the_requester_only(stage: Stage, line: str) -> None:
    answer = await stage.ask(f"/dragonfly {line}", user=model.OTTO.id)

    assert answer.visible_to == model.OTTO.id
    assert answer.ts not in {message.ts for message in stage.messages(model.OLIVIA.id)}


async def test_a_typo_gets_the_nearest_command(stage: Stage) -> None:
    answer = await stage.ask("/dragonfly helth")

    assert "health" in json.dumps(answer.blocks)
    assert answer.visible_to == model.OLIVIA.id


async def test_the_button_of_an_answer_runs_its_command(stage: Stage) -> None:
    asked = await stage.ask("/dragonfly")
    button = next(
        element
        for block in asked.blocks
        if block["type"] == "actions"
        for element in block["elements"]
        if element.get("value") == "queue"
    )
    known = {message.ts for message in stage.messages()}

    await acting_as(stage.sandbox.workspace, model.OLIVIA.id).click(model.INCIDENTS_ID, asked.ts, button["action_id"])

    answer = await stage.wait_for(lambda message: message.ts not in known and not stage.is_news(message))
    assert "waiting" in json.dumps(answer.blocks)


async def test_a_failed_deployment_is_reported_while_the_former_one_serves(stage: Stage) -> None:
    broken = next(commit for commit in HISTORY if commit.behaviour is Behaviour.CRASHES)
    record = stage.sandbox.railway.deploy(Service.INGEST, broken.sha)
    async with asyncio.timeout(90):
        while not record.status.is_failed:
            await asyncio.sleep(0.05)

    answer = await stage.ask("/dragonfly deployments ingest")

    shown = json.dumps(answer.blocks)
    assert broken.sha[:8] in shown
    assert record.status in shown
    lines = await stage.ask("/dragonfly logs ingest --failed")
    assert "Traceback" in json.dumps(lines.blocks)
    stage.sandbox.railway.deploy(Service.INGEST, stage.sha)
