"""Nights on call, from the first page to the postmortem, in the words of the runbook."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from bot.config.timing import OutageSettings
from services.clients.postgres import alerts, notifications
from services.clients.postgres.pool import Connection
from services.domain.channels import Channel as Way
from services.domain.notifications import NotificationState
from services.domain.systems import RUNBOOK
from services.sandbox.slack import model
from services.sandbox.slack.actor import acting_as
from tests.conftest import DatabaseUrls
from tests.integration.bot.conftest import Outside
from tests.integration.bot.running.conftest import QUICK_BEATS, Slack, StartBot
from tests.integration.bot.running.crew import Crew
from tests.outside import Mailbox, Phone, until
from tests.scenarios.conftest import PEOPLE, STORY_S, Channel
from tests.wire import Line

SEEN_S = 0.5  # so that the bot has read a worker's heartbeat before it stops
QUICK_OUTAGE = OutageSettings(
    announce_after_s=0.5, others_after_s=3.0, spread_s=1.0, check_every_s=0.05, look_back_s=60.0, find_every_s=0.2
)
ANN_ON_CALL = f"""version = 1
time_zone = "UTC"
[people.ann]
slack = "{model.ANN.id}"
webhook = "ann"
email = "ann"
[people.ben]
slack = "{model.BEN.id}"
[rotations.primary]
people = ["ann"]
every = "week"
starts = 2025-01-06
handover = "09:00"
[[levels]]
call = ["primary"]
by = ["mention", "direct", "webhook", "email"]
wait = "5m"
"""


async def test_a_worker_falls_silent_at_3_am_and_the_next_one_ends_it(
    start_bot: StartBot, database_urls: DatabaseUrls, channel: Channel, crew: Crew
) -> None:
    worker = crew.hire("ingest-1")
    await start_bot(database_urls.bot, **PEOPLE, **QUICK_BEATS)
    await asyncio.sleep(SEEN_S)

    worker.kill()
    root = await channel.expect("🔴", "ingest is down (0 of 1)")
    await channel.press(root, "Acknowledge", by=model.ANN)
    await channel.expect(f"*ACKNOWLEDGED* by <@{model.ANN.id}>", at=root)
    crew.hire("ingest-2")
    await channel.expect("CLEARED", at=root)
    await channel.type("resolve the pool was full", by=model.ANN, thread=root)
    await channel.expect("RESOLVED", at=root)


async def test_an_incident_goes_from_a_message_to_its_postmortem(
    start_bot: StartBot, database_urls: DatabaseUrls, slack: Slack, channel: Channel
) -> None:
    await start_bot(database_urls.bot, **PEOPLE)
    olivia, ann = (acting_as(slack.workspace, user.id) for user in (model.OLIVIA, model.ANN))
    posted = olivia.say(model.INCIDENTS_ID, "*ingest* rows are missing <!channel>")

    assert await olivia.shortcut("incident.escalate_this", model.INCIDENTS_ID, posted.ts) is None
    await until(lambda: slack.workspace.modal_for(model.OLIVIA.id) is not None)
    assert "'initial_value': 'ingest rows are missing <!channel>'" in str(slack.workspace.modal_for(model.OLIVIA.id))
    await channel.fill_in("Rows are missing", preset="sev1")
    root = await channel.expect("🔴 Rows are missing")
    await channel.expect("📟", thread=root)
    await channel.type("ack", by=model.ANN, thread=root)
    await channel.expect(f"*ACKNOWLEDGED* by <@{model.ANN.id}>", at=root)
    note = ann.say(model.INCIDENTS_ID, "it was the last import", thread_ts=root.ts)
    ann.react(model.INCIDENTS_ID, note.ts, "pushpin")
    async with asyncio.timeout(STORY_S):  # the pin is read when Slack sends its event
        while not any("it was the last import" in str(message.blocks) for message in slack.seen(model.ANN.id)):
            await channel.type("timeline", by=model.ANN, thread=root)
            await asyncio.sleep(SEEN_S)
    await channel.press(await channel.expect("Resolve…", at=root), "Resolve…", by=model.ANN)
    await channel.fill_in("a bad import, taken back", by=model.ANN)
    await channel.expect("✅ *RESOLVED*", at=root)
    await channel.type("export", by=model.ANN, thread=root)
    await slack.wait_for(lambda message: bool(message.files) and message.thread_ts == root.ts)


async def test_a_drill_notifies_every_channel_and_is_acknowledged(
    start_bot: StartBot,
    database_urls: DatabaseUrls,
    channel: Channel,
    phone: Phone,
    mailbox: Mailbox,
    outside: Outside,
    as_bot: Connection,
    tmp_path: Path,
) -> None:
    outside.replicas, outside.health = (
        dict.fromkeys(RUNBOOK.services, 0),
        {"environment": "dev"},
    )  # the API reports nothing else
    await start_bot(database_urls.bot, **PEOPLE, **on_call(tmp_path, phone, mailbox))
    await channel.type("drill start")

    root = await channel.expect("🔴 DRILL 1: a simulated worker")
    [ring] = await phone.wait_for()
    await until(lambda: len(mailbox.mails) == 1, timeout_s=STORY_S)
    async with asyncio.timeout(STORY_S):
        while await (await as_bot.execute(CALLED)).fetchone() != (2,):
            await asyncio.sleep(0.1)
    await channel.press(root, "Acknowledge", by=model.ANN)
    await channel.expect("DRILL 1 is over: acknowledged")

    drill = await alerts.read_last_drill(as_bot)
    assert drill is not None
    assert drill.report is not None
    assert (drill.report["outcome"], drill.report["answered_by"]) == ("answered", model.ANN.id)
    assert drill.report["not_reached"] == []
    assert {call["by"] for call in drill.report["calls"]} == {"mention", "direct message", "pager", "e-mail"}
    assert ring.body is not None
    assert "DRILL" in ring.body["subject"]
    assert "DRILL" in mailbox.mails[0]["Subject"]
    await until(lambda: [ring.body["event"] for ring in phone.rings if ring.body][-1] == "resolved", timeout_s=STORY_S)


CALLED = "SELECT count(*) FROM chatops.outbox WHERE key LIKE 'incident:%:page:%' AND ts IS NOT NULL"


def on_call(folder: Path, phone: Phone, mailbox: Mailbox) -> dict[str, str]:
    """Settings that put Ann on call, with every channel."""
    file = folder / "oncall.toml"
    file.write_text(ANN_ON_CALL)
    mail = {"PAGER_EMAIL_ANN": "ann@example.com", "SMTP_URL": mailbox.url, "SMTP_FROM": "bot@example.com"}
    return {"DRAGONFLY_ONCALL": str(file), "PAGER_WEBHOOK_URL_ANN": phone.url, **mail}


async def test_the_night_is_handed_over_and_ben_is_paged(
    start_bot: StartBot,
    database_urls: DatabaseUrls,
    channel: Channel,
    phone: Phone,
    mailbox: Mailbox,
    tmp_path: Path,
) -> None:
    await start_bot(database_urls.bot, **PEOPLE, **on_call(tmp_path, phone, mailbox))

    await channel.type(f"oncall override <@{model.BEN.id}> 2h primary --slack-only", by=model.ANN)
    await channel.expect(f"<@{model.BEN.id}>", "primary", by=model.ANN)
    await channel.type("incident open sev1 payments stand still", by=model.ANN)
    root = await channel.expect("🔴 payments stand still")

    page = await channel.expect("📟", thread=root)
    assert f"<@{model.BEN.id}>" in page.text
    assert f"<@{model.ANN.id}>" not in page.text
    assert phone.rings == []


async def test_maintenance_is_silenced_in_advance_and_why_reports_so(
    start_bot: StartBot, database_urls: DatabaseUrls, slack: Slack, channel: Channel, crew: Crew, as_bot: Connection
) -> None:
    await start_bot(database_urls.bot, **PEOPLE, **QUICK_BEATS)
    worker = crew.hire("ingest-1")
    await channel.type("silence ingest 1h the import runs")
    await channel.expect("silenced `ingest` until")

    worker.kill()

    held = "SELECT count(*) FROM chatops.alert_decisions WHERE fingerprint = 'heartbeats.ingest'"
    async with asyncio.timeout(STORY_S):
        while await (await as_bot.execute(held)).fetchone() == (0,):
            await asyncio.sleep(0.05)
    await asyncio.sleep(1)  # time in which a message could still come
    assert not [message for message in slack.seen() if message.text.startswith("🔴")]
    await channel.type("why heartbeats.ingest")
    await channel.expect("silence 1: the import runs", f"silenced by <@{model.OLIVIA.id}>")


async def test_the_database_is_away_and_its_one_message_reports_when_it_is_back(
    start_bot: StartBot, database_urls: DatabaseUrls, channel: Channel, phone: Phone, outside: Outside, as_bot: Any
) -> None:
    outside.health, outside.api_status = {"status": "degraded", "db_connected": False}, 503
    async with Line(database_urls.bot).serve() as line:
        bot = await start_bot(line.dsn, outage=QUICK_OUTAGE, PAGER_WEBHOOK_URL=phone.url)
        wiring = bot.wiring
        assert wiring is not None
        await until(lambda: wiring.leader.is_leading)

        line.cut()
        root = await channel.expect("does not answer since", "can't reach it")
        await phone.wait_for()
        line.mend()
        await channel.expect("🟢 Back dev", "pager ✓", at=root)
        await channel.expect("is back after", thread=root)

        cur = await as_bot.execute("SELECT key FROM chatops.outbox WHERE key LIKE 'outage:%' AND thread_key IS NULL")
        [(key,)] = await cur.fetchall()
        [stored] = await notifications.list_notifications(as_bot, thread_key=key)
        assert (stored.means, stored.target, stored.state) == (
            Way.WEBHOOK,
            "default",
            NotificationState.SENT,
        )


async def test_a_follow_up_goes_from_a_message_in_the_thread_to_the_postmortem(
    start_bot: StartBot, database_urls: DatabaseUrls, slack: Slack, channel: Channel
) -> None:
    await start_bot(database_urls.bot, **PEOPLE)
    await channel.type("incident open uploads fail")
    root = await channel.expect("🔴 uploads fail")
    ann, otto = (acting_as(slack.workspace, user.id) for user in (model.ANN, model.OTTO))
    posted = ann.say(model.INCIDENTS_ID, "raise the *limit* of the API's memory", thread_ts=root.ts)

    assert await otto.shortcut("incident.add_todo", model.INCIDENTS_ID, posted.ts) is None
    await channel.expect("did not change", by=model.OTTO)
    assert slack.workspace.modal_for(model.OTTO.id) is None
    assert await ann.shortcut("incident.add_todo", model.INCIDENTS_ID, posted.ts) is None
    await channel.expect_dialog("Follow-up: incident 1", "raise the limit of the API's memory", by=model.ANN)
    await channel.fill_in("raise the limit", by=model.ANN, owner=model.BEN.id, due="2200-01-05")
    line = await channel.expect(f"☐ <@{model.BEN.id}>: raise the limit", "follow-up 1", thread=root)
    await channel.type("resolve out of memory", by=model.ANN, thread=root)
    await channel.expect("RESOLVED", at=root)

    await channel.type("incident open sev3 the report is late")
    await channel.expect("the report is late", "SEV3")
    lobby = ann.say(model.INCIDENTS_ID, f"and <@{model.BEN.id}> tells the customers")
    assert await ann.shortcut("incident.add_todo", model.INCIDENTS_ID, lobby.ts) is None
    wanted = ("Which incident?", "2: the report is late", "1: uploads fail", "and @Ben Osei tells the customers")
    await channel.expect_dialog(*wanted, by=model.ANN)
    await channel.fill_in("tell the customers", by=model.ANN, preset="1")
    await channel.expect("☐ tell the customers", "follow-up 2", thread=root)
    await channel.press(line, "Done", by=model.BEN)
    await channel.expect("✅", f"done by <@{model.BEN.id}>", at=line)
    await channel.type("export", by=model.ANN, thread=root)
    file = await slack.wait_for(lambda message: bool(message.files) and message.thread_ts == root.ts)
    found = slack.workspace.files.find(file.files[0])
    assert found is not None
    assert b"- [x] raise the limit, Ben Osei, until 2200-01-0" in found.content
