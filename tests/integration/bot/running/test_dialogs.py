"""Without a dialog, the answer names the line to type, which does the same."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest

from bot.app import Bot
from bot.views.modals import ESCALATE_THIS, PRESETS
from bot.views.run_buttons import ALONE, APPROVE_TYPED, DENY, REVIEW
from services.clients.postgres.pool import Connection
from services.sandbox.slack import model
from services.sandbox.slack.actor import acting_as
from services.sandbox.slack.methods import METHODS
from services.sandbox.slack.model import ApiError, Json, Message
from services.sandbox.slack.workspace import Workspace
from tests.integration.bot.running.conftest import Slack
from tests.integration.bot.running.test_decisions import CRITICAL, File, click
from tests.integration.bot.running.test_decisions import bot as bot
from tests.integration.bot.running.test_decisions import file as file
from tests.outside import PATIENCE_S, first_message

MakeRun = Callable[[Connection], Awaitable[int]]

REFUSALS = ("expired_trigger_id", "exchanged_trigger_id", "invalid_trigger_id", "internal_error", "fatal_error")


@pytest.fixture
def no_dialogs(slack: Slack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every trigger has expired when it is used, and a permission check may take long on a busy machine."""
    monkeypatch.setattr("bot.approvals.service.DIALOG_TIMEOUT_S", PATIENCE_S)
    slack.workspace.tickets.trigger_lifetime_s = -1.0


async def reported(slack: Slack, words: str, user: str = model.OLIVIA.id) -> Message:
    answer = await slack.wait_for(
        lambda message: words in f"{message.text} {message.blocks}", user=slack.workspace.users[user]
    )
    assert answer.visible_to == user
    return answer


@pytest.mark.usefixtures("bot", "no_dialogs")
@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("stop-workers", "stop-workers workers &lt;reason&gt;"),
        ("stop-workers ingest", "stop-workers ingest &lt;reason&gt;"),
        ("incident open", "incident open &lt;what is wrong&gt;"),
        ("incident resolve 7", "incident resolve 7 &lt;cause&gt;"),
    ],
)
async def test_a_command_whose_dialog_does_not_open_names_the_line(slack: Slack, typed: str, line: str) -> None:
    await slack.type(f"/dragonfly {typed}")

    answer = await reported(slack, line)

    assert "did not open" in f"{answer.text} {answer.blocks}"


@pytest.mark.usefixtures("bot", "no_dialogs")
async def test_the_emergency_stop_has_its_reasons_as_buttons(slack: Slack) -> None:
    await slack.type("/dragonfly stop-workers ingest")

    answer = await reported(slack, "did not open")

    values = [
        element["value"] for block in answer.blocks for element in block.get("elements", ()) if "value" in element
    ]
    assert {f"stop-workers ingest {reason}" for reason in PRESETS} <= set(values)


@pytest.mark.usefixtures("bot")
@pytest.mark.parametrize("code", REFUSALS)
async def test_every_refusal_names_the_line(slack: Slack, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    def refuse(_workspace: Workspace, _arguments: Json) -> Json:
        raise ApiError(code)

    monkeypatch.setitem(METHODS, "views.open", refuse)

    await slack.type("/dragonfly stop-workers")

    answer = await reported(slack, "stop-workers workers &lt;reason&gt;")
    assert code in str(answer.blocks)


@pytest.mark.usefixtures("no_dialogs")
@pytest.mark.parametrize(
    ("action", "line"),
    [(DENY, "deny {} &lt;why&gt;"), (APPROVE_TYPED, "approve {} rollback-db 20200101000000 dev")],
)
async def test_a_decision_whose_dialog_does_not_open_names_the_line(
    slack: Slack, file: File, action: str, line: str
) -> None:
    run, message = await file(CRITICAL)

    await click(slack, message, action, model.ANN)

    await reported(slack, line.format(run.id), model.ANN.id)


async def press(bot: Bot, slack: Slack, action: str, value: str, user: str) -> None:
    """Click a button of a message that was posted some time ago."""
    label = {"type": "plain_text", "text": "Press"}
    elements = [{"type": "button", "action_id": action, "value": value, "text": label}]
    _, ts = await bot.slack.post(model.INCIDENTS_ID, "a message", [{"type": "actions", "elements": elements}])
    await acting_as(slack.workspace, user).click(model.INCIDENTS_ID, ts, action)


async def to_be_reviewed(as_owner: Connection) -> int:
    """Store an ended run that Olivia executed without an approval; return its number."""
    run_id = await insert_run(as_owner, risk="break-glass", state="failed", by=model.OLIVIA.id)
    await as_owner.execute(
        "INSERT INTO chatops.reviews (run_id, acted_by_user, acted_by_team, remind_at) VALUES (%s, %s, %s, now())",
        (run_id, model.OLIVIA.id, model.TEAM.id),
    )
    return run_id


async def to_be_started_alone(as_owner: Connection) -> int:
    """Store a run that Ann requested in Olivia's incident and that no approver answered; return its number."""
    run_id = await insert_run(as_owner, risk="high", state="awaiting_approval", by=model.ANN.id)
    await as_owner.execute(
        "WITH opened AS ("
        " INSERT INTO chatops.incidents"
        " (environment, severity, title, services, opened_by_user, opened_by_team, since, chain)"
        " VALUES ('dev', 'sev1', 'x', '{dragonfly-api}', %s, %s, now(), '{}') RETURNING id)"
        " INSERT INTO chatops.lone_starts (run_id, incident_id, called_at, open_at, offered_at)"
        " SELECT %s, id, now() - interval '1 hour', now() - interval '1 minute', now() FROM opened",
        (model.OLIVIA.id, model.TEAM.id, run_id),
    )
    return run_id


async def insert_run(as_owner: Connection, *, risk: str, state: str, by: str) -> int:
    ended_at = datetime.now(UTC) if state == "failed" else None
    await as_owner.execute("ALTER TABLE chatops.runs DISABLE TRIGGER USER")
    cursor = await as_owner.execute(
        "INSERT INTO chatops.runs (state, environment, playbook, parameters, plan, plan_hash, risk, title, services,"
        " requested_by_user, requested_by_team, reason, channel, approvals_needed, kinds, format, expires_at,"
        " approved_at, started_at, ended_at)"
        " VALUES (%s, 'dev', 'restart', '{\"service\": \"api\"}', '{\"format\": 1}', repeat('a', 64), %s,"
        " 'Restart api', '{dragonfly-api}', %s, %s, '', %s, 1, '{RestartDeployment}', 1,"
        " now() + interval '1 hour', %s::timestamptz, %s::timestamptz, %s::timestamptz)"
        " RETURNING id",
        (state, risk, by, model.TEAM.id, model.INCIDENTS_ID, ended_at, ended_at, ended_at),
    )
    await as_owner.execute("ALTER TABLE chatops.runs ENABLE TRIGGER USER")
    row = await cursor.fetchone()
    assert row
    return int(row[0])


@pytest.mark.usefixtures("no_dialogs")
@pytest.mark.parametrize(
    ("make", "action", "line"),
    [
        (to_be_reviewed, REVIEW, "review {} &lt;what you found&gt;"),
        (to_be_started_alone, ALONE, "start-alone {} &lt;why&gt;"),
    ],
)
async def test_run_button_names_the_line_to_type_without_dialogs(
    bot: Bot, slack: Slack, as_owner: Connection, make: MakeRun, action: str, line: str
) -> None:
    run_id = await make(as_owner)

    await press(bot, slack, action, str(run_id), model.ANN.id)

    await reported(slack, line.format(run_id), model.ANN.id)


@pytest.mark.usefixtures("no_dialogs")
async def test_another_target_is_named_by_its_line(bot: Bot, slack: Slack) -> None:
    await press(bot, slack, "rollback.choose", "api", model.ANN.id)

    await reported(slack, "rollback api to &lt;commit&gt;", model.ANN.id)


async def test_another_target_whose_dialog_stays_empty_is_named_too(
    bot: Bot, slack: Slack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_workspace: Workspace, _arguments: Json) -> Json:
        raise ApiError("not_found")

    monkeypatch.setitem(METHODS, "views.update", refuse)

    await press(bot, slack, "rollback.choose", "api", model.ANN.id)

    await reported(slack, "rollback api to &lt;commit&gt;", model.ANN.id)


@pytest.mark.parametrize(
    ("make", "action"),
    [
        (to_be_reviewed, REVIEW),
        (to_be_started_alone, ALONE),
        (to_be_started_alone, DENY),
        (to_be_started_alone, APPROVE_TYPED),
    ],
)
async def test_run_dialog_does_not_open_without_the_right_to_submit_it(
    bot: Bot, slack: Slack, as_owner: Connection, make: MakeRun, action: str
) -> None:
    run_id = await make(as_owner)
    too_busy, refused = "not be checked", "Nothing changed"

    answer = None
    while answer is None or too_busy in answer.text:  # a busy machine may take longer than Slack waits for a dialog
        answered = len(slack.seen(model.OTTO.id))
        await press(bot, slack, action, str(run_id), model.OTTO.id)
        answer = await first_message(
            lambda: slack.seen(model.OTTO.id)[answered:],  # noqa: B023 - awaited here
            lambda message: too_busy in message.text or refused in f"{message.text} {message.blocks}",
        )

    assert answer.visible_to == model.OTTO.id
    assert slack.workspace.calls_of("views.open") == []
    cursor = await as_owner.execute("SELECT actor FROM chatops.audit WHERE event LIKE '%.refused'")
    assert await cursor.fetchall() == [(model.OTTO.id,)]


async def test_rollback_dialog_does_not_open_without_the_right_to_request(bot: Bot, slack: Slack) -> None:
    await press(bot, slack, "rollback.choose", "api", model.OTTO.id)

    await reported(slack, "was not filed", model.OTTO.id)
    assert slack.workspace.calls_of("views.open") == []


async def test_no_dialog_opens_while_no_one_can_report_whether_it_may_be_submitted(
    bot: Bot, slack: Slack, as_owner: Connection
) -> None:
    run_id = await to_be_started_alone(as_owner)

    async with as_owner.transaction():
        await as_owner.execute("SELECT FROM chatops.runs WHERE id = %s FOR UPDATE", (run_id,))
        await press(bot, slack, DENY, str(run_id), model.BEN.id)
        await reported(slack, "nothing was decided", model.BEN.id)

    assert slack.workspace.calls_of("views.open") == []


@pytest.mark.usefixtures("bot", "no_dialogs")
async def test_escalating_a_message_offers_the_incident_as_a_button(slack: Slack) -> None:
    actor = acting_as(slack.workspace, model.OLIVIA.id)
    posted = actor.say(model.INCIDENTS_ID, "payments have stopped\nsince noon")

    await actor.shortcut(ESCALATE_THIS, model.INCIDENTS_ID, posted.ts)

    answer = await reported(slack, "did not open")
    [button_] = answer.blocks[-1]["elements"]
    assert button_["value"] == "incident open payments have stopped"


async def test_a_typed_denial_counts(slack: Slack, file: File) -> None:
    run, message = await file(CRITICAL)

    await acting_as(slack.workspace, model.ANN.id).type(model.INCIDENTS_ID, f"/dragonfly deny {run.id} not tonight")

    await slack.wait_for(lambda found: found.ts == message.ts and "not tonight" in f"{found.text} {found.blocks}")


async def test_a_typed_approval_of_something_critical_needs_its_name(slack: Slack, file: File) -> None:
    run, _ = await file(CRITICAL)
    ann = acting_as(slack.workspace, model.ANN.id)

    await ann.type(model.INCIDENTS_ID, f"/dragonfly approve {run.id}")
    await reported(slack, "rollback-db 20200101000000 dev", model.ANN.id)
    await ann.type(model.INCIDENTS_ID, f"/dragonfly approve {run.id} rollback-db 20200101000000 dev")

    await reported(slack, "1 approval still missing", model.ANN.id)


async def test_typed_approval_is_refused_for_the_requester(slack: Slack, file: File) -> None:
    run, _ = await file(CRITICAL)

    await slack.type(f"/dragonfly approve {run.id} rollback-db 20200101000000 dev")

    await reported(slack, "Nothing changed")
