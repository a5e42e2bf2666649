"""Rolling a migration back with real workers: stopped, proved, undone, and started with code that fits."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from services.clients.postgres.migrations import LOCK_KEY, Purpose, read_files
from services.domain.runs import RunState, RunStep, StepState, is_proved
from services.sandbox.database import TABLE, VERSION
from services.sandbox.railway.local import LocalRailway
from tests.conftest import DatabaseUrls
from tests.integration.bot.runs.conftest import BOUNDARIES, Bench, MakeBench, StartReplica
from tests.wire import Line

BEFORE = [file.version for file in read_files() if file.purpose is Purpose.OPERATED][-1]
HEAD = "SELECT max(version) FROM supabase_migrations.schema_migrations"
WORKERS = ("dragonfly-worker-ingest", "dragonfly-worker-enforcement")


@pytest.fixture(autouse=True)
async def brought_by_what_serves(railway: LocalRailway, database_urls: DatabaseUrls, sql_directory: Path) -> None:
    """The newest migration ran 1 min after the active deployment; the others long before any."""
    active = railway.find_service(WORKERS[0]).active
    assert active is not None
    assert sql_directory.is_dir()  # the fixture has applied the newest migration
    async with await psycopg.AsyncConnection.connect(database_urls.owner, autocommit=True) as owner:
        await owner.execute(
            "UPDATE supabase_migrations.schema_migrations"
            " SET executed_at = %s + CASE WHEN version = %s THEN interval '1 minute' ELSE interval '-90 days' END",
            (active.created_at, VERSION),
        )


def running(bench: Bench) -> dict[str, str]:
    """Return the commit of each worker's active deployment."""
    actives = {name: bench.railway.find_service(name).active for name in WORKERS}
    return {name: active.commit.sha for name, active in actives.items() if active and not active.is_stopped}


def kinds(steps: list[RunStep], state: StepState) -> list[str]:
    return [step.step["kind"] for step in steps if step.state is state]


async def test_undoes_the_newest_migration_and_starts_the_code_before_it(bench: Bench) -> None:
    bench.start_runner()

    run, steps = await bench.ended(await bench.file_command("rollback-db", version=VERSION), timeout_s=90)

    assert is_proved(run.state, steps), steps
    assert await bench.sql(HEAD) == [(BEFORE,)]
    # The active deployment brought the migration, so the one before it fits.
    assert running(bench) == dict.fromkeys(WORKERS, bench.railway.commits[1].sha)
    assert bench.wire.mutations == ["stop", "stop", "rollBack", "rollBack"]


async def test_sql_that_fails_starts_again_what_ran_before(bench: Bench) -> None:
    before = running(bench)
    await bench.sql(f"ALTER TABLE {TABLE} RENAME TO elsewhere")
    bench.start_runner()

    run, steps = await bench.ended(await bench.file_command("rollback-db", version=VERSION), timeout_s=90)

    outcome = run.outcome or ""
    assert (run.state, kinds(steps, StepState.FAILED)) == (RunState.FAILED, ["ApplySqlFile"]), steps
    assert f'"{TABLE}" does not exist' in outcome
    assert "were started again" in outcome
    assert f"The schema is at {VERSION}." in outcome
    assert await bench.sql(HEAD) == [(VERSION,)]
    assert running(bench) == before
    assert bench.wire.mutations == ["stop", "stop", "redeploy", "redeploy"]
    assert await bench.sql("SELECT actor FROM chatops.audit WHERE event = 'run.fell_back'") == [("bot",)]


async def test_a_schema_that_moved_meanwhile_leaves_everything_stopped(bench: Bench) -> None:
    run_id = await bench.file_command("rollback-db", version=VERSION)
    hold = bench.wire.hold("stop", "after")
    bench.start_runner()
    await hold.reached.wait()
    await bench.sql(
        "INSERT INTO supabase_migrations.schema_migrations (version, name) VALUES ('20991231000001', 'new')"
    )
    hold.release()

    run, steps = await bench.ended(run_id, timeout_s=90)

    assert (run.state, kinds(steps, StepState.FAILED)) == (RunState.FAILED, ["ApplySqlFile", "VerifySchemaHead"])
    assert "enforcement is stopped; ingest is stopped. The schema is at 20991231000001." in (run.outcome or "")
    assert running(bench) == {}
    assert bench.wire.mutations == ["stop", "stop"]


@pytest.mark.parametrize("boundary", BOUNDARIES)
async def test_killed_at_a_boundary_of_the_sql(
    make_bench: MakeBench, start_replica: StartReplica, admin_line: Line, boundary: str
) -> None:
    """Before the COMMIT reached the server nothing happened, and afterwards everything has: it is undone once."""
    bench = await make_bench(DRAGONFLY_ROLLBACK_DB_URL=admin_line.dsn)
    run_id = await bench.file_command("rollback-db", version=VERSION)
    async with bench.at(boundary, run_id, "ApplySqlFile", lambda where: admin_line.hold(b"COMMIT", where)) as reached:
        victim = await start_replica(bench, "victim")
        await reached()
        bench.start_runner()
        await victim.kill()

    run, steps = await bench.ended(run_id, timeout_s=90)

    assert is_proved(run.state, steps), steps
    assert await bench.sql(HEAD) == [(BEFORE,)]
    assert len(await bench.notes(run_id)) == 1
    assert bench.wire.mutations == ["stop", "stop", "rollBack", "rollBack"]


async def test_database_rollback_finds_it_done_after_waiting_for_a_late_commit(
    bench: Bench, database_urls: DatabaseUrls
) -> None:
    """A process that was taken for dead finishes while its successor waits for the lock of migrations."""
    run_id = await bench.file_command("rollback-db", version=VERSION)
    async with await psycopg.AsyncConnection.connect(database_urls.owner) as late:
        await late.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK_KEY,))
        await late.execute("DELETE FROM supabase_migrations.schema_migrations WHERE version = %s", (VERSION,))
        bench.start_runner()
        await bench.has_waiting(late.info.backend_pid)
        await late.commit()

    run, steps = await bench.ended(run_id, timeout_s=90)

    assert is_proved(run.state, steps), steps
    described = "SELECT obj_description(%s::regclass)"
    assert await bench.sql(described, TABLE) == [("Drilled.",)], "the file was applied twice"
