"""Migrating: once, in order, by one process at a time, and never over a changed file."""

from __future__ import annotations

import asyncio
from pathlib import Path

import psycopg
import pytest

from services.clients.postgres.migrations import migrate, read_files, read_migrations
from services.clients.postgres.pool import Connection, Database
from services.domain.errors import OperatorError, SourceError
from services.domain.secrets import Secret
from tests.conftest import DatabaseUrls

FIRST = "CREATE TABLE public.first (id integer);"
SECOND = "CREATE TABLE public.second (id integer);"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "20260101000000_first.sql").write_text(FIRST)
    (tmp_path / "20260102000000_second.sql").write_text(SECOND)
    return tmp_path


async def rows(dsn: str, query: str) -> list[tuple[object, ...]]:
    async with await psycopg.AsyncConnection.connect(dsn) as conn:
        return await (await conn.execute(query)).fetchall()


async def test_an_empty_database_gets_every_file_in_order(empty_database_urls: DatabaseUrls, directory: Path) -> None:
    outcome = await migrate(Secret(empty_database_urls.owner), directory=directory)
    recorded = await rows(
        empty_database_urls.owner,
        "SELECT version, name, executed_at <= clock_timestamp(), length(checksum) "
        "FROM supabase_migrations.schema_migrations ORDER BY executed_at",
    )

    assert outcome.applied == ("20260101000000_first", "20260102000000_second")
    assert outcome.notice == "Applied 2: 20260101000000_first, 20260102000000_second."
    assert recorded == [("20260101000000", "first", True, 64), ("20260102000000", "second", True, 64)]


async def test_our_own_files_apply_as_the_owner_and_a_second_run_does_nothing(
    empty_database_urls: DatabaseUrls,
) -> None:
    first = await migrate(Secret(empty_database_urls.owner))
    second = await migrate(Secret(empty_database_urls.owner))

    assert first.applied == tuple(file.title for file in read_files())
    assert second.applied == ()
    assert second.notice == "Nothing to apply: the schema is up to date."


async def test_several_processes_at_once_apply_each_file_once(
    empty_database_urls: DatabaseUrls, directory: Path
) -> None:
    dsn = Secret(empty_database_urls.owner)

    outcomes = await asyncio.gather(*(migrate(dsn, directory=directory) for _ in range(4)))

    assert sorted(title for outcome in outcomes for title in outcome.applied) == [
        "20260101000000_first",
        "20260102000000_second",
    ]


async def test_a_changed_file_is_refused_and_shown(empty_database_urls: DatabaseUrls, directory: Path) -> None:
    await migrate(Secret(empty_database_urls.owner), directory=directory)
    (directory / "20260101000000_first.sql").write_text(FIRST + " -- edited")
    (directory / "20260103000000_third.sql").write_text("CREATE TABLE public.third ();")

    with pytest.raises(OperatorError, match="20260101000000_first") as caught:
        await migrate(Secret(empty_database_urls.owner), directory=directory)
    async with await psycopg.AsyncConnection.connect(empty_database_urls.owner) as conn:
        status = await read_migrations(conn, directory=directory)

    assert caught.value.what == "Nothing was migrated"
    assert status.changed == ("20260101000000_first",)
    assert status.pending == ("20260103000000_third",)


async def test_a_newer_schema_is_left_alone(empty_database_urls: DatabaseUrls, directory: Path) -> None:
    await migrate(Secret(empty_database_urls.owner), directory=directory)
    (directory / "20260102000000_second.sql").unlink()

    outcome = await migrate(Secret(empty_database_urls.owner), directory=directory)

    assert outcome.applied == ()
    assert outcome.unknown == ("20260102000000",)
    assert outcome.notice == "The schema is newer than these files (it has 20260102000000); nothing was undone."


async def test_a_file_that_fails_is_rolled_back_and_the_earlier_ones_stay(
    empty_database_urls: DatabaseUrls, directory: Path
) -> None:
    (directory / "20260102000000_second.sql").write_text(f"{SECOND}\n\nSELECT nonsense;")

    with pytest.raises(OperatorError, match=r'column "nonsense" does not exist \(line 3, SQLSTATE 42703\)'):
        await migrate(Secret(empty_database_urls.owner), directory=directory)
    tables = await rows(empty_database_urls.owner, "SELECT relname FROM pg_class WHERE relname IN ('first', 'second')")

    assert tables == [("first",)]


async def test_a_lock_that_is_held_ends_the_migration_instead_of_blocking_everyone(
    empty_database_urls: DatabaseUrls, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.clients.postgres.migrations.LOCK_TIMEOUT_S", 0.1)
    await migrate(Secret(empty_database_urls.owner), directory=directory)
    (directory / "20260103000000_third.sql").write_text("ALTER TABLE public.first ADD COLUMN note text;")

    async with await psycopg.AsyncConnection.connect(empty_database_urls.owner) as reader:
        await reader.execute("SELECT FROM public.first")
        with pytest.raises(OperatorError, match="lock timeout"):
            await migrate(Secret(empty_database_urls.owner), directory=directory)


async def test_rows_that_the_supabase_cli_wrote_are_taken_over(
    empty_database_urls: DatabaseUrls, directory: Path
) -> None:
    async with await psycopg.AsyncConnection.connect(empty_database_urls.owner) as conn:
        await conn.execute("CREATE SCHEMA supabase_migrations")
        await conn.execute(
            "CREATE TABLE supabase_migrations.schema_migrations "
            "(version text PRIMARY KEY, statements text[], name text)"
        )
        await conn.execute(FIRST)
        await conn.execute("INSERT INTO supabase_migrations.schema_migrations VALUES ('20260101000000', '{}', 'first')")

    outcome = await migrate(Secret(empty_database_urls.owner), directory=directory)
    async with await psycopg.AsyncConnection.connect(empty_database_urls.owner) as conn:
        status = await read_migrations(conn, directory=directory)

    assert outcome.applied == ("20260102000000_second",)
    assert status.applied[0].executed_at.year == 2026
    assert status.changed == ()


async def test_the_bot_reads_what_is_applied(database_urls: DatabaseUrls) -> None:
    database = Database.connect_lazily(Secret(database_urls.bot), application_name="test", timeout_s=60.0)

    async with database.read() as conn:
        status = await read_migrations(conn)

    await database.close()
    assert [migration.version for migration in status.applied] == [file.version for file in read_files()]
    assert (status.pending, status.changed, status.unknown) == ((), (), ())


async def test_an_empty_database_has_everything_pending(empty_database_urls: DatabaseUrls, directory: Path) -> None:
    async with await psycopg.AsyncConnection.connect(empty_database_urls.bot) as conn:
        status = await read_migrations(conn, directory=directory)

    assert status.head is None
    assert status.pending == ("20260101000000_first", "20260102000000_second")


async def test_without_rights_on_the_table_nothing_looks_up_to_date(
    database_urls: DatabaseUrls, as_owner: Connection
) -> None:
    await as_owner.execute("REVOKE ALL ON supabase_migrations.schema_migrations FROM dragonfly_bot")
    await as_owner.execute(
        "REVOKE SELECT (version, name, executed_at, checksum) "
        "ON supabase_migrations.schema_migrations FROM dragonfly_bot"
    )
    database = Database.connect_lazily(Secret(database_urls.bot), application_name="test", timeout_s=60.0)

    async def read() -> None:
        async with database.read() as conn:
            await read_migrations(conn)

    with pytest.raises(SourceError, match="permission denied for table schema_migrations"):
        await read()
    await database.close()


ANOTHER_SYSTEM = """
CREATE SCHEMA ops;
CREATE TABLE ops.job_queue (id uuid PRIMARY KEY, last_error text);
CREATE SCHEMA supabase_migrations;
CREATE TABLE supabase_migrations.schema_migrations (version text PRIMARY KEY, statements text[], name text);
INSERT INTO supabase_migrations.schema_migrations VALUES ('0001', '{}', 'init'), ('20260101000000', '{}', 'other');
"""
CATALOGUE = """
SELECT nspname, relname, attname, relacl::text
FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace JOIN pg_attribute ON attrelid = pg_class.oid
WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema' ORDER BY 1, 2, attnum
"""


@pytest.mark.parametrize("statements", [ANOTHER_SYSTEM, "CREATE SCHEMA intake; CREATE TABLE intake.batches (id uuid)"])
async def test_a_database_of_another_system_is_refused_before_anything_is_changed(
    empty_database_urls: DatabaseUrls, directory: Path, statements: str
) -> None:
    async with await psycopg.AsyncConnection.connect(empty_database_urls.owner, autocommit=True) as conn:
        await conn.execute(statements.encode())
    before = await rows(empty_database_urls.owner, CATALOGUE)

    with pytest.raises(OperatorError, match="nothing was changed") as caught:
        await migrate(Secret(empty_database_urls.owner), directory=directory)

    assert "of another system" in caught.value.why
    assert "ops.job_queue" in caught.value.why or "intake.batches" in caught.value.why
    assert await rows(empty_database_urls.owner, CATALOGUE) == before


async def test_tables_that_our_files_made_are_migrated_further(
    empty_database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    (tmp_path / "20260101000000_first.sql").write_text("CREATE SCHEMA ops; CREATE TABLE ops.first (id integer);")
    await migrate(Secret(empty_database_urls.owner), directory=tmp_path)
    (tmp_path / "20260102000000_second.sql").write_text(SECOND)

    outcome = await migrate(Secret(empty_database_urls.owner), directory=tmp_path)

    assert outcome.applied == ("20260102000000_second",)


@pytest.fixture
def two_folders(tmp_path: Path) -> Path:
    """The bot's migration comes between two of the operated system."""
    for folder, name, content in (
        ("operated", "20260101000000_first", FIRST),
        ("chatops", "20260102000000_own", "CREATE TABLE chatops.own (id integer);"),
        ("operated", "20260103000000_second", SECOND),
    ):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / f"{name}.sql").write_text(content)
    return tmp_path


OWN = "SELECT version FROM chatops.migrations ORDER BY 1"
OPERATED = "SELECT version FROM supabase_migrations.schema_migrations ORDER BY 1"


async def test_the_bots_own_migrations_are_recorded_in_its_own_schema(
    empty_database_urls: DatabaseUrls, two_folders: Path
) -> None:
    outcome = await migrate(Secret(empty_database_urls.owner), directory=two_folders)
    async with await psycopg.AsyncConnection.connect(empty_database_urls.owner) as conn:
        status = await read_migrations(conn, directory=two_folders)

    assert outcome.applied == ("20260101000000_first", "20260102000000_own", "20260103000000_second")
    assert await rows(empty_database_urls.owner, OWN) == [("20260102000000",)]
    assert await rows(empty_database_urls.owner, OPERATED) == [("20260101000000",), ("20260103000000",)]
    assert [one.version for one in status.applied] == ["20260101000000", "20260102000000", "20260103000000"]
    assert (status.pending, status.unknown) == ((), ())


async def test_migrations_recorded_by_a_former_release_are_not_applied_again(
    empty_database_urls: DatabaseUrls, two_folders: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    former = tmp_path_factory.mktemp("former")
    for file in two_folders.rglob("*.sql"):
        (former / file.name).write_bytes(file.read_bytes())
    async with await psycopg.AsyncConnection.connect(empty_database_urls.owner, autocommit=True) as conn:
        await conn.execute("CREATE SCHEMA chatops")
    await migrate(Secret(empty_database_urls.owner), directory=former)

    outcome = await migrate(Secret(empty_database_urls.owner), directory=two_folders)
    again = await migrate(Secret(empty_database_urls.owner), directory=former)  # an old deployment, rolled back to

    assert (outcome.applied, again.applied) == ((), ())
    assert await rows(empty_database_urls.owner, OWN) == [("20260102000000",)]
    assert len(await rows(empty_database_urls.owner, OPERATED)) == 3
