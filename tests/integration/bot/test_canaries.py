"""Names, amounts and keys planted in every source that the bot reads: in no answer to Slack and in no line of its log.

One word a source, so that a leak names where it came from.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import psycopg
import pytest

from bot.alerts.rule_file import default_rules
from bot.alerts.telling import AlertTeller
from bot.alerts.watch import Watch
from bot.commands._contract import Actor, Answer, Change, Request, Surface
from bot.commands._registry import REGISTRY, run
from bot.facts import World
from bot.leader import NAME, Fence
from bot.settings import Settings
from bot.views.plain import answer_text
from bot.web.metrics import Metrics
from services.domain.errors import OperatorError
from services.domain.secrets import Secret
from services.domain.services import Service
from services.dragonfly_api.client import DragonflyApi
from services.postgres.leases import take_lease
from services.postgres.pool import Database
from services.process.log import JsonFormatter, PlainFormatter
from services.railway.client import RailwayClient, TokenKind
from tests.conftest import DatabaseUrls

ASKED = Request(surface=Surface.SLASH, actor=Actor("U0OLIVIA001", "T0DRAGONFLY"), channel_id="C0INCIDENTS")
SHA = "a1b2c3d4e5f60718293a4b5c6d7e8f9012345678"


def person(source: str) -> str:
    """How a leak of this source would read: a name, an amount, a key, an address."""
    return f'"CANARY{source} Quillfeather" owes $48,613.77 sk-live-canary4f9a8b7c6d5e zeb@quillfeather.example'


WORDS = ("canary", "quillfeather", "48,613.77", "48613.77", "zeb@")
LINES = (
    f"ValueError: no county {person('LOGVALUE')}",
    f"DETAIL:  Key (county, case_number)=(Kings, {person('LOGDETAIL')}) already exists.",
    f'{{"message": {json.dumps(person("LOGJSON"))}, "level": "error"}}',
    f"permission denied for table {person('LOGTABLE')}",
    f"[ingest_processor] Job failed: {person('LOGJOB')}",
    f"FATAL: password authentication failed for user {person('LOGUSER')}",
    f"CRITICAL: Crash loop detected after 10 failures {person('LOGCRASH')}",
    "CANARYBARE CANARYBARE Quillfeather",
)
PLANT = """
    INSERT INTO ops.job_queue (job_type, status, attempts, error_message, payload, result)
    SELECT 'simplicity_ingest', 'failed', 5, unnest(%(errors)s::text[]), %(json)s, %(json)s;
    INSERT INTO ops.job_queue (job_type, status, payload, idempotency_key, run_at)
    VALUES ('simplicity_ingest', 'pending', %(json)s, %(text)s, now() - interval '20 minutes');
    INSERT INTO ops.job_queue (job_type, status, payload, locked_at, locked_by)
    VALUES ('simplicity_ingest', 'processing', %(json)s, now() - interval '20 minutes', 'ingest-gone');
    INSERT INTO ops.intake_logs (event_type, details) VALUES ('batch_received', %(json)s);
    INSERT INTO intake.simplicity_batches (id, file_name, sha256, status, error, is_golden_path)
    VALUES ('00000000-0000-4000-8000-000000000001', %(text)s, repeat('a', 64), 'failed', %(text)s, true);
    INSERT INTO intake.simplicity_raw_rows (batch_id, row_number, raw, status, error)
    VALUES ('00000000-0000-4000-8000-000000000001', 1, %(json)s, 'failed', %(text)s);
    INSERT INTO public.judgments (case_number, county, plaintiff, defendant, judgment_amount, filing_date, batch_id)
    VALUES (%(text)s, %(text)s, %(text)s, %(text)s, 48613.77, '2024-01-02', '00000000-0000-4000-8000-000000000001');
    INSERT INTO enforcement.next_steps (judgment_id, kind, reasons)
    SELECT id, %(text)s, ARRAY[%(text)s] FROM public.judgments;
    INSERT INTO enforcement.payments (judgment_id, reference, received_on, amount)
    SELECT id, %(text)s, '2024-01-02', 48613.77 FROM public.judgments;
    INSERT INTO enforcement.memos (id, facts, status, refused_because)
    VALUES (gen_random_uuid(), %(json)s, 'refused', %(text)s);
    INSERT INTO ops.worker_heartbeats (worker_id, worker_type, status, git_sha)
    VALUES ('ingest-1', 'ingest_processor', 'running', 'a1b2c3d4');
"""
PLANTED_ROWS = """
    SELECT (SELECT count(*) FROM ops.job_queue WHERE concat(error_message, payload, result) ~ 'CANARY'),
           (SELECT count(*) FROM ops.intake_logs WHERE details::text ~ 'CANARY'),
           (SELECT count(*) FROM intake.simplicity_batches WHERE file_name ~ 'CANARY')
"""


VARIABLES = ("SUPABASE_DB_URL", "SUPABASE_SERVICE_ROLE_KEY", "DRAGONFLY_API_KEY", "OPENAI_API_KEY", "ENVIRONMENT")


class Lines(logging.Handler):
    """What the bot would print, plain and as JSON."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen += [PlainFormatter().format(record), JsonFormatter().format(record)]


@pytest.fixture
def log() -> Iterator[Lines]:
    """Everything that a process of ours lets through, and debug lines of our own besides."""
    lines, root, ours = Lines(), logging.getLogger(), logging.getLogger("bot")
    root.addHandler(lines)
    ours.setLevel(logging.DEBUG)
    yield lines
    root.removeHandler(lines)
    ours.setLevel(logging.NOTSET)


class Outside:
    """Railway and the API, whose every free text is a canary. `is_failing`: they answer with errors that hold some."""

    def __init__(self) -> None:
        self.is_failing = False

    def api(self, _: httpx.Request) -> httpx.Response:
        if self.is_failing:
            return httpx.Response(500, text=f"<html>{person('APIPAGE')}</html>")
        now = "2025-12-20T10:30:00Z"
        body = {"status": "ok", "environment": "prod", "git_sha": SHA[:8], "db_connected": True, "timestamp": now}
        more = {"pending_jobs": 1, "last_batch_at": now, "detail": person("APIDETAIL")}
        return httpx.Response(200, json={**body, **more}, headers={"X-Canary": "CANARYAPIHEADER"})

    def railway(self, request: httpx.Request) -> httpx.Response:
        if self.is_failing:
            return httpx.Response(200, json={"errors": [{"message": person("RAILWAYERROR"), "path": ["environment"]}]})
        return httpx.Response(200, json={"data": self._data(json.loads(request.content)["query"])})

    def _data(self, document: str) -> dict[str, Any]:
        if "query readLogs" in document or "query readBuildLogs" in document:
            lines = [{"timestamp": f"2025-12-20T10:30:{n:02}Z", "severity": "error", "message": line,
                      "tags": {"deploymentInstanceId": "i0"}} for n, line in enumerate(LINES)]  # fmt: skip
            return {"deploymentLogs": lines, "buildLogs": lines}
        if "query listDeployments" in document:
            return {"deployments": {"edges": [{"node": _deployment(status)} for status in ("SUCCESS", "FAILED")]}}
        if "query readVariables" in document:
            return {"variablesForServiceDeployment": {name: person("VARIABLE") for name in VARIABLES}}
        if "query listVariableChanges" in document:
            variables = {"DRAGONFLY_API_KEY": {"value": person("PATCH")}}
            patch = {"services": {"s-api": {"variables": variables}}}
            return {"environmentPatches": {"edges": [{"node": {"appliedAt": "2025-12-20T10:30:00Z", "patch": patch}}]}}
        if "query readAutoDeploy" in document:
            return {"serviceInstanceAutoDeployStatus": {"enabled": True}}
        nodes = [{"node": _instance(service)} for service in Service]
        config = {"services": {"s-api": {"variables": {"DRAGONFLY_API_KEY": {"value": person("CONFIG")}}}}}
        return {"environment": {"name": "production", "config": config, "serviceInstances": {"edges": nodes}}}


def _deployment(status: str = "SUCCESS") -> dict[str, Any]:
    return {
        "id": f"d-{status.lower()}",
        "status": status,
        "createdAt": "2025-12-20T10:30:00Z",
        "canRollback": True,
        "meta": {"commitHash": SHA, "commitMessage": "Fix it", "commitAuthor": "Ann", "env": person("META")},
        "instances": [{"id": "i0", "status": "RUNNING"}],
    }


def _instance(service: Service) -> dict[str, Any]:
    return {
        "serviceId": f"s-{service.short}",
        "serviceName": service.value,
        "numReplicas": 1,
        "activeDeployments": [_deployment()],
        "latestDeployment": _deployment(),
    }


@pytest.fixture
def outside() -> Outside:
    return Outside()


@pytest.fixture
async def world(outside: Outside, database_urls: DatabaseUrls) -> AsyncIterator[World]:
    """A world over a database that holds a canary in each column that may hold anything, as `dragonfly_bot`."""
    text = person("COLUMN")
    values = {"errors": list(LINES), "json": json.dumps({"name": text}), "text": text}
    with psycopg.connect(database_urls.owner, autocommit=True) as conn:
        psycopg.ClientCursor(conn).execute(PLANT, values)
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
        database=Database.connect_lazily(Secret(database_urls.bot), application_name="test"),
        railway=RailwayClient(
            url="http://railway.test/graphql",
            token=Secret("CANARYTOKEN"),
            token_kind=TokenKind.PROJECT,
            project_id="p",
            environment_id="e",
            transport=httpx.MockTransport(outside.railway),
        ),
        api=DragonflyApi("http://api.test", Secret("CANARYKEY"), transport=httpx.MockTransport(outside.api)),
        git_sha=SHA,
    )
    yield world
    await world.close()


def lines_to_type() -> list[str]:
    """Each command as its own examples have it; of a change the dry run, which shows what it would be."""
    found = []
    for verb in REGISTRY.values():
        dry = " --dry-run" if isinstance(verb, Change) else ""
        found += [example + ("" if "--dry-run" in example else dry) for example in verb.examples]
    return [*found, "requeue orphans --dry-run", "golden-path --clean --dry-run", "failed-jobs 1h", "logs api --failed"]


async def ask(line: str, world: World) -> Answer | str:
    """The answer, or the error that people see instead."""
    try:
        return await run(line, ASKED, world)
    except OperatorError as error:
        return str(error)


def shown(answer: Answer | str) -> str:
    """What Slack gets, and what the terminal prints, as text and with --json."""
    if isinstance(answer, str):
        return answer
    return "\n".join(
        [answer.text, json.dumps(list(answer.blocks)), answer_text(answer), json.dumps(answer.data, default=str)]
    )


def leaks(text: str) -> list[str]:
    return [word for word in WORDS if word in text.lower()]


async def everything_said(world: World) -> tuple[dict[str, list[str]], int]:
    """`{line: canaries in its answer}` of those that leak, and how many were answered."""
    found, answered = {}, 0
    for line in lines_to_type():
        answer = await ask(line, world)
        answered += isinstance(answer, Answer)
        if leaked := leaks(shown(answer)):
            found[line] = leaked
    return found, answered


async def test_the_canaries_are_there(world: World, database_urls: DatabaseUrls) -> None:
    """Else nothing below would prove anything."""
    with psycopg.connect(database_urls.owner) as conn:
        assert conn.execute(PLANTED_ROWS).fetchone() == (len(LINES) + 2, 1, 1)
    raw = await run("logs ingest --raw", Request(), world)
    assert leaks(answer_text(raw)) == [*WORDS[:3], "zeb@"]


async def test_no_command_shows_what_is_personal_or_secret(world: World, log: Lines) -> None:
    found, answered = await everything_said(world)

    assert found == {}
    assert answered >= 40
    assert leaks("\n".join(log.seen)) == []


async def test_nor_when_sources_fail_with_it_in_their_errors(world: World, outside: Outside, log: Lines) -> None:
    outside.is_failing = True

    found, answered = await everything_said(world)

    assert found == {}
    assert answered >= 20
    assert leaks("\n".join(log.seen)) == []


async def test_no_alert_shows_it(world: World, log: Lines, database_urls: DatabaseUrls) -> None:
    assert world.database is not None
    async with world.database.transaction() as conn:
        epoch = await take_lease(conn, name=NAME, owner="me", duration=timedelta(minutes=5))
    assert epoch is not None
    rules = default_rules()
    teller = AlertTeller(rules, channel="c", environment="prod", metrics=Metrics())
    watch = Watch(world, world.database, rules, teller, told=lambda: None)

    for _ in range(2):
        await watch.look(Fence("me", epoch))
        with psycopg.connect(database_urls.owner, autocommit=True) as owner:  # what had to last has lasted
            owner.execute("UPDATE chatops.alerts SET since = since - interval '2 hours'")

    with psycopg.connect(database_urls.owner) as owner:
        told = owner.execute("SELECT text, blocks::text FROM chatops.outbox").fetchall()
        stored = owner.execute("SELECT alerts::text FROM chatops.alerts").fetchall()
    assert told
    assert leaks(repr(told) + repr(stored) + "\n".join(log.seen)) == []
