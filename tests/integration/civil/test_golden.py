"""Every command on `civil`, in each vintage: golden files, against the replica, its API and its Railway. The system is
healthy except for the peculiarities of the vintage. `CIVIL_REWRITE=1` rewrites the files; read the diff."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace

import httpx
import pytest

from bot.commands.dispatch import run
from bot.config.environment import Settings
from bot.types import Request, Surface
from bot.world import World
from playbooks.model import Status
from services.clients.dragonfly_api.client import DragonflyApi
from services.clients.postgres.pool import Connection, Database
from services.clients.postgres.systems import read_system
from services.domain.errors import OperatorError
from services.domain.secrets import Secret
from services.domain.systems import CIVIL
from tests.integration.civil.api_stub import KEY, CivilApi
from tests.integration.civil.conftest import Civil
from tests.integration.civil.railway_stub import JOB, CivilRailway
from tests.messages.render import FOLDER, answer_text, golden_text

TERMINAL = Request(surface=Surface.TERMINAL)
FOLDERS = {"december": "civil_dec", "january": "civil_jan"}
ENVIRON = {
    "ENVIRONMENT": "dev",
    "SUPABASE_MODE": "dev",
    "DRAGONFLY_API_BASE": "http://api.test",
    "DRAGONFLY_API_KEY": KEY,
    "SUPABASE_DB_URL": "postgresql://dragonfly_bot:secret@db.test:5432/postgres",
    "RAILWAY_TOKEN": "t",
    "RAILWAY_PROJECT_ID": "p",
    "RAILWAY_ENVIRONMENT_ID": "e",
}
READS = (
    *("health", "sha", "verify", "verify api", "verify simplicity", "heartbeats", "heartbeats simplicity", "queue"),
    *("throughput", "failed-jobs 1h", "intake", "deployments", "deployments simplicity", "env api", "env simplicity"),
    *("logs api", "logs ingest", "logs simplicity", "migrations", "doctor", "prod-gate"),
    *("security-audit", "why api", "runs", "home", "ask why is simplicity slow?", "history 6h", "report", "freeze"),
    *("silences", "oncall", "incident", "logs enforcement", "deployments api", "check-config"),
)
CHANGES = (
    *(
        "restart ingest",
        "restart simplicity",
        "scale simplicity 2",
        "rollback enforcement to 0ddba110",
        "deploy api 0ddba11",
    ),
    *("redeploy simplicity", "stop-workers", "requeue orphans", "golden-path"),
    *("golden-path --clean", "rollback-db 20251231100000", "unlock ingest fixed in 9f8e7d6c"),
)
SEED = """
    INSERT INTO ops.worker_heartbeats (worker_id, worker_type, status, last_seen_at, created_at)
    SELECT kind || '-0a1b2c3d', kind, 'running', now() - interval '10 s', now() - interval '3 h'
    FROM unnest(ARRAY['ingest_processor', 'enforcement_engine', 'simplicity_ingest_worker']) AS kind;
    INSERT INTO ops.job_queue (id, job_type, payload, status, attempts, last_error, updated_at)
    VALUES ('123e4567-e89b-12d3-a456-426614174000', 'ingest_csv', '{}', 'completed', 1,
            'Retry scheduled (attempt 1/5)', now());
    INSERT INTO ops.ingest_batches (id, source, filename, row_count_raw, row_count_valid, status)
    VALUES ('123e4567-e89b-12d3-a456-426614174000', 'simplicity', 'one.csv', 3, 3, 'completed');
"""
_VOLATILE = (
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:\+00:00|Z)?"), "<time>"),
    (re.compile(r"\b\d\d:\d\d(?::\d\d)?\b(?: UTC)?"), "<time>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d\b|\b\d{1,2} [A-Z][a-z]{2}(?= <time>)"), "<day>"),
    (re.compile(r"\b\d+ ms\b"), "N ms"),
    (re.compile(r"\bplan [0-9a-f]{12}\b"), "plan <hash>"),
    (re.compile(r"\b\d+ s\b(?! each)"), "N s"),
    (re.compile(r"\b\d+ of \d+ are in use"), "N of M are in use"),
    (re.compile(r"\bpid \d+\b"), "pid N"),
    (re.compile(r"\b\d+ (?=migrations of the bot|expectations)"), "N "),
    (re.compile(r"PostgreSQL \d+(?:\.\d+)*|Postgres \d+(?:\.\d+)*"), "Postgres N"),
    (re.compile(r"\b\d+ of \d+ (?=sessions|connections)"), "N of M "),
    (re.compile(r"\{[0-9a-f-]{36}\}"), "{<job>}"),
    (re.compile(r"127\.0\.0\.1:\d+|\bport \d+|civil_\d+"), "<database>"),
)


def settled(text: str) -> str:
    """Return the text without what differs from run to run."""
    for pattern, words in _VOLATILE:
        text = pattern.sub(words, text)
    return re.sub(r"[ ]{2,}", "  ", text)


@pytest.fixture
def civil(adopted: Civil) -> Civil:
    """A database after the adoption."""
    return adopted


@pytest.fixture
def api(civil: Civil) -> CivilApi:
    return CivilApi(civil.vintage)


@pytest.fixture
def railway(civil: Civil) -> CivilRailway:
    return CivilRailway(civil.vintage)


def world_of(civil: Civil, role: str, api: CivilApi, railway: CivilRailway) -> World:
    settings = replace(Settings.from_environment(ENVIRON), source_timeout_s=30.0)
    transport = httpx.ASGITransport(api.app())
    return World(
        settings,
        database=Database.connect_lazily(
            Secret(civil.dsn(role)), application_name="dragonfly-bot", timeout_s=60.0, recognize=read_system
        ),
        railway=railway.client(),
        api=DragonflyApi("http://api.test", Secret(KEY), timeout_s=30.0, transport=transport, system=CIVIL.name),
    )


@pytest.fixture
async def world(civil: Civil, as_owner: Connection, api: CivilApi, railway: CivilRailway) -> AsyncIterator[World]:
    """A world as the bot, after the adoption, of a healthy system."""
    await as_owner.execute(SEED.encode())
    made = world_of(civil, "dragonfly_bot", api, railway)
    await made.recognized()
    yield made
    await made.close()


async def answered(line: str, world: World) -> str:
    try:
        return settled(answer_text(await run(line, TERMINAL, world)))
    except OperatorError as error:
        return settled(f"(refused) {error}")


def compare(civil: Civil, name: str, texts: Mapping[str, str]) -> None:
    file, text = FOLDER / FOLDERS[civil.vintage] / f"{name}.txt", golden_text(texts)
    if os.environ.get("CIVIL_REWRITE"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    assert text == file.read_text(), "`make golden` takes the new words over"


async def test_every_read(civil: Civil, world: World) -> None:
    compare(civil, "reads", {line: await answered(line, world) for line in READS})


async def test_every_dry_run(civil: Civil, world: World, railway: CivilRailway, as_owner: Connection) -> None:
    await as_owner.execute(
        "INSERT INTO ops.job_queue (job_type, payload, status, worker_id, started_at)"
        " VALUES ('enforcement_drafting', '{}', 'processing', 'gone-1', now() - interval '12 min 5 s')"
    )
    compare(civil, "dry_runs", {line: await answered(f"{line} --dry-run", world) for line in CHANGES})

    assert not {name for name in railway.asked if not name.startswith(("read", "list"))}


BLIND = ("health", "sha", "verify", "heartbeats", "queue", "throughput", "failed-jobs 1h", "intake", "migrations",
         "doctor", "prod-gate", "check-config", "logs ingest")  # fmt: skip


@pytest.mark.usefixtures("world")
async def test_a_role_that_sees_no_rows_is_never_green(civil: Civil, api: CivilApi, railway: CivilRailway) -> None:
    """The API and Railway answer well, and only the database hides its rows."""
    blind = world_of(civil, "dragonfly_app", api, railway)
    await blind.recognized()

    sees_uploads = {"intake"} if civil.vintage == "december" else set()  # row-level security is off for it
    answers = {line: await run(line, TERMINAL, blind) for line in BLIND if line not in sees_uploads}
    await blind.close()

    assert {line: answer.status for line, answer in answers.items() if answer.status is Status.OK} == {}


HEARTBEATS = ("starting", "running", "degraded", "stopped", "error")
BATCHES = ("pending", "processing", "completed", "failed")
JOBS = ("pending", "processing", "completed", "failed")


async def test_each_status_word_in_a_row_and_its_message(civil: Civil, world: World, as_owner: Connection) -> None:
    found: dict[str, str] = {}
    for word in HEARTBEATS:
        await as_owner.execute("UPDATE ops.worker_heartbeats SET status = %s WHERE worker_id LIKE 'ingest%%'", (word,))
        for line in ("heartbeats ingest", "verify ingest"):
            found[f"heartbeat {word}: {line}"] = await answered(line, world)
    await as_owner.execute("UPDATE ops.worker_heartbeats SET status = 'running'")
    for word in JOBS:
        await as_owner.execute("UPDATE ops.job_queue SET status = %s, worker_id = 'gone-1'", (word,))
        for line in ("queue", "failed-jobs 1h"):
            found[f"job {word}: {line}"] = await answered(line, world)
    await as_owner.execute("UPDATE ops.ingest_batches SET created_at = now() - interval '11 min 5 s'")
    for word in BATCHES:
        await as_owner.execute("UPDATE ops.ingest_batches SET status = %s", (word,))
        found[f"batch {word}, 11 min old: intake"] = await answered("intake", world)
    await as_owner.execute(
        "INSERT INTO ops.intake_logs (batch_id, row_index, status, error_code)"
        " SELECT id, row, 'error', 'DB_ERROR' FROM ops.ingest_batches, generate_series(1, 3) AS row"
    )
    await as_owner.execute("UPDATE ops.ingest_batches SET status = 'completed', row_count_valid = 0")
    for line in ("intake", f"intake {JOB[:8]}"):
        found[f"batch completed, each row DB_ERROR: {line}"] = await answered(line, world)

    compare(civil, "words", found)
