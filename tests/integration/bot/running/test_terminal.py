"""Changes on the terminal: planned there, requested there, approved in Slack."""

from __future__ import annotations

import json
from datetime import timedelta

import psycopg
import pytest

from bot.cli import dispatch
from bot.views.run_buttons import APPROVE, CONFIRM
from services.sandbox.slack import model
from services.sandbox.slack.actor import acting_as
from services.sandbox.slack.blocks import find_element
from tests.conftest import DatabaseUrls
from tests.integration.bot.running.conftest import Slack, StartBot

PEOPLE = {"DRAGONFLY_OPERATORS": model.OPERATORS.id, "DRAGONFLY_APPROVERS": model.APPROVERS.id}


@pytest.fixture
def environ(slack: Slack, database_urls: DatabaseUrls) -> dict[str, str]:
    return {
        "SLACK_BOT_TOKEN": "xoxb-local",
        "SLACK_APP_TOKEN": "xapp-local",
        "SLACK_API_URL": f"{slack.url}/slack/api/",
        "ENVIRONMENT": "dev",
        "SUPABASE_MODE": "dev",
        "SUPABASE_DB_URL": database_urls.bot,
        "RAILWAY_API_URL": f"{slack.url}/railway",
        "RAILWAY_TOKEN": "t",
        "RAILWAY_PROJECT_ID": "p",
        "RAILWAY_ENVIRONMENT_ID": "e",
        "DRAGONFLY_API_BASE": slack.url,
        **PEOPLE,
    }


async def test_a_dry_run_needs_no_slack_and_files_nothing(environ: dict[str, str]) -> None:
    offline = {name: value for name, value in environ.items() if not name.startswith("SLACK_")}

    text = await dispatch(["scale", "ingest", "2", "--dry-run"], offline)
    data = await dispatch(["scale", "ingest", "2", "--dry-run", "--json"], offline)

    assert text.code == 0
    assert "DRY RUN · dev · Scale ingest: 1 → 2" in text.text
    assert json.loads(data.text)["steps"][0]["kind"] == "CheckDatabaseReady"
    assert json.loads((await dispatch(["runs", "--json"], offline)).text) == []


async def test_a_dry_run_shows_how_to_do_it_by_hand(environ: dict[str, str]) -> None:
    text = await dispatch(["scale", "ingest", "2", "--dry-run"], environ)
    data = await dispatch(["scale", "ingest", "2", "--dry-run", "--json"], environ)

    by_hand = "Railway → dragonfly-worker-ingest → Settings → Replicas → 2"
    assert by_hand in text.text
    assert by_hand in json.loads(data.text)["by_hand"]


async def test_a_request_of_the_terminal_takes_one_approver_more(
    environ: dict[str, str], start_bot: StartBot, database_urls: DatabaseUrls, slack: Slack
) -> None:
    await start_bot(database_urls.bot, **PEOPLE)

    outcome = await dispatch(["restart", "api"], environ)

    assert outcome.code == 0
    assert "It waits for 1 approval" in outcome.text
    message = await slack.wait_for(lambda one: "Restart api" in one.text)
    assert find_element(message.blocks, APPROVE, None) is not None
    assert find_element(message.blocks, CONFIRM, None) is None
    assert "the terminal" in json.dumps(message.blocks)
    [run] = json.loads((await dispatch(["runs", "--json"], environ)).text)
    assert (run["state"], run["requested_by"]) == ("awaiting_approval", None)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["stop-workers", "ingest", "wrong", "amounts"], 1),
        (["scale", "ingest", "1"], 1),
        (["scale", "ingest", "many"], 2),
        (["cancel", "1"], 1),
        (["run", "999"], 2),
        (["audit", "verify"], 0),
    ],
)
async def test_exit_codes(environ: dict[str, str], words: list[str], code: int) -> None:
    assert (await dispatch(words, environ)).code == code


async def test_a_change_without_slack_reports_how_to_do_it_by_hand(environ: dict[str, str], slack: Slack) -> None:
    slack.workspace.faults.is_down = True

    outcome = await dispatch(["restart", "api"], environ)
    stop = await dispatch(["stop-workers", "ingest", "damage"], environ)

    assert (outcome.code, stop.code) == (1, 1)
    assert "Nothing was done: changes are approved in Slack" in outcome.text
    assert "Railway → dragonfly-api → Deployments → d-api → Restart" in outcome.text
    assert "https://railway.com/project/p/service/s-api" in outcome.text
    assert "Railway → dragonfly-worker-ingest → Deployments → d-ingest → Remove" in stop.text
    assert json.loads((await dispatch(["runs", "--json"], environ)).text) == []


async def test_a_change_without_the_database_reports_how_to_do_it_by_hand(environ: dict[str, str]) -> None:
    away = environ | {"SUPABASE_DB_URL": "postgresql://dragonfly_bot:x@127.0.0.1:1/d"}

    outcome = await dispatch(["restart", "api"], away)

    assert outcome.code == 1
    assert "Nothing was done: runs are stored in the database: server not reachable" in outcome.text
    assert "Railway → dragonfly-api → Deployments → d-api → Restart" in outcome.text


def leave(database_urls: DatabaseUrls, idle: timedelta) -> None:
    """Store that the last leader stopped so long ago."""
    with psycopg.connect(database_urls.bot, autocommit=True) as conn:
        conn.execute(
            "INSERT INTO chatops.leases (name, owner, epoch, until) VALUES ('leader', 'bot-1', 1, now() - %s)", (idle,)
        )


async def test_a_change_without_a_bot_reports_how_to_do_it_by_hand(
    environ: dict[str, str], database_urls: DatabaseUrls
) -> None:
    leave(database_urls, timedelta(minutes=12))

    outcome = await dispatch(["restart", "api"], environ)
    stop = await dispatch(["stop-workers", "ingest", "damage"], environ)

    assert (outcome.code, stop.code) == (1, 1)
    assert "last active 12 min" in outcome.text
    assert "Railway → dragonfly-api → Deployments → d-api → Restart" in outcome.text
    assert "Railway → dragonfly-worker-ingest → Deployments → d-ingest → Remove" in stop.text
    assert json.loads((await dispatch(["runs", "--json"], environ)).text) == []


async def test_a_change_while_a_replica_takes_over_waits_for_it(
    environ: dict[str, str], database_urls: DatabaseUrls
) -> None:
    leave(database_urls, timedelta(seconds=15))

    outcome = await dispatch(["restart", "api"], environ)

    assert outcome.code == 0
    [run] = json.loads((await dispatch(["runs", "--json"], environ)).text)
    assert run["state"] == "awaiting_approval"


async def test_health_and_what_is_stored_report_that_no_bot_runs(
    environ: dict[str, str], database_urls: DatabaseUrls
) -> None:
    leave(database_urls, timedelta(minutes=12))

    health = json.loads((await dispatch(["health", "--json"], environ)).text)
    opened = await dispatch(["incident", "open", "api is slow"], environ)
    read = await dispatch(["runs"], environ)

    assert [one["status"] for one in health["findings"] if one["check"] == "bot.self"] == ["fail"]
    assert opened.code == 0
    assert "pages wait" in opened.text
    assert "pages wait" not in read.text


async def test_a_refusal_calls_people_by_their_names(
    environ: dict[str, str], start_bot: StartBot, database_urls: DatabaseUrls, slack: Slack
) -> None:
    await start_bot(database_urls.bot, **PEOPLE)
    for number, what in enumerate(("api is slow", "ingest loses rows"), start=1):
        assert (await dispatch(["incident", "open", what], environ)).code == 0
        await acting_as(slack.workspace, model.ANN.id).type(model.INCIDENTS_ID, f"/dragonfly ack {number}")
        await slack.wait_for(lambda one, what=what: "ACKNOWLEDGED" in one.text and what in one.text)  # type: ignore[misc]

    refused = await dispatch(["resolve"], environ)

    assert refused.code == 2
    assert "ACKNOWLEDGED by @Ann Keller" in refused.text


async def test_the_policy_is_explained(environ: dict[str, str]) -> None:
    outcome = await dispatch(["policy", "explain", model.ANN.id, "rollback", "api"], environ)

    assert "may request" in outcome.text
    assert "may approve" in outcome.text
    assert "may not" not in outcome.text
    refused = await dispatch(["policy", "explain", model.OTTO.id, "rollback", "api"], environ)
    assert refused.text.count("may not") == 2
