"""Without operators, approvers and an on-call file no one can change anything on any surface; opening an incident
works."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
import pytest

from bot.cli import dispatch
from bot.commands.registry import REGISTRY
from bot.views import modals, run_buttons
from bot.views.blocks import COMMAND_ACTION
from playbooks.model import Risk
from playbooks.plan import Plan, encode_plan
from playbooks.steps import RestartDeployment
from playbooks.stored_steps import FORMAT, encode_step
from services.clients.postgres.freezes import create_freeze
from services.clients.postgres.pool import Connection
from services.clients.postgres.runs import create_run
from services.domain.freezes import FREEZE
from services.domain.people import Person
from services.domain.runs import NewRun, RunState
from services.domain.services import Service
from services.sandbox.slack import actor, model
from services.sandbox.slack.actor import acting_as
from services.sandbox.slack.delivery import Envelope, EnvelopeKind
from services.sandbox.slack.model import Message, View
from tests.conftest import DatabaseUrls
from tests.integration.bot.running.conftest import Slack, StartBot, environment
from tests.outside import PATIENCE_S

LINES = {
    "approve": "approve 1",
    "cancel": "cancel 1",
    "deny": "deny 1 not now",
    "deploy": "deploy api 8d02b64e",
    "drill": "drill start",
    "freeze": "freeze api we move the queue",
    "golden-path": "golden-path",
    "incident ack": "incident ack 1",
    "incident escalate": "incident escalate 1",
    "incident resolve": "incident resolve 1 a bad deploy",
    "incident severity": "incident severity 1 sev3",
    "incident done": "incident done 1",
    "incident todo": "incident todo 1 raise the limit",
    "lock": "lock api a migration by hand",
    "oncall calendar": "oncall calendar",
    "oncall note": "oncall note primary the backlog is known",
    "oncall override": f"oncall override <@{model.BEN.id}> 2h",
    "oncall swap": "oncall swap accept 1",
    "oncall take": "oncall take 1",
    "redeploy": "redeploy api",
    "requeue": "requeue 123e4567-e89b-12d3-a456-426614174000",
    "restart": "restart api",
    "reveal": "reveal job 123e4567-e89b-12d3-a456-426614174000 9999999999",
    "review": "review 1 it was right",
    "rollback": "rollback api",
    "rollback-db": "rollback-db 20251202009900",
    "scale": "scale api 2",
    "silence": "silence ingest 2h we move the queue",
    "start-alone": "start-alone 1 nobody answers",
    "stop-workers": "stop-workers wrong amounts",
    "unfreeze": "unfreeze enforcement",
    "unlock": "unlock api fixed",
}
ALARM = "incident open"
READS = {
    *("audit", "check-config", "deployments", "doctor", "env", "failed-jobs", "health", "heartbeats", "help", "home"),
    *("incident", "incident export", "incident timeline", "intake", "logs", "migrations", "oncall", "policy"),
    *("preflight", "prod-gate", "queue", "run", "runs", "security-audit", "sha", "silences", "throughput", "verify"),
    *("ask", "catchup", "history", "incident draft", "incident similar", "promote", "proof", "report", "why"),
}
CLICKS = (
    run_buttons.APPROVE,
    run_buttons.CONFIRM,
    run_buttons.CANCEL,
    run_buttons.VETO,
    f"{run_buttons.RESOLVE}.retry",
    f"{run_buttons.RESOLVE}.abort",
    run_buttons.ASK_AGAIN,
)
REFUSALS = (
    "don't have permission",
    "may manage incidents",
    "can't be self-approved",
    "needs an approval",
    "run is unknown",
    "approved before",
    "requested again",
    "no on-call file",
    "is not yours",
    "no swap 1",
    "no follow-up 1",
    "neither an operator",
)
TABLES = (
    "runs",
    "run_decisions",
    "incidents",
    "silences",
    "drills",
    "oncall_overrides",
    "freezes",
    "service_locks",
    "reviews",
    "oncall_swaps",
)
WRITTEN_BY_THE_BOT = ["briefed", "due_at", "pages", "next_level", "active_at", "reminded_at", "diagnosis", "remedy"]
HIGH = Plan(
    environment="dev",
    playbook="restart",
    parameters={"service": "api"},
    steps=(RestartDeployment(Service.API, "d-api"),),
    risk=Risk.HIGH,
    title="Restart api",
)
WHERE = {"channel": model.INCIDENTS_ID}

Send = Callable[[Slack, Message, str], Awaitable[None]]


def test_every_verb_is_a_read_a_right_or_the_alarm() -> None:
    assert READS | LINES.keys() | {ALARM} == REGISTRY.keys()


async def by_slash(slack: Slack, _: Message, line: str) -> None:
    await acting_as(slack.workspace, model.ANN.id).type(model.INCIDENTS_ID, f"/dragonfly {line}")


async def by_mention(slack: Slack, _: Message, line: str) -> None:
    acting_as(slack.workspace, model.ANN.id).say(model.INCIDENTS_ID, f"<@{model.BOT.id}> {line}")


async def by_button(slack: Slack, message: Message, line: str) -> None:
    await click(slack, message, f"{COMMAND_ACTION}.0", line)


async def click(slack: Slack, message: Message, action_id: str, value: str) -> None:
    element = {"type": "button", "action_id": action_id, "value": value}
    action = actor.action_of(slack.workspace, "b", element, None)
    payload = actor.message_action(slack.workspace, model.ANN, message, action, None)
    await slack.workspace.delivery.send(Envelope(EnvelopeKind.INTERACTIVE, payload))


async def submit(slack: Slack, content: dict[str, Any], answer: str) -> None:
    """Submit a dialog that was opened while Ann had the right."""
    payload = actor.view_submission(slack.workspace, model.ANN, View("V1", model.ANN.id, "h", content, "V1"))
    posted = {"type": "plain_text_input", "value": answer}
    payload["view"]["state"] = {"values": {"answer": {"answer": posted}, "preset": {"preset": {"value": "a reason"}}}}
    await slack.workspace.delivery.send(Envelope(EnvelopeKind.INTERACTIVE, payload))


def dialogs() -> list[tuple[dict[str, Any], str]]:
    """Return every dialog except those about incidents, with the text entered into it."""
    run = WHERE | {"run": 1}
    typed = modals.modal("x", [], callback_id=modals.APPROVE_TYPED, submit="x", metadata=run | {"phrase": "yes"})
    target = modals.modal("x", [], callback_id=modals.CHOOSE_TARGET, submit="x", metadata=WHERE | {"service": "api"})
    return [
        (modals.deny_modal(run), "no"),
        (modals.self_approval_modal(run), "nobody answers"),
        (typed, "yes"),
        (target, "8d02b64e"),
        (modals.stop_workers_modal("workers", WHERE | {"service": "workers"}), "now"),
        (modals.resolve_modal(1, WHERE), "a bad deploy"),
    ]


@pytest.fixture
async def scene(start_bot: StartBot, slack: Slack, database_urls: DatabaseUrls, as_bot: Connection) -> Message:
    """A bot without configured people, with an older run and freeze, and an incident that Olivia opened."""
    plan_of = NewRun(
        environment=HIGH.environment,
        playbook=HIGH.playbook,
        parameters=HIGH.parameters,
        plan=encode_plan(HIGH),
        plan_hash=HIGH.hash,
        risk=HIGH.risk.value,
        title=HIGH.title,
        services=(Service.API.value,),
        requested_by=Person(model.OLIVIA.id, model.TEAM.id),
        reason="",
        channel=model.INCIDENTS_ID,
        approvals_needed=1,
        expires_at_s=900,
        state=RunState.AWAITING_APPROVAL,
        kinds=("RestartDeployment",),
        format=FORMAT,
    )
    await create_run(as_bot, plan_of, [encode_step(step) for step in HIGH.steps])
    await create_freeze(
        as_bot,
        kind=FREEZE,
        service=Service.ENFORCEMENT,
        owner=model.OLIVIA.id,
        reason="we move the queue",
        starts_at=None,
        ends_at=None,
        recurrence=None,
        announced_for=None,
    )
    await as_bot.commit()
    await start_bot(database_urls.bot)
    await slack.type("/dragonfly incident open no ingest")
    return await slack.wait_for(lambda message: "no ingest" in message.text and message.visible_to is None)


@pytest.fixture
def snapshot(database_urls: DatabaseUrls) -> Callable[[], Awaitable[list[object]]]:
    """Returns every row that a person with permissions could have changed, without columns that the bot writes."""

    async def read() -> list[object]:
        async with await psycopg.AsyncConnection.connect(database_urls.owner, autocommit=True) as conn:
            found: list[object] = []
            for table in TABLES:
                sql = f"SELECT to_jsonb(one) - ARRAY{WRITTEN_BY_THE_BOT} FROM chatops.{table} AS one ORDER BY 1"  # noqa: S608 - our names
                found.append(await (await conn.execute(sql)).fetchall())
            return found

    return read


async def refusals(slack: Slack, count: int) -> list[str]:
    """Return the messages that only Ann can see, once there are so many."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            texts = [one.text for one in slack.seen(model.ANN.id) if one.visible_to == model.ANN.id]
            if len(texts) >= count:
                return texts
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("send", [by_slash, by_mention, by_button])
async def test_no_line_changes_anything(
    scene: Message, slack: Slack, snapshot: Callable[[], Awaitable[list[object]]], send: Send
) -> None:
    before = await snapshot()

    for count, line in enumerate(LINES.values(), start=1):
        await send(slack, scene, line)
        await refusals(slack, count)  # one after the other: one person's commands are limited

    texts = await refusals(slack, len(LINES))
    assert len(texts) == len(LINES)
    assert [text for text in texts if not any(words in text.lower() for words in REFUSALS)] == []
    assert await snapshot() == before


async def test_no_button_and_no_dialog_changes_anything(
    scene: Message, slack: Slack, snapshot: Callable[[], Awaitable[list[object]]]
) -> None:
    before = await snapshot()

    for count, action_id in enumerate(CLICKS, start=1):
        await click(slack, scene, action_id, "1")
        await refusals(slack, count)
    for count, (content, answer) in enumerate(dialogs(), start=len(CLICKS) + 1):
        await submit(slack, content, answer)
        await refusals(slack, count)

    texts = await refusals(slack, len(CLICKS) + len(dialogs()))
    assert len(texts) == len(CLICKS) + len(dialogs())
    assert [text for text in texts if not any(words in text.lower() for words in REFUSALS)] == []
    assert await snapshot() == before


async def test_no_dialog_opens_but_the_alarms(scene: Message, slack: Slack) -> None:
    for line in ("stop-workers", "stop-workers ingest", "incident resolve 1"):
        await by_slash(slack, scene, line)
        await by_button(slack, scene, line)

    await refusals(slack, 6)
    assert slack.workspace.modal_for(model.ANN.id) is None

    await acting_as(slack.workspace, model.ANN.id).shortcut(modals.ESCALATE_THIS, model.INCIDENTS_ID, scene.ts)
    async with asyncio.timeout(PATIENCE_S):
        while slack.workspace.modal_for(model.ANN.id) is None:
            await asyncio.sleep(0.02)


async def test_no_line_of_a_terminal_changes_anything(
    scene: Message, slack: Slack, database_urls: DatabaseUrls, snapshot: Callable[[], Awaitable[list[object]]]
) -> None:
    assert scene
    before = await snapshot()

    for line in LINES.values():
        await dispatch(line.split(), environment(slack, database_urls.bot))

    assert await snapshot() == before
