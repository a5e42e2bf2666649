"""A whole bot among sources full of names, amounts and keys: an incident from the alert to its export leaks none."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from services.clients.postgres.pool import Connection
from services.sandbox.slack import model
from services.sandbox.slack.actor import acting_as
from services.sandbox.slack.model import Message
from tests.canaries import (
    LINES,
    PLANT,
    PLANTED_ROWS,
    TYPED,
    HostileOutside,
    everything_stored,
    found_in,
    values_to_plant,
)
from tests.conftest import DatabaseUrls
from tests.integration.bot.running.conftest import Slack, environment
from tests.integration.services.conftest import RunningProcess, Spawn
from tests.integration.services.conftest import spawn as spawn
from tests.outside import PATIENCE_S, Mailbox, Phone, open_mailbox, until

NAMED = "CANARYNAME *Ann* <!channel> Keller"  # her name in Slack: people choose it themselves
HANDLE = "canaryhandle"
ONCALL = f"""version = 1
[people.ann]
slack = "{model.ANN.id}"
webhook = "ann"
email = "ann"
[[levels]]
call = ["ann"]
by = ["mention", "direct", "webhook", "email"]
wait = "1h"
[[levels]]
call = ["{model.APPROVERS.id}"]
by = ["mention"]
wait = "1h"
accept_slack_only = true
"""
Start = Callable[[], Awaitable[RunningProcess]]

MAIL_PASSWORD = "CANARYMAILPASSWORD"


@pytest.fixture
def outside() -> HostileOutside:
    return HostileOutside()


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    async with open_mailbox(password=MAIL_PASSWORD) as mailbox:
        yield mailbox


@pytest.fixture
async def start(
    spawn: Spawn, slack: Slack, database_urls: DatabaseUrls, phone: Phone, mailbox: Mailbox, tmp_path: Path
) -> Start:
    """`python -m bot`, with a person on call by every channel, over a database that holds a canary in each column."""
    with psycopg.connect(database_urls.owner, autocommit=True) as conn:
        psycopg.ClientCursor(conn).execute(PLANT, values_to_plant())
        assert conn.execute(PLANTED_ROWS).fetchone() == (len(LINES) + 2, 2, 2)
    oncall = tmp_path / "oncall.toml"
    oncall.write_text(ONCALL)
    own = environment(
        slack,
        database_urls.bot,
        DRAGONFLY_ONCALL=str(oncall),
        DRAGONFLY_OPERATORS=model.OPERATORS.id,
        DRAGONFLY_APPROVERS=model.APPROVERS.id,
        DRAGONFLY_API_KEY="CANARYKEY",
        OPENAI_API_KEY="CANARYKEY",
        SUPABASE_SERVICE_ROLE_KEY="CANARYKEY",
        RAILWAY_TOKEN="CANARYTOKEN",
        PAGER_WEBHOOK_URL_ANN=phone.url.replace("secret-part", "CANARYHOOK"),
        PAGER_EMAIL_ANN="ann@example.com",
        SMTP_URL=mailbox.url.replace("//", f"//CANARYMAIL:{MAIL_PASSWORD}@"),
        SMTP_FROM="bot@example.com",
    )
    return lambda: spawn("bot", **own)


@pytest.fixture
async def bot(start: Start) -> RunningProcess:
    """A bot that runs from the beginning of the test."""
    return await start()


def key_of(message: Message) -> str:
    return str((message.metadata or {}).get("event_payload", {}).get("key"))


async def wait_for(slack: Slack, wanted: Callable[[Message], bool]) -> Message:
    return await slack.wait_for(wanted, timeout_s=PATIENCE_S, user=model.ANN)


@pytest.mark.timeout(240)
async def test_an_incident_reports_nothing_personal_or_secret(
    bot: RunningProcess, slack: Slack, phone: Phone, mailbox: Mailbox, as_owner: Connection
) -> None:
    ann, name = acting_as(slack.workspace, model.ANN.id), slack.workspace.bot.id
    root = await wait_for(slack, lambda message: key_of(message) == "incident:1")
    await wait_for(
        slack,
        lambda message: (
            key_of(message) == "incident:1:diagnosis" and "Still collecting data" not in str(message.blocks)
        ),
    )
    await phone.wait_for()
    await until(lambda: bool(mailbox.mails))

    note = ann.say(model.INCIDENTS_ID, f"look {TYPED}", thread_ts=root.ts)
    ann.react(model.INCIDENTS_ID, note.ts, "pushpin")
    await until_stored(as_owner, "chatops.incident_events WHERE kind = 'marked' AND text LIKE 'look%'")
    await ann.type(model.INCIDENTS_ID, f"/dragonfly silence heartbeats.ingest 1h {TYPED}")
    await until_stored(as_owner, "chatops.silences")
    await ann.type(model.INCIDENTS_ID, f"/dragonfly incident open sev1 api nothing works {TYPED}")
    await until_stored(as_owner, "chatops.incidents WHERE title LIKE '%nothing works%'")
    posted = ann.say(model.INCIDENTS_ID, f"amounts look wrong {TYPED}")
    assert await ann.shortcut("incident.escalate_this", model.INCIDENTS_ID, posted.ts) is None
    await until(lambda: slack.workspace.modal_for(model.ANN.id) is not None)
    modal = slack.workspace.modal_for(model.ANN.id)
    assert modal is not None
    answers = {"answer": {"answer": f"escalated {TYPED}"}, "preset": {"preset": "sev2"}}
    assert await ann.submit(modal.id, answers) == {}
    shown = slack.workspace.modal_for(model.ANN.id)  # the preview of what would be stored
    assert shown is not None
    assert "Sensitive data" in json.dumps(shown.content)
    assert await ann.submit(shown.id, answers) == {}
    await until_stored(as_owner, "chatops.incidents WHERE title LIKE 'escalated%'")
    await ann.type(model.INCIDENTS_ID, f"<@{name}> ack", thread_ts=root.ts)
    await until_stored(as_owner, "chatops.incidents WHERE id = 1 AND state = 'acknowledged'")
    await ann.type(model.INCIDENTS_ID, f"<@{name}> timeline", thread_ts=root.ts)
    await ann.type(model.INCIDENTS_ID, f"<@{name}> resolve found it {TYPED}", thread_ts=root.ts)
    await until_stored(as_owner, "chatops.incidents WHERE id = 1 AND state = 'resolved'")
    await ann.type(model.INCIDENTS_ID, f"<@{name}> export", thread_ts=root.ts)
    exported = await wait_for(slack, lambda message: bool(message.files) and message.thread_ts == root.ts)
    files = [file for one in exported.files if (file := slack.workspace.files.find(one))]

    calls = [json.dumps(call.payload, ensure_ascii=False) for call in slack.workspace.calls]
    stored = await everything_stored(as_owner)
    assert found_in("Slack", calls) == []
    assert found_in("export", [file.content.decode() for file in files]) == []
    assert found_in("pager", [json.dumps([ring.headers, ring.body]) for ring in phone.rings]) == []
    assert found_in("mail", [str(mail) for mail in mailbox.mails]) == []
    assert found_in("database", stored) == []
    assert found_in("log", bot.lines) == []
    assert files
    assert any("look for …" in text for text in stored), "their own words stay"


@pytest.mark.timeout(240)
async def test_names_chosen_in_slack_stay_there_and_are_escaped(
    slack: Slack, start: Start, phone: Phone, mailbox: Mailbox
) -> None:
    """They are shown in Slack, where everyone sees them anyway; pagers, e-mails and log lines are read elsewhere."""
    slack.workspace.users[model.ANN.id] = replace(model.ANN, real_name=NAMED, name="canaryname")
    slack.workspace.groups[model.APPROVERS.id] = replace(model.APPROVERS, handle=HANDLE)
    bot = await start()
    ann = acting_as(slack.workspace, model.ANN.id)
    root = await wait_for(slack, lambda message: key_of(message) == "incident:1")
    await phone.wait_for()
    await until(lambda: bool(mailbox.mails))
    await ann.type(model.INCIDENTS_ID, "/dragonfly oncall")
    await ann.type(model.INCIDENTS_ID, f"<@{slack.workspace.bot.id}> escalate", thread_ts=root.ts)
    await wait_for(slack, lambda message: HANDLE in message.text and message.visible_to == model.ANN.id)  # it is done
    await ann.type(model.INCIDENTS_ID, f"<@{slack.workspace.bot.id}> ack", thread_ts=root.ts)
    await wait_for(slack, lambda message: "ACKNOWLEDGED" in json.dumps(message.blocks))

    calls = json.dumps([call.payload for call in slack.workspace.calls], ensure_ascii=False)
    elsewhere = [json.dumps([ring.headers, ring.body]) for ring in phone.rings]
    elsewhere += [*map(str, mailbox.mails), *bot.lines]
    assert [text for text in elsewhere if "canaryname" in text.lower() or HANDLE in text] == []
    assert "<!channel>" not in calls
    assert "*Ann*" not in calls


async def until_stored(conn: Connection, rows: str) -> None:
    """Wait until such rows exist. Messages wait in the outbox, 1 s each, so they are checked there."""
    async with asyncio.timeout(PATIENCE_S):
        while await (await conn.execute(f"SELECT 1 FROM {rows} LIMIT 1".encode())).fetchone() is None:  # noqa: S608
            await asyncio.sleep(0.05)
