"""Where no dialog can open, the line to type is named, and does the same."""

from __future__ import annotations

import pytest

from bot.app import Bot
from bot.views.incident_modals import ESCALATE_THIS
from bot.views.run_buttons import ALONE, APPROVE_TYPED, DENY, REVIEW, button
from services.sandbox.slack import cast
from services.sandbox.slack.errors import ApiError
from services.sandbox.slack.methods import METHODS
from services.sandbox.slack.model import Json, Message
from services.sandbox.slack.workspace import Workspace
from tests.integration.bot.running.conftest import Slack
from tests.integration.bot.running.test_deciding import CRITICAL, File, click
from tests.integration.bot.running.test_deciding import bot as bot
from tests.integration.bot.running.test_deciding import file as file

REFUSALS = ("expired_trigger_id", "exchanged_trigger_id", "invalid_trigger_id", "internal_error", "fatal_error")


@pytest.fixture
def no_dialogs(slack: Slack) -> None:
    """Every trigger is over when it is used."""
    slack.workspace.tickets.trigger_lifetime_s = -1.0


async def told(slack: Slack, words: str, user: str = cast.OLIVIA.id) -> Message:
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

    answer = await told(slack, line)

    assert "dialog did not open" in f"{answer.text} {answer.blocks}"


@pytest.mark.usefixtures("bot", "no_dialogs")
async def test_the_emergency_stop_has_its_reasons_as_buttons(slack: Slack) -> None:
    await slack.type("/dragonfly stop-workers ingest")

    answer = await told(slack, "dialog did not open")

    values = [
        element["value"] for block in answer.blocks for element in block.get("elements", ()) if "value" in element
    ]
    assert "stop-workers ingest Jobs are damaging data" in values


@pytest.mark.usefixtures("bot")
@pytest.mark.parametrize("code", REFUSALS)
async def test_every_refusal_names_the_line(slack: Slack, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    def refuse(_workspace: Workspace, _arguments: Json) -> Json:
        raise ApiError(code)

    monkeypatch.setitem(METHODS, "views.open", refuse)

    await slack.type("/dragonfly stop-workers")

    answer = await told(slack, "stop-workers workers &lt;reason&gt;")
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

    await click(slack, message, action, cast.ANN)

    await told(slack, line.format(run.id), cast.ANN.id)


async def test_a_dialog_that_stays_empty_names_the_line_too(
    slack: Slack, file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_workspace: Workspace, _arguments: Json) -> Json:
        raise ApiError("not_found")

    monkeypatch.setitem(METHODS, "views.update", refuse)
    run, message = await file(CRITICAL)

    await click(slack, message, APPROVE_TYPED, cast.ANN)

    await told(slack, f"approve {run.id} rollback-db 20200101000000 dev", cast.ANN.id)


@pytest.mark.usefixtures("no_dialogs")
@pytest.mark.parametrize(
    ("action", "line"), [(REVIEW, "review 7 &lt;what you found&gt;"), (ALONE, "start-alone 7 &lt;why&gt;")]
)
async def test_what_else_is_asked_about_a_run_names_its_line(bot: Bot, slack: Slack, action: str, line: str) -> None:
    blocks = [{"type": "actions", "elements": [button("Press", action, 7)]}]
    _, ts = await bot.slack.post(cast.INCIDENTS_ID, "a run", blocks)

    await slack.workspace.acting_as(cast.ANN.id).click(cast.INCIDENTS_ID, ts, action)

    await told(slack, line, cast.ANN.id)


@pytest.mark.usefixtures("no_dialogs")
async def test_another_target_is_named_by_its_line(bot: Bot, slack: Slack) -> None:
    element = {
        "type": "button",
        "action_id": "rollback.choose",
        "value": "api",
        "text": {"type": "plain_text", "text": "O"},
    }
    _, ts = await bot.slack.post(cast.INCIDENTS_ID, "an offer", [{"type": "actions", "elements": [element]}])

    await slack.workspace.acting_as(cast.ANN.id).click(cast.INCIDENTS_ID, ts, "rollback.choose")

    await told(slack, "rollback api to &lt;commit&gt;", cast.ANN.id)


@pytest.mark.usefixtures("bot", "no_dialogs")
async def test_escalating_a_message_offers_the_incident_as_a_button(slack: Slack) -> None:
    actor = slack.workspace.acting_as(cast.OLIVIA.id)
    said = actor.say(cast.INCIDENTS_ID, "payments stand still\nsince noon")

    await actor.shortcut(ESCALATE_THIS, cast.INCIDENTS_ID, said.ts)

    answer = await told(slack, "dialog did not open")
    [button_] = answer.blocks[-1]["elements"]
    assert button_["value"] == "incident open payments stand still"


async def test_a_typed_denial_counts(slack: Slack, file: File) -> None:
    run, message = await file(CRITICAL)

    await slack.workspace.acting_as(cast.ANN.id).type(cast.INCIDENTS_ID, f"/dragonfly deny {run.id} not tonight")

    await slack.wait_for(lambda found: found.ts == message.ts and "not tonight" in f"{found.text} {found.blocks}")


async def test_a_typed_approval_of_something_critical_needs_its_name(slack: Slack, file: File) -> None:
    run, _ = await file(CRITICAL)
    ann = slack.workspace.acting_as(cast.ANN.id)

    await ann.type(cast.INCIDENTS_ID, f"/dragonfly approve {run.id}")
    await told(slack, "rollback-db 20200101000000 dev", cast.ANN.id)
    await ann.type(cast.INCIDENTS_ID, f"/dragonfly approve {run.id} rollback-db 20200101000000 dev")

    await told(slack, "1 approval still missing", cast.ANN.id)


async def test_who_asked_cannot_approve_by_typing_either(slack: Slack, file: File) -> None:
    run, _ = await file(CRITICAL)

    await slack.type(f"/dragonfly approve {run.id} rollback-db 20200101000000 dev")

    await told(slack, "did not count")
