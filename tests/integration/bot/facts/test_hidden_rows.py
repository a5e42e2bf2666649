"""A role that row-level security shows no rows: no read may report hidden rows as zero."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from bot.cli import EXIT
from bot.commands.command import Command
from bot.commands.dispatch import run
from bot.commands.golden_path import gather_golden_path
from bot.commands.registry import REGISTRY
from bot.commands.requeue import _read_jobs, _read_orphans
from bot.commands.reveal import Wanted, _read_job
from bot.facts.golden_path import gather_verification
from bot.facts.health import gather_health
from bot.facts.rollback import gather_rollback
from bot.types import Request, Surface
from bot.world import World
from playbooks import health
from playbooks.checks import golden_path
from playbooks.model import Status
from services.clients.postgres.operated import (
    count_failed_jobs,
    find_batches,
    list_batches,
    list_failed_jobs,
    list_intake_events,
    list_job_outcomes,
    list_next_due,
    list_oldest_pending,
    list_row_faults,
    list_running_jobs,
    list_throughput,
    read_job_error,
)
from services.domain.errors import SourceError, Unavailable
from services.domain.services import Service
from tests.conftest import DatabaseUrls
from tests.integration.bot.conftest import MakeWorld, System

TERMINAL = Request(surface=Surface.TERMINAL)
TABLES = ("ops.job_queue", "ops.worker_heartbeats", "ops.intake_logs", "intake.simplicity_batches")
COUNTS = ("total", "pending", "processing", "failed_last_hour", "orphaned", "completed", "failed", "batches")
MIGRATIONS = "database.migrations"  # none is pending, and that is not hidden
SHA256, BATCH = "0" * 64, "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def world(make_world: MakeWorld, database_urls: DatabaseUrls) -> Iterator[World]:
    """A world as a separate role with the bot's rights but without BYPASSRLS. It has no login: roles belong to the
    server, and tests that run beside this one would report it."""
    name = f"reader_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(database_urls.superuser, autocommit=True) as conn:
        conn.execute(f"CREATE ROLE {name} NOBYPASSRLS IN ROLE dragonfly_bot")
        yield make_world(make_conninfo(database_urls.superuser, options=f"-c role={name}"))
        conn.execute(f"DROP ROLE {name}")


@pytest.fixture
def hidden(system: System) -> System:
    """40 failed jobs and a worker of each type that sends heartbeats, all hidden from the bot."""
    system.work()
    system.run("INSERT INTO ops.job_queue (job_type, status) SELECT 'a', 'failed' FROM generate_series(1, 40)")
    system.run("ALTER TABLE intake.simplicity_raw_rows ENABLE ROW LEVEL SECURITY")
    for table in TABLES:
        system.run(f"ALTER POLICY bot_reads ON {table} USING (false)")
    return system


def counts_in(data: Any) -> dict[str, object]:
    """Return every count of hidden rows, wherever it is in the JSON."""
    if isinstance(data, list):
        return {name: value for one in data for name, value in counts_in(one).items()}
    if not isinstance(data, dict):
        return {}
    if data.get("check") == MIGRATIONS:
        return {}
    own = {name: value for name, value in data.items() if name in COUNTS}
    return own | {name: value for one in data.values() for name, value in counts_in(one).items()}


@pytest.mark.usefixtures("hidden")
@pytest.mark.parametrize("line", ["failed-jobs", "queue", "throughput", "intake", "heartbeats"])
async def test_a_read_reports_null_and_ends_with_3(world: World, line: str) -> None:
    answer = await run(line, TERMINAL, world)

    assert EXIT[answer.status] == 3
    assert {name: value for name, value in counts_in(answer.data).items() if value is not None} == {}


# These read no table that is hidden here: only the bot's own schema, the catalog, or nothing in the database.
ELSEWHERE = frozenset(
    {"audit", "catchup", "help", "incident", "incident similar", "incident timeline", "migrations", "oncall", "policy"}
    | {"promote", "proof", "report", "run", "runs", "security-audit", "silences", "why"}
)
READS = sorted(name for name, verb in REGISTRY.items() if isinstance(verb, Command) and name not in ELSEWHERE)


@pytest.mark.usefixtures("hidden")
@pytest.mark.parametrize("name", READS)
async def test_no_read_is_green_or_counts_zero(world: World, name: str) -> None:
    line = f"{name} ingest" if REGISTRY[name].usage.startswith("<service") else name

    answer = await run(line, TERMINAL, world)

    assert answer.status in (Status.UNKNOWN, Status.FAIL)
    assert {name: value for name, value in counts_in(answer.data).items() if value is not None} == {}


@pytest.mark.usefixtures("hidden")
async def test_a_worker_whose_heartbeat_may_be_hidden_is_not_verified_as_gone(world: World) -> None:
    answer = await run("verify ingest", TERMINAL, world)

    assert answer.status is Status.UNKNOWN
    assert "runs nothing" not in answer.text


@pytest.mark.usefixtures("hidden")
async def test_failed_jobs_are_unknown_and_report_why(world: World) -> None:
    answer = await run("failed-jobs", TERMINAL, world)

    assert isinstance(answer.data, dict)
    assert (answer.data["total"], answer.data["groups"]) == (None, None)
    assert "row-level security hides rows of ops.job_queue from our role" in answer.text


@pytest.mark.usefixtures("hidden")
@pytest.mark.parametrize("line", ["health", "home", "doctor"])
async def test_a_report_never_reports_that_there_is_none(world: World, line: str) -> None:
    answer = await run(line, TERMINAL, world)

    assert answer.status in (Status.UNKNOWN, Status.FAIL)
    assert {name: value for name, value in counts_in(answer.data).items() if value is not None} == {}


@pytest.mark.usefixtures("hidden")
async def test_health_knows_neither_the_queue_nor_the_workers(world: World) -> None:
    found = {finding.check: finding for finding in health.report(await gather_health(world)).findings}

    unknown = [name for name in found if name.startswith(("queue.", "heartbeats."))]
    assert len(unknown) == 5
    assert {found[name].status for name in unknown} == {Status.UNKNOWN}


@pytest.mark.usefixtures("hidden")
async def test_the_evidence_of_changes_is_unknown(world: World) -> None:
    rollback = await gather_rollback(world, [Service.INGEST])
    golden = await gather_golden_path(world)

    assert isinstance(rollback.outcomes, Unavailable)
    assert isinstance(rollback.load.running, Unavailable)
    assert not rollback.load.all_visible
    assert isinstance(golden.left, Unavailable)
    assert isinstance(await _read_orphans(world), Unavailable)
    assert isinstance(await _read_jobs(world, [BATCH]), Unavailable)


@pytest.mark.usefixtures("hidden")
async def test_the_error_of_a_hidden_job_is_unknown_and_not_gone(world: World) -> None:
    with pytest.raises(SourceError, match=r"row-level security hides rows of ops\.job_queue"):
        await _read_job(Wanted("job", BATCH, 0), world)


@pytest.mark.usefixtures("hidden")
async def test_the_golden_path_proves_nothing_of_what_is_hidden(world: World) -> None:
    facts = await gather_verification(world, sha256=SHA256, batch_id=BATCH, rows=1)

    assert all(isinstance(one, Unavailable) for one in (facts.batch, facts.counts, facts.jobs))
    assert not facts.all_visible
    assert Status.FAIL not in {finding.status for finding in golden_path.check(facts)}


@pytest.mark.usefixtures("hidden")
async def test_every_read_that_counts_on_all_rows_is_unknown(world: World) -> None:
    hour = timedelta(hours=1)
    answers = [
        await world.read(list_failed_jobs, window=hour, limit=500),
        await world.read(read_job_error, job_id=BATCH),
        await world.read(count_failed_jobs, window=hour),
        await world.read(list_throughput, window=hour),
        await world.read(list_oldest_pending, limit=20),
        await world.read(list_next_due, job_types=["simplicity_ingest"]),
        await world.read(list_running_jobs),
        await world.read(list_job_outcomes, spans=[]),
        await world.read(list_batches, limit=10),
        await world.read(find_batches, beginning="00000000"),
        await world.read(list_row_faults, batch_id=BATCH, limit=20),
        await world.read(list_intake_events, limit=20),
    ]

    assert [answer for answer in answers if not isinstance(answer, Unavailable)] == []


async def test_with_policies_for_all_rows_nothing_is_hidden(world: World) -> None:
    assert await world.read(count_failed_jobs, window=timedelta(hours=1)) == 0
    assert await world.read(list_batches, limit=10) == []
