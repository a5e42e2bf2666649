"""Each check against a real system with one fault planted, read as `dragonfly_bot`: none may stay green."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from bot.facts.health import gather_health
from bot.facts.verify import gather_heartbeats
from bot.world import World
from playbooks import health, heartbeats
from playbooks.model import Finding, Status
from services.domain.services import Service
from tests.conftest import DatabaseUrls

if TYPE_CHECKING:
    from tests.integration.bot.conftest import Outside, System


JOB = "INSERT INTO ops.job_queue (job_type, status, run_at, locked_at, locked_by) VALUES "
FORGET = "DELETE FROM supabase_migrations.schema_migrations WHERE version = '20251201000300'"


async def find(world: World) -> dict[str, Finding]:
    return {finding.check: finding for finding in health.check(await gather_health(world))}


@pytest.fixture(autouse=True)
def _work(system: System) -> None:
    system.work()


async def test_without_a_fault_all_is_green(world: World) -> None:
    assert {name: f for name, f in (await find(world)).items() if f.status is not Status.OK} == {}


@pytest.mark.parametrize(
    ("sql", "check", "status"),
    [
        ("UPDATE ops.worker_heartbeats SET last_heartbeat_at = now() - interval '6 min' WHERE worker_type ~ 'ingest'",
         "heartbeats.ingest", Status.FAIL),
        ("DELETE FROM ops.worker_heartbeats WHERE worker_type ~ 'ingest'", "heartbeats.ingest", Status.FAIL),
        ("UPDATE ops.worker_heartbeats SET status = 'stopped' WHERE worker_type ~ 'enf'", "heartbeats.enforcement",
         Status.FAIL),
        ("UPDATE ops.worker_heartbeats SET status = 'error' WHERE worker_type ~ 'ingest'", "workers.ingest",
         Status.FAIL),
        ("UPDATE ops.worker_heartbeats SET database_ok = false WHERE worker_type ~ 'ingest'", "workers.ingest",
         Status.FAIL),
        ("UPDATE ops.worker_heartbeats SET current_job_id = gen_random_uuid(),"
         " current_job_started_at = now() - interval '11 min' WHERE worker_type ~ 'ingest'", "workers.ingest",
         Status.WARN),
        ("UPDATE ops.worker_heartbeats SET git_sha = '0ddba110' WHERE worker_type ~ 'ingest'", "sha.ingest",
         Status.FAIL),
        (JOB + "('simplicity_ingest', 'pending', now() - interval '6 min', NULL, NULL)", "queue.backlog", Status.WARN),
        (JOB + "('simplicity_ingest', 'pending', now() - interval '16 min', NULL, NULL)", "queue.backlog", Status.FAIL),
        (JOB + "('simplicity_ingest', 'failed', now(), NULL, NULL)", "queue.failed", Status.WARN),
        (JOB + "('simplicity_ingest', 'processing', now(), now(), 'nobody')", "queue.orphaned", Status.FAIL),
        ("REVOKE USAGE ON SCHEMA enforcement FROM dragonfly_bot", "database.schemas", Status.FAIL),
        ("REVOKE SELECT (worker_id) ON ops.worker_heartbeats FROM dragonfly_bot", "heartbeats.ingest", Status.UNKNOWN),
        ("REVOKE SELECT (locked_by) ON ops.job_queue FROM dragonfly_bot", "queue.backlog", Status.UNKNOWN),
        ("REVOKE SELECT (checksum) ON supabase_migrations.schema_migrations FROM dragonfly_bot", "database.migrations",
         Status.UNKNOWN),
        (FORGET, "database.migrations", Status.WARN),
        ("UPDATE supabase_migrations.schema_migrations SET checksum = 'x' WHERE version = '20251201000300'",
         "database.migrations", Status.FAIL),
        ("INSERT INTO supabase_migrations.schema_migrations (version, name) VALUES ('20991231000000', 'newer')",
         "database.migrations", Status.WARN),
        ("ALTER TABLE ops.worker_heartbeats RENAME COLUMN last_heartbeat_at TO seen_at", "heartbeats.ingest",
         Status.UNKNOWN),
    ],
)  # fmt: skip
async def test_a_fault_in_the_database_is_seen(
    world: World, system: System, sql: str, check: str, status: Status
) -> None:
    system.run(sql)

    finding = (await find(world))[check]

    assert finding.status is status
    assert finding.next_step is not None


async def test_a_refused_right_is_named(world: World, system: System) -> None:
    system.run("REVOKE SELECT (worker_id) ON ops.worker_heartbeats FROM dragonfly_bot")

    finding = (await find(world))["heartbeats.ingest"]

    assert "permission denied for table worker_heartbeats" in finding.detail


async def test_a_fault_of_the_api_is_seen(world: World, outside: Outside) -> None:
    outside.api_status, outside.health = 503, {"status": "degraded", "db_connected": False}

    found = await find(world)

    assert (found["api.health"].status, found["intake.health"].status) == (Status.FAIL, Status.FAIL)


async def test_an_edge_that_answers_for_a_dead_api_is_seen(world: World, outside: Outside) -> None:
    outside.api_status, outside.health = 502, {"status": 1}

    assert (await find(world))["api.health"].title == "api answers HTTP 502"


async def test_another_environment_is_seen(world: World, outside: Outside) -> None:
    outside.health = {"environment": "staging"}

    assert (await find(world))["api.health"].title == "api runs in staging, not in prod"


async def test_a_worker_too_few_is_seen(world: World, outside: Outside) -> None:
    outside.replicas[Service.INGEST] = 2

    assert (await find(world))["heartbeats.ingest"].title == "ingest 1 of 2 alive"


async def test_a_silent_railway_is_seen(world: World, outside: Outside) -> None:
    outside.railway_status = 500

    found = await find(world)

    assert found["deployment"].status is Status.UNKNOWN
    assert found["heartbeats.ingest"].status is Status.UNKNOWN


@pytest.fixture
def reader_dsn(database_urls: DatabaseUrls) -> Iterator[str]:
    """A role that may read the tables, but has no policy that shows it their rows."""
    name = f"reader_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(database_urls.superuser, autocommit=True) as conn:
        conn.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'r'")
        conn.execute(f"GRANT USAGE ON SCHEMA ops, intake, enforcement, public, supabase_migrations TO {name}")
        conn.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA ops, intake, supabase_migrations TO {name}")
        yield make_conninfo(database_urls.bot, user=name, password="r")
        conn.execute(f"DROP OWNED BY {name}")
        conn.execute(f"DROP ROLE {name}")


async def test_rows_that_are_hidden_are_no_good_news(make_world: Callable[..., World], reader_dsn: str) -> None:
    world = make_world(reader_dsn)

    found = await find(world)
    alone = heartbeats.check(await gather_heartbeats(world))

    assert found["database.visibility"].status is Status.UNKNOWN
    assert "ops.job_queue" in found["database.visibility"].detail
    assert found["queue.backlog"].status is Status.UNKNOWN
    assert found["heartbeats.ingest"].status is Status.UNKNOWN
    assert {finding.status for finding in alone} == {Status.UNKNOWN}
