"""The database is down: one message in Slack and one page to each phone, even if a bot dies; both are stored later."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from bot.app import Bot
from bot.config.timing import OutageSettings
from bot.outage.pages import ACKNOWLEDGED
from bot.views.outage import ACKNOWLEDGE
from services.clients.postgres import alerts, incidents, timeline
from services.clients.slack import SlackClient
from services.domain.incidents import IncidentSeverity, NewIncident
from services.domain.oncall import Schedule
from services.domain.secrets import Secret
from services.sandbox.slack import model
from services.sandbox.slack.actor import acting_as
from services.sandbox.slack.faults import FaultKind
from services.sandbox.slack.model import Message
from tests.conftest import DatabaseUrls
from tests.integration.bot.conftest import Outside
from tests.integration.bot.running.conftest import Slack, StartBot
from tests.outside import PATIENCE_S, Phone, open_phone, until
from tests.wire import Line

QUICK = OutageSettings(
    announce_after_s=0.5, others_after_s=3.0, spread_s=1.0, check_every_s=0.05, look_back_s=60.0, find_every_s=0.2
)


@pytest.fixture
async def line(database_urls: DatabaseUrls) -> AsyncIterator[Line]:
    async with Line(database_urls.bot).serve() as line:
        yield line


@pytest.fixture
async def start(start_bot: StartBot, line: Line, phone: Phone) -> Any:
    async def start(outage: OutageSettings = QUICK, **more: str) -> Bot:
        return await start_bot(line.dsn, outage=outage, PAGER_WEBHOOK_URL=phone.url, **more)

    return start


@pytest.fixture(autouse=True)
def api_without_a_database(outside: Outside) -> None:
    outside.health = {"status": "degraded", "db_connected": False}
    outside.api_status = 503


def is_about_it(message: Message) -> bool:
    return "the database" in message.text and message.thread_ts is None


def reported(slack: Slack) -> list[str]:
    return [message.text for message in slack.seen() if is_about_it(message)]


def is_back(slack: Slack) -> bool:
    """True if the only message about an outage says that the database is back."""
    return [text.startswith("🟢 Back dev") for text in reported(slack)] == [True]


async def lead(bot: Bot) -> None:
    wiring = bot.wiring
    assert wiring is not None
    await until(lambda: wiring.leader.is_leading)


async def test_last_leader_reports_in_slack_and_by_phone(
    start: StartBot, slack: Slack, line: Line, phone: Phone
) -> None:
    await lead(await start())
    line.cut()

    message = await slack.wait_for(is_about_it, timeout_s=PATIENCE_S)
    [ring] = await phone.wait_for()

    assert message.text.startswith("🔴 PAGE dev · ")
    assert "database does not" in message.text
    assert "the API can't reach it either" in message.text
    assert ring.body is not None
    assert ring.body["subject"].startswith("PAGE dev · ")
    assert "database does not" in ring.body["subject"]


async def test_a_ringing_pager_is_resolved_when_the_database_is_back(
    start: StartBot, slack: Slack, line: Line, phone: Phone
) -> None:
    await lead(await start())
    line.cut()
    await slack.wait_for(is_about_it, timeout_s=PATIENCE_S)
    [ring] = await phone.wait_for()
    line.mend()

    _, over = await phone.wait_for(2)

    assert ring.body is not None
    assert over.body is not None
    assert (ring.body["event"], over.body["event"]) == ("triggered", "resolved")
    assert over.body["key"] == ring.body["key"]
    assert "reaches the database" in over.body["text"]


async def test_outage_is_in_why_and_in_open_incidents_once_the_database_is_back(
    start: StartBot, slack: Slack, line: Line, phone: Phone, as_bot: Any
) -> None:
    await lead(await start())
    incident = NewIncident("dev", IncidentSeverity.SEV3, "somebody looks at it", (), None, {}, None)
    number = await incidents.create_incident(as_bot, incident)
    line.cut()
    await slack.wait_for(is_about_it, timeout_s=PATIENCE_S)
    await phone.wait_for()
    line.mend()
    await until(lambda: is_back(slack))

    recorded = (await alerts.list_alert_decisions(as_bot, "database", limit=10))[::-1]
    decisions = [one for one in recorded if one.decision != "pending"]  # of a slow read, before the connection was cut
    assert [one.decision for one in decisions] == ["called", "told", "resolved"]
    assert [one.at for one in decisions] == sorted(one.at for one in decisions)
    assert decisions[0].reason == "default by webhook, while the database was down"
    assert "the last leader announced it in Slack" in decisions[1].reason
    events = await timeline.list_events(as_bot, number, limit=10)
    assert [one.text for one in events if one.kind == "outage"] == [one.reason for one in decisions[1:]]


async def test_outage_pages_the_person_on_call_first(start: StartBot, line: Line, phone: Phone, tmp_path: Path) -> None:
    path = tmp_path / "oncall.toml"
    path.write_text(
        f'version = 1\n[people.ann]\nslack = "{model.ANN.id}"\nwebhook = "ann"\n'
        '[[levels]]\ncall = ["ann"]\nby = ["webhook"]\nwait = "5m"\n'
    )
    async with open_phone() as of_ann:
        await lead(await start(DRAGONFLY_ONCALL=str(path), PAGER_WEBHOOK_URL_ANN=of_ann.url))
        line.cut()

        await of_ann.wait_for()

    assert phone.rings == []


TWO_LEVELS = (
    f'version = 1\n[people.ann]\nslack = "{model.ANN.id}"\nwebhook = "ann"\n'
    f'[people.ben]\nslack = "{model.BEN.id}"\nwebhook = "ben"\n'
    '[[levels]]\ncall = ["ann"]\n[[levels]]\ncall = ["ben"]\n'
)


@asynccontextmanager
async def two_levels(start: StartBot, tmp_path: Path, *, wait: timedelta) -> AsyncIterator[tuple[Bot, Phone, Phone]]:
    """A leader whose on-call file pages Ann, then Ben, each after `wait`, shorter than a file may say; and their
    phones."""
    path = tmp_path / "oncall.toml"
    path.write_text(TWO_LEVELS)
    async with open_phone() as of_ann, open_phone() as of_ben:
        urls = {"PAGER_WEBHOOK_URL_ANN": of_ann.url, "PAGER_WEBHOOK_URL_BEN": of_ben.url}
        bot = await start(DRAGONFLY_ONCALL=str(path), **urls)
        schedule = bot.world.schedule
        assert isinstance(schedule, Schedule)
        bot.world.schedule = replace(schedule, levels=tuple(replace(one, wait=wait) for one in schedule.levels))
        await lead(bot)
        yield bot, of_ann, of_ben


def triggered(phone: Phone) -> list[Any]:
    return [ring.body["key"] for ring in phone.rings if ring.body and ring.body["event"] == "triggered"]


async def test_the_next_level_is_paged_without_the_database_and_the_first_one_again(
    start: StartBot, slack: Slack, line: Line, tmp_path: Path
) -> None:
    async with two_levels(start, tmp_path, wait=timedelta(seconds=2)) as (_, of_ann, of_ben):
        line.cut()
        root = await slack.wait_for(is_about_it, timeout_s=PATIENCE_S)

        await until(lambda: len(triggered(of_ann)) >= 2 and len(triggered(of_ben)) >= 1)

    assert f"<@{model.ANN.id}> paged first" in str(root.blocks)
    assert len(set(triggered(of_ann))) == len(triggered(of_ann))  # each page has its own key, so it rings
    notes = [one for one in slack.seen() if one.thread_ts == root.ts and "is paged" in one.text]
    assert notes[0].text.startswith(f"📟 <@{model.BEN.id}> *Level 2* (ben) ")


async def test_the_next_level_is_paged_without_slack_and_without_the_database(
    start: StartBot, slack: Slack, line: Line, tmp_path: Path
) -> None:
    async with two_levels(start, tmp_path, wait=timedelta(seconds=2)) as (_, of_ann, of_ben):
        slack.workspace.faults.is_down = True
        line.cut()

        await until(lambda: len(triggered(of_ann)) >= 2 and len(triggered(of_ben)) >= 1)
        slack.workspace.faults.is_down = False
        await slack.wait_for(is_about_it, timeout_s=PATIENCE_S)

    assert len(set(triggered(of_ann))) == len(triggered(of_ann))
    assert len(set(triggered(of_ben))) == len(triggered(of_ben))


async def test_acknowledge_works_without_the_database_and_ends_the_pages(
    start: StartBot, slack: Slack, line: Line, tmp_path: Path
) -> None:
    async with two_levels(start, tmp_path, wait=timedelta(hours=1)) as (_, of_ann, of_ben):
        line.cut()
        root = await slack.wait_for(is_about_it, timeout_s=PATIENCE_S)
        await of_ann.wait_for()
        labels = [one["text"]["text"] for block in root.blocks for one in block.get("elements", []) if "url" in one]
        assert labels == ["Supabase status", "Railway"]

        otto = acting_as(slack.workspace, model.OTTO.id)
        await otto.click(root.channel, root.ts, ACKNOWLEDGE)
        await until(lambda: any("not on call" in one.text for one in slack.seen(model.OTTO.id)))
        await acting_as(slack.workspace, model.BEN.id).click(root.channel, root.ts, ACKNOWLEDGE)

        await until(lambda: any(f"acknowledged by <@{model.BEN.id}>" in text for text in reported(slack)))
        _, over = await of_ann.wait_for(2)

    assert over.body is not None
    assert over.body["event"] == "acknowledged"
    assert not any(one.get("action_id") == ACKNOWLEDGE for block in root.blocks for one in block.get("elements", []))
    assert of_ben.rings == []


@pytest.mark.parametrize("how", ["slash", "mention", "mention in its thread"])
async def test_incident_ack_typed_acknowledges_the_outage_without_the_database(
    start: StartBot, slack: Slack, line: Line, tmp_path: Path, how: str
) -> None:
    async with two_levels(start, tmp_path, wait=timedelta(hours=1)) as (_, of_ann, of_ben):
        line.cut()
        root = await slack.wait_for(is_about_it, timeout_s=PATIENCE_S)
        await of_ann.wait_for()

        await type_ack(slack, root, model.OTTO.id, how)
        await until(lambda: any("not on call" in one.text for one in slack.seen(model.OTTO.id)))
        await type_ack(slack, root, model.BEN.id, how)

        await until(lambda: any(f"acknowledged by <@{model.BEN.id}>" in text for text in reported(slack)))
        _, over = await of_ann.wait_for(2)
        await until(lambda: any("No one else" in one.text for one in slack.seen(model.BEN.id)))

    assert over.body is not None
    assert over.body["event"] == "acknowledged"
    assert of_ben.rings == []


async def type_ack(slack: Slack, root: Message, user: str, how: str) -> None:
    actor = acting_as(slack.workspace, user)
    if how == "slash":
        await actor.type(model.INCIDENTS_ID, "/dragonfly incident ack")
    else:
        actor.say(model.INCIDENTS_ID, "@dragonfly incident ack", thread_ts=root.ts if "thread" in how else None)


async def test_acknowledgement_at_one_replica_ends_the_pages_of_another(
    start: StartBot, slack: Slack, line: Line, tmp_path: Path
) -> None:
    async with two_levels(start, tmp_path, wait=timedelta(hours=1)) as (bot, of_ann, of_ben):
        assert bot.wiring is not None
        line.cut()
        root = await slack.wait_for(is_about_it, timeout_s=PATIENCE_S)
        await of_ann.wait_for()
        client = SlackClient(Secret("xoxb-local"), api_url=f"{slack.url}/slack/api/")
        await client.post(root.channel, "🟡 somebody has it", [], thread_ts=root.ts, key=ACKNOWLEDGED)
        await client.aclose()

        _, over = await of_ann.wait_for(2)

    assert over.body is not None
    assert over.body["event"] == "acknowledged"
    assert of_ben.rings == []


async def test_short_absence_is_not_reported(start: StartBot, slack: Slack, line: Line) -> None:
    bot = await start(replace(QUICK, announce_after_s=600.0))
    await lead(bot)
    line.cut()
    wiring = bot.wiring
    assert wiring is not None
    await until(lambda: wiring.leader.database_problem is not None)
    line.mend()
    await until(lambda: wiring.leader.is_leading)

    assert reported(slack) == []


async def test_replicas_and_restarts_report_it_once(start: StartBot, slack: Slack, line: Line, phone: Phone) -> None:
    first = await start()
    await lead(first)
    line.cut()
    await slack.wait_for(is_about_it, timeout_s=PATIENCE_S)
    second = await start()
    await first.stop()
    third = await start()

    for bot in (second, third):
        outage = bot.wiring.outage if bot.wiring else None
        assert outage is not None
        await until(lambda outage=outage: outage._announced is not None)  # type: ignore[misc]

    assert len(reported(slack)) == 1
    assert len({ring.headers["Idempotency-Key"] for ring in phone.rings}) == 1


async def test_successor_ends_the_message_of_one_that_died(start: StartBot, slack: Slack, line: Line) -> None:
    first = await start()
    await lead(first)
    line.cut()
    await slack.wait_for(is_about_it, timeout_s=PATIENCE_S)
    await first.stop()
    line.mend()
    await start()

    await until(lambda: is_back(slack))


async def test_next_outage_is_a_message_of_its_own(start: StartBot, slack: Slack, line: Line) -> None:
    await lead(await start())
    for count in (1, 2):
        line.cut()
        await until(lambda count=count: len(reported(slack)) == count)  # type: ignore[misc]
        line.mend()
        await until(lambda: all(text.startswith("🟢 Back") for text in reported(slack)))

    assert len(reported(slack)) == 2


async def test_a_bot_that_alone_lost_the_database_notifies_no_pager(
    start: StartBot, slack: Slack, line: Line, phone: Phone, outside: Outside
) -> None:
    outside.health, outside.api_status = {}, 200
    await lead(await start())
    line.cut()

    message = await slack.wait_for(is_about_it, timeout_s=PATIENCE_S)

    assert message.text.startswith("🟠 Blind dev")
    assert "API reaches it" in message.text
    assert phone.rings == []


async def test_phone_does_not_wait_for_slack(start: StartBot, slack: Slack, line: Line, phone: Phone) -> None:
    await lead(await start())
    slack.workspace.faults.is_down = True
    line.cut()

    await phone.wait_for()
    slack.workspace.faults.is_down = False
    await slack.wait_for(is_about_it, timeout_s=PATIENCE_S)

    assert len(phone.rings) == 1


async def test_post_whose_answer_was_lost_is_found_again(start: StartBot, slack: Slack, line: Line) -> None:
    bot = await start()
    await lead(bot)
    slack.workspace.faults.plant("chat.postMessage", FaultKind.LOST_ANSWER)
    line.cut()

    outage = bot.wiring.outage if bot.wiring else None
    assert outage is not None
    await until(lambda: outage._announced is not None)

    assert len(reported(slack)) == 1


async def test_a_database_that_takes_no_writes_is_reported_without_it_and_healthz_reports_so(
    start: StartBot, slack: Slack, phone: Phone, outside: Outside, database_urls: DatabaseUrls
) -> None:
    """As a hosting platform sets it when the disk is nearly full: everything can be read, nothing stored."""
    outside.health = {"status": "degraded", "db_connected": True, "db_writable": False}
    bot = await start()
    assert bot.web is not None
    await lead(bot)
    with psycopg.connect(database_urls.superuser, autocommit=True) as conn:
        _set_read_only(conn, "on")
        line = (await slack.wait_for(is_about_it, timeout_s=PATIENCE_S)).text  # read now: it is edited later
        [ring] = await phone.wait_for()
        health = await asyncio.to_thread(httpx.get, f"http://127.0.0.1:{bot.web.port}/healthz", trust_env=False)
        _set_read_only(conn, "off")

    await until(lambda: is_back(slack) and "accepts writes" in reported(slack)[0])
    assert line.startswith("🔴 PAGE dev · ")
    assert [words for words in ("accepts no writes", "read-only", "API can't write") if words not in line] == []
    assert ring.body is not None
    assert ring.body["subject"].startswith("PAGE dev · ")
    assert "accepts no writes" in ring.body["subject"]
    assert (health.status_code, health.json()["database"]) == (503, {"ok": False, "why": "the database is read-only"})


def _set_read_only(conn: psycopg.Connection, value: str) -> None:
    name = psycopg.sql.Identifier(conn.info.dbname)
    setting = psycopg.sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = {}")
    conn.execute(setting.format(name, psycopg.sql.Identifier(value)))
    conn.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND usename = 'dragonfly_bot'"
    )
