"""Whole runs as people in Slack see them: a whole bot, and the local Railway behind a wire that holds single calls."""

from __future__ import annotations

import asyncio
import json

import pytest

from bot.app import Bot
from bot.commands.request_change import PLANS
from bot.config.timing import RunSettings
from bot.types import Actor, Request, Surface
from bot.views.blocks import COMMAND_ACTION
from bot.views.modals import ANSWER
from bot.views.run_buttons import ALONE, CONFIRM, VETO
from playbooks.plan import Plan
from services.clients.postgres import runs
from services.clients.postgres.incidents import create_incident
from services.clients.postgres.pool import Connection
from services.domain.escalation_chain import Chain, encode_chain
from services.domain.incidents import IncidentSeverity, NewIncident
from services.domain.people import Person
from services.domain.runs import Run
from services.sandbox.railway.local import LocalRailway
from services.sandbox.slack import actor, model
from services.sandbox.slack.actor import acting_as
from services.sandbox.slack.delivery import Envelope, EnvelopeKind
from services.sandbox.slack.model import Message, User
from tests.integration.bot.running.conftest import Slack, StartWhole
from tests.wire import Wire

ANN = Request((), Surface.SLASH, Actor(model.ANN.id, model.TEAM.id), model.INCIDENTS_ID)
OLIVIA = Request((), Surface.SLASH, Actor(model.OLIVIA.id, model.TEAM.id), model.INCIDENTS_ID)
AWAY_S, CHAOS_AWAY_S = 3.0, 60.0
RUN_S = 60.0


@pytest.fixture
async def bot(start_whole: StartWhole) -> Bot:
    return await start_whole()


async def ask(
    bot: Bot, slack: Slack, playbook: str, *, request: Request = OLIVIA, **parameters: str
) -> tuple[Run, Message]:
    """File a plan, by default as Olivia; return the run and its message."""
    assert bot.wiring is not None
    plan = await PLANS[playbook](parameters, bot.world)
    assert isinstance(plan, Plan), plan
    run = await bot.wiring.changing.approval_service.file(plan, request)
    return run, await slack.wait_for(lambda message: plan.title in message.text)


async def click(slack: Slack, message: Message, action_id: str, user: User) -> None:
    assert await acting_as(slack.workspace, user.id).click(message.channel, message.ts, action_id) is None


async def until(slack: Slack, message: Message, words: str, timeout_s: float = RUN_S) -> Message:
    """Return the same message, once it has these words."""
    return await slack.wait_for(lambda one: one.ts == message.ts and words in one.text, timeout_s=timeout_s)


@pytest.mark.parametrize("how", ["done", "retry"])
async def test_an_unknown_step_is_settled_by_a_click_and_the_run_goes_on(
    bot: Bot, slack: Slack, wire: Wire, how: str
) -> None:
    hold = wire.hold("commitPatch", "after", lose=True)
    _, asked = await ask(bot, slack, "scale", service="ingest", to="2")
    await click(slack, asked, CONFIRM, model.OLIVIA)
    await hold.reached.wait()
    wire.status = 500
    hold.release()
    unknown = await until(slack, asked, "UNKNOWN")
    wire.status = None

    await click(slack, unknown, f"run.resolve.{how}", model.ANN)
    done = await until(slack, asked, "DONE")

    assert wire.mutations == ["commitPatch"], "a retry looks first, and finds that it was done"
    assert "run.resolve" not in json.dumps(done.blocks)


async def offered_alone(bot: Bot, slack: Slack, railway: LocalRailway, conn: Connection) -> Message:
    """A rollback that Ann requests inside an incident that Ben opened, once no approver responded."""
    services, ben = ("dragonfly-worker-ingest",), Person(model.BEN.id, model.TEAM.id)
    await create_incident(
        conn, NewIncident("dev", IncidentSeverity.SEV1, "ingest is down", services, ben, encode_chain(Chain()))
    )
    target = railway.commits[1].sha[:8]
    _, asked = await ask(bot, slack, "rollback", request=ANN, service="ingest", to=target)
    async with asyncio.timeout(RUN_S):
        while ALONE not in json.dumps(asked.blocks):
            await asyncio.sleep(0.05)
    return asked


def posted_to(slack: Slack, user: User) -> list[Message]:
    """Return the direct messages to this person."""
    return [one for one in slack.workspace.messages if one.channel == "D" + user.id[1:]]


async def begin_alone(slack: Slack, asked: Message) -> None:
    await click(slack, asked, ALONE, model.ANN)
    async with asyncio.timeout(RUN_S):
        while (modal := slack.workspace.modal_for(model.ANN.id)) is None:
            await asyncio.sleep(0.01)
    assert await acting_as(slack.workspace, model.ANN.id).submit(modal.id, {ANSWER: {ANSWER: "customers wait"}}) == {}


async def test_a_click_on_veto_ends_the_countdown_and_the_request(
    start_whole: StartWhole, slack: Slack, railway: LocalRailway, wire: Wire, as_owner: Connection
) -> None:
    bot = await start_whole(ALONE_COUNTDOWN_SECONDS="600")
    asked = await offered_alone(bot, slack, railway, as_owner)
    await begin_alone(slack, asked)
    async with asyncio.timeout(RUN_S):
        while VETO not in json.dumps(asked.blocks):
            await asyncio.sleep(0.05)

    await click(slack, asked, VETO, model.BEN)
    ended = await until(slack, asked, "DENIED")

    assert "Denied by" in json.dumps(ended.blocks)
    assert wire.mutations == []


def _key(message: Message) -> str | None:
    """Return the message's key in the outbox."""
    return str(((message.metadata or {}).get("event_payload") or {}).get("key"))


async def goes_on_without_slack(bot: Bot, slack: Slack, wire: Wire, conn: Connection, away_s: float) -> None:
    """Slack goes down while the run executes; the run ends meanwhile, and its message shows it once Slack is back."""
    hold = wire.hold("commitPatch", "before")
    run, asked = await ask(bot, slack, "scale", service="ingest", to="2")
    await click(slack, asked, CONFIRM, model.OLIVIA)
    await until(slack, asked, "RUNNING")
    slack.workspace.faults.is_down = True
    await slack.workspace.sockets.cut()
    hold.release()
    back_at = asyncio.get_running_loop().time() + away_s
    async with asyncio.timeout(RUN_S):
        while not (ended := await runs.read_run(conn, run.id)) or not ended.state.is_final:
            await asyncio.sleep(0.05)
    await asyncio.sleep(max(back_at - asyncio.get_running_loop().time(), 0))
    assert "RUNNING" in asked.text, "the run ended while nobody could be told"
    slack.workspace.faults.is_down = False

    done = await until(slack, asked, "DONE")

    assert "every step" in done.text
    assert [one.ts for one in slack.seen() if _key(one) == run.message_key] == [asked.ts]


async def test_a_run_ends_right_while_slack_is_away(bot: Bot, slack: Slack, wire: Wire, as_bot: Connection) -> None:
    await goes_on_without_slack(bot, slack, wire, as_bot, AWAY_S)


@pytest.mark.chaos
@pytest.mark.timeout(300)
async def test_a_run_ends_right_while_slack_is_away_for_a_minute(
    start_whole: StartWhole, slack: Slack, wire: Wire, as_bot: Connection
) -> None:
    bot = await start_whole(RunSettings(), SOAK_SECONDS="5")

    await goes_on_without_slack(bot, slack, wire, as_bot, CHAOS_AWAY_S)


def key_of(message: Message) -> str:
    return str((message.metadata or {}).get("event_payload", {}).get("key"))


async def run_message(slack: Slack, number: int) -> Message:
    return await slack.wait_for(lambda one: key_of(one) == f"run:{number}")


async def until_known(conn: Connection, message: Message) -> None:
    """Wait until the bot has stored the message's ts: Slack shows the message before its answer reaches the bot."""
    query = "SELECT FROM chatops.outbox WHERE ts = %s"
    async with asyncio.timeout(RUN_S):
        while await (await conn.execute(query, (message.ts,))).fetchone() is None:
            await asyncio.sleep(0.01)


async def test_run_message_is_in_the_incidents_thread_when_requested_there(
    bot: Bot, slack: Slack, as_owner: Connection
) -> None:
    assert bot.wiring is not None
    olivia = acting_as(slack.workspace, model.OLIVIA.id)
    await slack.type("/dragonfly incident open ingest hangs service ingest")
    root = await slack.wait_for(lambda one: key_of(one) == "incident:1")
    await until_known(as_owner, root)

    await olivia.type(model.INCIDENTS_ID, f"<@{slack.workspace.bot.id}> scale ingest 2", thread_ts=root.ts)
    asked = await run_message(slack, 1)
    assert asked.thread_ts == root.ts
    answer = await slack.wait_for(lambda one: one.visible_to == model.OLIVIA.id and "Run 1" in one.text)
    assert "the thread of incident 1" in json.dumps(answer.blocks)
    await click(slack, asked, CONFIRM, model.OLIVIA)
    await slack.wait_for(lambda one: key_of(one) == "run:1:ended" and one.thread_ts == root.ts, timeout_s=RUN_S)

    line = {"type": "button", "action_id": f"{COMMAND_ACTION}.0", "value": "stop-workers ingest"}
    payload = actor.message_action(
        slack.workspace, model.OLIVIA, root, actor.action_of(slack.workspace, "b", line, None), None
    )
    await slack.workspace.delivery.send(Envelope(EnvelopeKind.INTERACTIVE, payload))
    async with asyncio.timeout(RUN_S):
        while (modal := slack.workspace.modal_for(model.OLIVIA.id)) is None:
            await asyncio.sleep(0.01)
    await olivia.submit(modal.id, {ANSWER: {ANSWER: "wrong amounts"}})
    assert (await run_message(slack, 2)).thread_ts == root.ts


async def test_a_private_answer_to_a_button_in_a_thread_is_in_the_thread(bot: Bot, slack: Slack) -> None:
    assert bot.wiring is not None
    _, root = await bot.slack.post(model.INCIDENTS_ID, "the first message", [])
    label = {"type": "plain_text", "text": "Press"}
    button = {"type": "button", "action_id": f"{COMMAND_ACTION}.0", "value": "oncall", "text": label}
    blocks = [{"type": "actions", "elements": [button]}]
    _, reply = await bot.slack.post(model.INCIDENTS_ID, "a reply", blocks, thread_ts=root)

    await acting_as(slack.workspace, model.OLIVIA.id).click(model.INCIDENTS_ID, reply, f"{COMMAND_ACTION}.0")

    answer = await slack.wait_for(lambda one: one.visible_to == model.OLIVIA.id)
    assert answer.thread_ts == root


async def test_run_message_is_in_the_channel_outside_an_open_incidents_thread(bot: Bot, slack: Slack) -> None:
    assert bot.wiring is not None
    olivia = acting_as(slack.workspace, model.OLIVIA.id)
    await slack.type("/dragonfly incident open ingest hangs service ingest")
    root = await slack.wait_for(lambda one: key_of(one) == "incident:1")

    await slack.type("/dragonfly scale ingest 2")
    assert (await run_message(slack, 1)).thread_ts is None
    await slack.type("/dragonfly incident resolve 1 it was the pool")
    await slack.wait_for(lambda one: one.ts == root.ts and "RESOLVED" in one.text)
    await olivia.type(model.INCIDENTS_ID, f"<@{slack.workspace.bot.id}> scale enforcement 2", thread_ts=root.ts)
    assert (await run_message(slack, 2)).thread_ts is None


@pytest.mark.parametrize(
    ("person", "line", "counts"),
    [
        (model.ANN, "scale ingest 2", True),
        (model.ANN, "scale enforcement 2", False),  # another service: no work on this incident
        (model.OLIVIA, "scale ingest 2", False),  # she was not paged
    ],
)
async def test_paged_person_acknowledges_by_requesting_a_change(
    bot: Bot, slack: Slack, as_owner: Connection, person: User, line: str, counts: bool
) -> None:
    assert bot.wiring is not None
    await slack.type("/dragonfly incident open ingest hangs service ingest")
    root = await slack.wait_for(lambda one: key_of(one) == "incident:1")
    await slack.wait_for(lambda one: key_of(one) == "incident:1:page:1")

    mention = f"<@{slack.workspace.bot.id}> {line}"
    await acting_as(slack.workspace, person.id).type(model.INCIDENTS_ID, mention, thread_ts=root.ts)

    answer = await slack.wait_for(lambda one: one.visible_to == person.id and "Run 1" in one.text, user=person)
    assert ("Incident 1 is acknowledged" in json.dumps(answer.blocks, ensure_ascii=False)) is counts
    found = await (await as_owner.execute("SELECT state::text, due_at IS NULL FROM chatops.incidents")).fetchone()
    assert found is not None
    assert found[0] == ("acknowledged" if counts else "open")
    if counts:
        await slack.wait_for(lambda one: one.ts == root.ts and f"ACKNOWLEDGED* by <@{person.id}>" in one.text)
        rows = await as_owner.execute("SELECT actor, run_id FROM chatops.audit WHERE event = 'incident.acknowledged'")
        assert await rows.fetchall() == [(person.id, 1)]


async def test_requester_of_a_change_is_assigned_when_no_one_was_paged(
    bot: Bot, slack: Slack, as_owner: Connection
) -> None:
    assert bot.wiring is not None
    await slack.type("/dragonfly incident open sev3 ingest is a bit slow")
    root = await slack.wait_for(lambda one: key_of(one) == "incident:1")
    await until_known(as_owner, root)

    mention = f"<@{slack.workspace.bot.id}> scale ingest 2"
    await acting_as(slack.workspace, model.OLIVIA.id).type(model.INCIDENTS_ID, mention, thread_ts=root.ts)

    await slack.wait_for(lambda one: one.ts == root.ts and f"ACKNOWLEDGED* by <@{model.OLIVIA.id}>" in one.text)


async def test_a_request_stands_when_its_acknowledgement_fails(bot: Bot, slack: Slack, as_owner: Connection) -> None:
    """The request matters more than its note in the incident: it does not wait for a busy incident beyond the limit,
    and is filed before."""
    assert bot.wiring is not None
    await slack.type("/dragonfly incident open ingest hangs service ingest")
    root = await slack.wait_for(lambda one: key_of(one) == "incident:1")
    await slack.wait_for(lambda one: key_of(one) == "incident:1:page:1")

    async with as_owner.transaction():
        await as_owner.execute("SELECT FROM chatops.incidents WHERE id = 1 FOR NO KEY UPDATE")
        mention = f"<@{slack.workspace.bot.id}> scale ingest 2"
        await acting_as(slack.workspace, model.ANN.id).type(model.INCIDENTS_ID, mention, thread_ts=root.ts)
        await run_message(slack, 1)

    await slack.wait_for(lambda one: one.ts == root.ts and "ACKNOWLEDGED" in one.text)
