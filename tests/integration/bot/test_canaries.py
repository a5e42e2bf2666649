"""Names, amounts and keys planted in every source that the bot reads: in no answer to Slack and in no line of its log.
One word per source, so that a leak names its origin."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import httpx
import psycopg
import pytest

from bot.alerts.evaluator import Evaluator
from bot.alerts.messages import AlertMessages, AlertMessageWriter
from bot.changes import Change
from bot.commands.dispatch import run
from bot.commands.registry import REGISTRY
from bot.config.alerts_file import default_rules
from bot.config.environment import Settings
from bot.leader import Fence
from bot.types import Actor, Answer, Request, Surface
from bot.views.terminal import answer_text
from bot.wake_ups import WakeUps
from bot.web.metrics import Metrics
from bot.world import World
from services.clients.dragonfly_api.client import DragonflyApi
from services.clients.postgres.leases import LEADER, take_lease
from services.clients.postgres.pool import Database
from services.clients.railway.client import RailwayClient
from services.clients.railway.transport import TokenKind
from services.domain import secrets
from services.domain.errors import OperatorError, SourceError
from services.domain.secrets import Secret, without_own_secrets
from services.domain.services import Service
from services.domain.systems import RUNBOOK
from tests.canaries import LINES, PLANT, PLANTED_ROWS, SHA, HostileOutside, Lines, leaks, person, values_to_plant
from tests.canaries import log as log
from tests.conftest import DatabaseUrls

ASKED = Request(surface=Surface.SLASH, actor=Actor("U0OLIVIA001", "T0DRAGONFLY"), channel_id="C0INCIDENTS")


@pytest.fixture
def outside() -> HostileOutside:
    return HostileOutside()


@pytest.fixture
async def world(outside: HostileOutside, database_urls: DatabaseUrls) -> AsyncIterator[World]:
    """A world over a database with a canary in each column that may hold anything, as `dragonfly_bot`."""
    with psycopg.connect(database_urls.owner, autocommit=True) as conn:
        psycopg.ClientCursor(conn).execute(PLANT, values_to_plant())
    environ = {
        "ENVIRONMENT": "prod",
        "SUPABASE_MODE": "prod",
        "SLACK_BOT_TOKEN": "xoxb-CANARYSLACK",
        "SLACK_APP_TOKEN": "xapp-CANARYSLACK",
        "SUPABASE_DB_URL": "postgresql://bot:CANARYPASSWORD@db.example:5432/postgres",
        "DRAGONFLY_ADMIN_DB_URL": "postgresql://owner:CANARYPASSWORD@db.example:5432/postgres",
        "RAILWAY_TOKEN": "CANARYTOKEN",
        "RAILWAY_PROJECT_ID": "p",
        "RAILWAY_ENVIRONMENT_ID": "e",
        "DRAGONFLY_API_BASE": "http://api.test",
        "DRAGONFLY_API_KEY": "CANARYKEY",
        "OPENAI_API_KEY": "CANARYKEY",
        "RAILWAY_WEBHOOK_SECRET": "CANARY-" + "x" * 30,
    }
    world = World(
        replace(Settings.from_environment(environ), source_timeout_s=5.0),
        database=Database.connect_lazily(Secret(database_urls.bot), application_name="test", timeout_s=60.0),
        railway=RailwayClient(
            url="http://railway.test/graphql",
            token=Secret("CANARYTOKEN"),
            token_kind=TokenKind.PROJECT,
            project_id="p",
            environment_id="e",
            transport=httpx.MockTransport(outside.answer_railway),
        ),
        api=DragonflyApi(
            "http://api.test",
            Secret("CANARYKEY"),
            transport=httpx.MockTransport(outside.answer_api),
            system=RUNBOOK.name,
        ),
        git_sha=SHA,
    )
    yield world
    await world.close()


def lines_to_type() -> list[str]:
    """Return each command's own examples, with `--dry-run` for those that change something."""
    found = []
    for verb in REGISTRY.values():
        dry = " --dry-run" if isinstance(verb, Change) else ""
        found += [example + ("" if "--dry-run" in example else dry) for example in verb.examples]
    return [*found, "requeue orphans --dry-run", "golden-path --clean --dry-run", "failed-jobs 1h", "logs api --failed"]


async def ask(line: str, world: World) -> Answer | str:
    """Return the answer, or the error that people see instead."""
    try:
        return await run(line, ASKED, world)
    except (OperatorError, SourceError) as error:
        return str(error)


def shown(answer: Answer | str) -> str:
    """Return what Slack gets and what the terminal prints, as text and with --json."""
    if isinstance(answer, str):
        return answer
    return "\n".join(
        [answer.text, json.dumps(list(answer.blocks)), answer_text(answer), json.dumps(answer.data, default=str)]
    )


async def everything_posted(world: World) -> tuple[dict[str, list[str]], int]:
    """Return `{line: canaries in its answer}` for the answers that leak, and the number of answers."""
    found, answered = {}, 0
    for line in lines_to_type():
        answer = await ask(line, world)
        answered += isinstance(answer, Answer)
        if leaked := leaks(shown(answer)):
            found[line] = leaked
    return found, answered


async def test_the_canaries_are_there(world: World, database_urls: DatabaseUrls) -> None:
    """Otherwise nothing below would prove anything."""
    with psycopg.connect(database_urls.owner) as conn:
        assert conn.execute(PLANTED_ROWS).fetchone() == (len(LINES) + 2, 2, 2)
    raw = await run("logs ingest --raw", Request(), world)
    assert leaks(answer_text(raw)) == ["canary", "quillfeather", "48,613.77", "zeb@"]


async def test_no_command_shows_what_is_personal_or_secret(world: World, log: Lines) -> None:
    found, answered = await everything_posted(world)

    assert found == {}
    assert answered >= 40
    assert leaks("\n".join(log.seen)) == []


async def test_nor_when_sources_fail_with_it_in_their_errors(world: World, outside: HostileOutside, log: Lines) -> None:
    outside.is_failing = True

    found, answered = await everything_posted(world)

    assert found == {}
    assert answered >= 20
    assert leaks("\n".join(log.seen)) == []


async def test_nor_when_addresses_that_hold_it_do_not_resolve(world: World, log: Lines) -> None:
    """An unescaped @ in a password makes its end a part of the host, which the resolver's error quotes."""
    assert world.database is not None
    assert world.settings.railway is not None
    hostile = "postgresql://CANARYUSER:CANARYDNS@Quillfeather@db.quillfeather.invalid:5432/postgres"
    dark = World(
        world.settings,
        database=Database.connect_lazily(Secret(hostile), application_name="test"),
        railway=RailwayClient(
            url="http://CANARYUSER:CANARYDNS@railway.quillfeather.invalid/graphql",
            token=Secret("CANARYTOKEN"),
            token_kind=TokenKind.PROJECT,
            project_id="p",
            environment_id="e",
        ),
        api=DragonflyApi(
            "http://CANARYUSER:CANARYDNS@api.quillfeather.invalid", Secret("CANARYKEY"), system=RUNBOOK.name
        ),
        git_sha=SHA,
    )
    try:
        found, _ = await everything_posted(dark)
    finally:
        await dark.close()

    assert found == {}
    assert leaks("\n".join(log.seen)) == []


async def test_no_alert_shows_a_canary(world: World, log: Lines, database_urls: DatabaseUrls) -> None:
    assert world.database is not None
    async with world.database.transaction() as conn:
        epoch = await take_lease(conn, name=LEADER, owner="me", duration=timedelta(minutes=5))
    assert epoch is not None
    rules = default_rules()
    message_writer = AlertMessageWriter(rules, AlertMessages(rules, channel="c"), environment="prod", metrics=Metrics())
    watch = Evaluator(world, world.database, rules, message_writer, wake_ups=WakeUps())

    for _ in range(2):
        await watch.tick(Fence("me", epoch))
        with psycopg.connect(database_urls.owner, autocommit=True) as owner:  # alerts have now lasted long enough
            owner.execute("UPDATE chatops.alerts SET since = since - interval '2 hours'")

    with psycopg.connect(database_urls.owner) as owner:
        reported = owner.execute("SELECT text, blocks::text FROM chatops.outbox").fetchall()
        stored = owner.execute("SELECT alerts::text FROM chatops.alerts").fetchall()
    assert reported
    assert leaks(repr(reported) + repr(stored) + "\n".join(log.seen)) == []


async def test_the_secrets_of_the_services_are_ours_too_once_they_were_read(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets, "_remembered", {})
    monkeypatch.setattr(secrets, "_forms", ())
    line = f"the key is {person('VARIABLE')}"
    assert without_own_secrets(line) == line

    await world.variables(Service.ENFORCEMENT)

    assert without_own_secrets(line) == "the key is …"
