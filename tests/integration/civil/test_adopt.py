"""Adopting an existing system: the bot gets its own schema and read rights; nothing else there changes."""

from __future__ import annotations

import shutil
import subprocess
import uuid
from collections.abc import Mapping
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from bot.cli import EXIT, Outcome, dispatch
from services.clients.postgres.adoption import adopt
from services.clients.postgres.migrations import MIGRATIONS
from services.clients.postgres.pool import Connection
from services.domain.errors import OperatorError
from services.domain.secrets import Secret
from services.domain.status import Status
from tests.integration.civil.conftest import Civil

JANUARY = pytest.mark.parametrize("civil", ["january"], indirect=True)  # where the vintage makes no difference


def dump(civil: Civil, *, without_bot: bool = False) -> list[str]:
    """Return the lines of `pg_dump --schema-only`, with rights and policies."""
    program = civil.server.program("pg_dump")
    skip = ["--exclude-schema=chatops"] if without_bot else []
    done = subprocess.run(
        [str(program), "--schema-only", *skip, civil.owner_dsn], capture_output=True, text=True, check=True
    )
    return [line for line in done.stdout.splitlines() if line and not line.startswith(("--", "\\"))]


def environ_of(civil: Civil) -> Mapping[str, str]:
    return {"ENVIRONMENT": "dev", "SUPABASE_MODE": "dev", "SUPABASE_DB_URL": civil.owner_dsn}


async def run(civil: Civil, *words: str) -> Outcome:
    return await dispatch(list(words), environ_of(civil))


async def attributes(conn: Connection) -> tuple[bool, ...] | None:
    cursor = await conn.execute(
        "SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls, rolcanlogin"
        " FROM pg_roles WHERE rolname = 'dragonfly_bot'"
    )
    return await cursor.fetchone()


async def test_only_reading_is_granted_and_undo_takes_everything_away(civil: Civil, as_owner: Connection) -> None:
    before = dump(civil)

    outcome = await run(civil, "adopt")
    adopted = dump(civil, without_bot=True)
    for statement in (await run(civil, "adopt", "--print-undo")).text.split(";"):
        await as_owner.execute(statement.encode())

    assert outcome.code == EXIT[Status.OK], outcome.text
    assert "Adopted the system civil" in outcome.text
    assert "ALTER ROLE dragonfly_bot PASSWORD" in outcome.text
    added = [line for line in adopted if line not in before]
    assert added
    assert [line for line in before if line not in adopted] == []
    assert [line for line in added if "dragonfly_bot" not in line] == []
    assert {line.split()[0] for line in added} == {"GRANT", "CREATE"}
    assert dump(civil) == before
    assert await attributes(as_owner) is None


@JANUARY
async def test_the_owners_address_alone_is_enough(civil: Civil) -> None:
    """No one can connect as the bot before its role exists."""
    environ = {"ENVIRONMENT": "dev", "SUPABASE_MODE": "dev", "DRAGONFLY_ADMIN_DB_URL": civil.owner_dsn}

    outcome = await dispatch(["adopt"], environ)

    assert outcome.code == EXIT[Status.OK], outcome.text
    assert "Adopted the system civil" in outcome.text


@JANUARY
async def test_the_role_has_no_attribute_but_login(civil: Civil, as_owner: Connection) -> None:
    await run(civil, "adopt")

    assert await attributes(as_owner) == (False, False, False, False, False, True)


@JANUARY
async def test_a_second_time_changes_nothing(civil: Civil) -> None:
    await run(civil, "adopt")
    first = dump(civil)

    again = await run(civil, "adopt")

    assert "nothing new in schema chatops" in again.text
    assert "PASSWORD" not in again.text
    assert dump(civil) == first


async def test_a_dry_run_changes_nothing(civil: Civil, as_owner: Connection) -> None:
    before = dump(civil)

    outcome = await run(civil, "adopt", "--dry-run")

    assert outcome.code == EXIT[Status.OK], outcome.text
    assert "Everything was rolled back" in outcome.text
    assert dump(civil) == before
    assert await attributes(as_owner) is None


@JANUARY
async def test_the_printed_script_does_the_same(civil: Civil, as_owner: Connection) -> None:
    script = (await run(civil, "adopt", "--print")).text
    await as_owner.execute(script.encode())
    by_script = dump(civil)

    again = await run(civil, "adopt")

    assert "nothing new in schema chatops" in again.text
    assert dump(civil) == by_script


async def test_the_bot_sees_every_row_and_nothing_personal(civil: Civil, as_owner: Connection) -> None:
    await as_owner.execute("INSERT INTO ops.worker_heartbeats (worker_id, worker_type) VALUES ('w-1', 'ingest')")
    await as_owner.execute("INSERT INTO ops.job_queue (job_type, payload) VALUES ('ingest_csv', '{}')")
    await run(civil, "adopt")

    async with await psycopg.AsyncConnection.connect(civil.dsn("dragonfly_bot"), autocommit=True) as as_bot:
        for table, column in (("job_queue", "id"), ("worker_heartbeats", "worker_id")):
            count = sql.SQL("SELECT count({}) FROM ops.{}").format(sql.Identifier(column), sql.Identifier(table))
            counted = await as_bot.execute(count)
            assert await counted.fetchone() == (1,)
        for statement in (
            "SELECT payload FROM ops.job_queue",
            "SELECT raw_payload FROM ops.intake_logs",
            "SELECT 1 FROM intake.simplicity_raw_rows",
            "UPDATE ops.job_queue SET status = 'pending'",
            "SELECT ops.reap_stuck_jobs(1)",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await as_bot.execute(statement.encode())


JOBS = {  # status, attempts, age of the lock, worker
    "failed": ("failed", 3, "1 hour", "w-alive"),
    "orphaned": ("processing", 2, "1 hour", "w-dead"),
    "running": ("processing", 1, "0 s", "w-alive"),
    "done": ("completed", 1, "0 s", "w-alive"),
    "waiting": ("pending", 1, "0 s", "w-alive"),
}
QUEUE_JOB = (
    "INSERT INTO ops.job_queue (job_type, payload, status, attempts, locked_at, worker_id)"
    " VALUES ('ingest_csv', '{}', %s, %s, now() - %s::interval, %s) RETURNING id"
)


async def test_only_failed_and_orphaned_jobs_are_requeued(civil: Civil, as_owner: Connection) -> None:
    await run(civil, "adopt")
    await as_owner.execute(
        "INSERT INTO ops.worker_heartbeats (worker_id, worker_type, last_seen_at)"
        " VALUES ('w-alive', 'ingest', now()), ('w-dead', 'ingest', now() - interval '1 hour')"
    )
    ids: dict[str, uuid.UUID] = {}
    for name, job in JOBS.items():
        ((ids[name],),) = await (await as_owner.execute(QUEUE_JOB, job)).fetchall()

    async with await psycopg.AsyncConnection.connect(civil.dsn("dragonfly_bot"), autocommit=True) as as_bot:
        cursor = await as_bot.execute("SELECT chatops.requeue_jobs(%s, '90 s')", [list(ids.values())])
        requeued = {one for (one,) in await cursor.fetchall()}

    assert requeued == {ids["failed"], ids["orphaned"]}
    cursor = await as_owner.execute(
        "SELECT status::text, attempts, locked_at, worker_id FROM ops.job_queue WHERE id = ANY (%s) ORDER BY attempts",
        [list(requeued)],
    )
    assert await cursor.fetchall() == [("pending", 2, None, None), ("pending", 3, None, None)]


@JANUARY  # duplicate jobs exist since January only
async def test_a_job_whose_twin_is_open_stays_failed_and_the_others_are_requeued(
    civil: Civil, as_owner: Connection
) -> None:
    await run(civil, "adopt")
    await as_owner.execute(
        "INSERT INTO ops.job_queue (job_type, payload, status, dedup_key) VALUES"
        " ('ingest_csv', '{}', 'failed', 'a'), ('ingest_csv', '{}', 'pending', 'a'),"
        " ('ingest_csv', '{}', 'failed', 'b')"
    )
    cursor = await as_owner.execute("SELECT array_agg(id) FROM ops.job_queue WHERE status = 'failed'")

    await as_owner.execute("SELECT chatops.requeue_jobs(%s, '90 s')", list(await cursor.fetchone() or ()))

    cursor = await as_owner.execute("SELECT dedup_key FROM ops.job_queue WHERE status = 'failed'")
    assert await cursor.fetchall() == [("a",)]


@pytest.mark.parametrize("civil", ["december"], indirect=True)  # the guard reads only the catalog
@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("ALTER TABLE ops.job_queue ADD COLUMN note text;", "column ops.job_queue note"),
        ("GRANT SELECT ON ops.job_queue TO anon;", "relation ops.job_queue"),
        ("REVOKE USAGE ON SCHEMA ops FROM service_role;", "schema ops"),
        ("CREATE POLICY mine ON ops.job_queue USING (true);", "policy ops.job_queue mine"),
        ("CREATE POLICY dragonfly_bot_all ON ops.job_queue TO dragonfly_bot USING (true);", "policy dragonfly_bot_all"),
        ("GRANT UPDATE ON ops.job_queue TO dragonfly_bot;", "UPDATE on ops.job_queue"),
        ("GRANT EXECUTE ON FUNCTION ops.reap_stuck_jobs(integer) TO dragonfly_bot;", "EXECUTE on ops.reap_stuck_jobs"),
        ("ALTER ROLE dragonfly_bot CREATEDB;", "role attribute CREATEDB"),
        ("ALTER TABLE ops.job_queue DISABLE TRIGGER set_updated_at;", "trigger ops.job_queue set_updated_at"),
        ("INSERT INTO ops.worker_heartbeats (worker_id, worker_type) VALUES ('x', 'y');", "rows written in"),
        ("CREATE FUNCTION ops.mine() RETURNS int LANGUAGE sql AS 'SELECT 1';", "function ops"),
        ("DROP INDEX ops.job_queue_status_idx;", "relation ops.job_queue_status_idx"),
    ],
)
async def test_a_statement_that_touches_more_is_rolled_back(
    civil: Civil, tmp_path: Path, statement: str, named: str
) -> None:
    before = dump(civil, without_bot=True)
    (tmp_path / "chatops").mkdir()
    (tmp_path / "chatops" / "20260101000000_more.sql").write_text(statement)

    with pytest.raises(OperatorError, match="rolled back") as caught:
        await adopt(Secret(civil.owner_dsn), environment="dev", directory=tmp_path)

    assert named in caught.value.why
    assert dump(civil, without_bot=True) == before


@JANUARY
async def test_a_file_edited_after_an_adoption_is_refused_with_adopt_as_the_next_step(
    civil: Civil, tmp_path: Path
) -> None:
    directory = shutil.copytree(MIGRATIONS, tmp_path / "migrations")
    await adopt(Secret(civil.owner_dsn), environment="dev", directory=directory)
    before = dump(civil)
    edited = max((directory / "chatops").glob("*.sql"))
    edited.write_text(f"{edited.read_text()}\n-- edited")

    with pytest.raises(OperatorError, match="Nothing was migrated") as caught:
        await adopt(Secret(civil.owner_dsn), environment="dev", directory=directory)

    assert edited.stem in caught.value.why
    assert "`dragonfly adopt`" in caught.value.what_next
    assert dump(civil) == before


@JANUARY
async def test_another_environment_is_refused(civil: Civil) -> None:
    await run(civil, "adopt")

    outcome = await dispatch(
        ["adopt"], dict(environ_of(civil)) | {"ENVIRONMENT": "staging", "SUPABASE_MODE": "staging"}
    )

    assert outcome.code == EXIT[Status.FAIL]
    assert "belongs to dev" in outcome.text


async def test_migrate_changes_nothing_and_names_adopt(civil: Civil) -> None:
    before = dump(civil)

    outcome = await run(civil, "migrate")

    assert outcome.code == EXIT[Status.FAIL]
    assert "run dragonfly adopt" in outcome.text
    assert dump(civil) == before


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("ALTER TABLE ops.job_queue RENAME COLUMN last_error TO oops", "would have ops.job_queue.last_error"),
        ("DROP SCHEMA ops CASCADE; DROP SCHEMA intake CASCADE", "no system yet"),
    ],
)
async def test_an_unknown_system_is_refused_with_what_differs(
    civil: Civil, as_owner: Connection, statement: str, why: str
) -> None:
    await as_owner.execute(statement.encode())

    outcome = await run(civil, "adopt")

    assert outcome.code == EXIT[Status.FAIL]
    assert why in outcome.text
    assert "nothing was changed" in outcome.text


@JANUARY
async def test_our_own_system_is_migrated_not_adopted(civil: Civil, as_owner: Connection) -> None:
    await as_owner.execute(
        "DROP SCHEMA ops CASCADE; DROP SCHEMA intake CASCADE; DROP SCHEMA supabase_migrations CASCADE"
    )
    await run(civil, "migrate")

    outcome = await run(civil, "adopt")

    assert "Run dragonfly migrate" in outcome.text
