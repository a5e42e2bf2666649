"""Rolling a migration back with real workers: stopped, proved, undone, and started with code that fits."""

from __future__ import annotations

from services.domain.runs import RunState, StepState
from services.postgres.migrations import read_files
from services.postgres.rollbacks import read_rollbacks
from tests.integration.bot.runs.conftest import Bench

(PREPARED,) = read_rollbacks()
VERSIONS = [file.version for file in read_files()]
HEAD = "SELECT max(version) FROM supabase_migrations.schema_migrations"


async def test_undoes_the_newest_migration_and_starts_the_code_before_it(bench: Bench) -> None:
    bench.start_runner()

    run, steps = await bench.ended(await bench.file_command("rollback-db", version=PREPARED), timeout_s=90)

    assert (run.state, run.outcome) == (RunState.SUCCEEDED, "Done, and every step is proved."), steps
    assert await bench.sql(HEAD) == [(VERSIONS[-2],)]
    # The deployment that serves was made just before the migration ran, so the one before it fits.
    before = bench.railway.commits[1].sha
    actives = {name: service.active for name, service in bench.railway.services.items()}
    assert {name: active.commit.sha == before for name, active in actives.items() if active} == {
        "dragonfly-api": False,
        "dragonfly-worker-ingest": True,
        "dragonfly-worker-enforcement": True,
    }
    assert bench.wire.mutations == ["stop", "stop", "rollBack", "rollBack"]


async def test_a_rollback_that_fails_changes_nothing_and_leaves_everything_stopped(bench: Bench) -> None:
    await bench.sql("ALTER TABLE ops.intake_logs RENAME TO intake_log")
    bench.start_runner()

    run, steps = await bench.ended(await bench.file_command("rollback-db", version=PREPARED), timeout_s=90)

    failed = next(step for step in steps if step.state is StepState.FAILED)
    assert (run.state, failed.step["kind"]) == (RunState.FAILED, "ApplySqlFile"), steps
    assert "ops.intake_logs" in (failed.note or "")
    assert "enforcement is stopped; ingest is stopped" in (run.outcome or "")
    assert await bench.sql(HEAD) == [(PREPARED,)]
    assert bench.wire.mutations == ["stop", "stop"]
