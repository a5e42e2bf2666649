"""Rolling a migration back: only the prepared file, only from the head, whole or not at all."""

from __future__ import annotations

import shutil
from pathlib import Path

import psycopg
import pytest

from services.clients.postgres.migrations import MIGRATIONS, migrate
from services.clients.postgres.rollbacks import apply_rollback, read_rollbacks
from services.domain.database import PreparedRollback
from services.domain.errors import OperatorError
from services.domain.secrets import Secret
from tests.conftest import DatabaseUrls

FIRST, SECOND = "20260101000000", "20260102000000"
# Objects that migrations create and a rollback has to remove.
CATALOGUE = """
WITH ours AS (
    SELECT oid FROM pg_namespace WHERE nspname IN ('chatops', 'enforcement', 'intake', 'ops', 'public')
)
SELECT 'column', concat_ws(
    ' ', attrelid::regclass, attname, format_type(atttypid, atttypmod), attnotnull, relacl, attacl
)
FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
WHERE relnamespace IN (SELECT oid FROM ours) AND NOT attisdropped
UNION ALL
SELECT 'index', pg_get_indexdef(oid) FROM pg_class WHERE relkind = 'i' AND relnamespace IN (SELECT oid FROM ours)
UNION ALL
SELECT 'constraint', concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(oid))
FROM pg_constraint WHERE connamespace IN (SELECT oid FROM ours)
UNION ALL
SELECT 'function', pg_get_functiondef(oid) || coalesce(proacl::text, '')
FROM pg_proc WHERE pronamespace IN (SELECT oid FROM ours) AND prokind IN ('f', 'p')
UNION ALL
SELECT 'trigger', pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
UNION ALL
SELECT 'comment', concat_ws(' ', objoid::regclass, objsubid, description)
FROM pg_description WHERE classoid = 'pg_class'::regclass AND objoid >= 16384
ORDER BY 1, 2
"""


async def rows(dsn: str, query: str) -> list[tuple[object, ...]]:
    async with await psycopg.AsyncConnection.connect(dsn) as conn:
        return await (await conn.execute(query)).fetchall()


async def versions(dsn: str) -> list[object]:
    found = await rows(dsn, "SELECT version FROM supabase_migrations.schema_migrations ORDER BY version")
    return [version for (version,) in found]


@pytest.fixture
async def owner(empty_database_urls: DatabaseUrls, tmp_path: Path) -> str:
    """The DSN of a database with two migrations, the second of which can be rolled back."""
    for number, version in enumerate((FIRST, SECOND)):
        (tmp_path / f"{version}_t{number}.sql").write_text(f"CREATE TABLE public.t{number} (id integer);")
    (tmp_path / "rollbacks").mkdir()
    (tmp_path / "rollbacks" / f"{SECOND}_rollback.sql").write_text("DROP TABLE public.t1;")
    await migrate(Secret(empty_database_urls.owner), directory=tmp_path)
    return empty_database_urls.owner


@pytest.fixture
def prepared(tmp_path: Path, owner: str) -> PreparedRollback:  # noqa: ARG001 - it writes the file
    return read_rollbacks(tmp_path / "rollbacks")[SECOND]


async def test_the_newest_migration_is_undone_and_forgotten(
    owner: str, prepared: PreparedRollback, tmp_path: Path
) -> None:
    await apply_rollback(Secret(owner), prepared, head=SECOND, directory=tmp_path / "rollbacks")

    assert await versions(owner) == [FIRST]
    assert await rows(owner, "SELECT to_regclass('public.t0')::text, to_regclass('public.t1')::text") == [("t0", None)]


async def test_another_head_than_the_approved_one_is_left_alone(
    owner: str, prepared: PreparedRollback, tmp_path: Path
) -> None:
    (tmp_path / "20260103000000_t2.sql").write_text("CREATE TABLE public.t2 (id integer);")
    await migrate(Secret(owner), directory=tmp_path)

    with pytest.raises(OperatorError, match="20260103000000"):
        await apply_rollback(Secret(owner), prepared, head=SECOND, directory=tmp_path / "rollbacks")

    assert SECOND in await versions(owner)


async def test_a_file_that_changed_since_the_approval_is_not_applied(
    owner: str, prepared: PreparedRollback, tmp_path: Path
) -> None:
    (tmp_path / "rollbacks" / f"{SECOND}_rollback.sql").write_text("DROP TABLE public.t0;")

    with pytest.raises(OperatorError, match="that was approved"):
        await apply_rollback(Secret(owner), prepared, head=SECOND, directory=tmp_path / "rollbacks")

    assert await versions(owner) == [FIRST, SECOND]


async def test_a_failure_half_way_changes_nothing(owner: str, tmp_path: Path) -> None:
    (tmp_path / "rollbacks" / f"{SECOND}_rollback.sql").write_text("DROP TABLE public.t1;\nDROP TABLE public.nothing;")
    broken = read_rollbacks(tmp_path / "rollbacks")[SECOND]

    with pytest.raises(OperatorError, match='table "nothing" does not exist') as refused:
        await apply_rollback(Secret(owner), broken, head=SECOND, directory=tmp_path / "rollbacks")

    assert refused.value.what_next == "The schema is unchanged. Fix the cause first."
    assert await versions(owner) == [FIRST, SECOND]
    assert await rows(owner, "SELECT to_regclass('public.t1')::text") == [("t1",)]


@pytest.mark.parametrize("version", read_rollbacks())
async def test_each_of_our_own_rollbacks_leads_back_and_forth(
    empty_database_urls: DatabaseUrls, tmp_path: Path, version: str
) -> None:
    owner = empty_database_urls.owner
    shutil.copytree(MIGRATIONS, tmp_path, dirs_exist_ok=True)
    newest = [path for path in tmp_path.rglob("*.sql") if path.name.partition("_")[0] >= version]
    held_back = {path: path.read_bytes() for path in newest}
    for path in newest:
        path.unlink()
    await migrate(Secret(owner), directory=tmp_path)
    before = await rows(owner, CATALOGUE)
    (undoable,) = (path for path in newest if path.name.startswith(version))
    undoable.write_bytes(held_back[undoable])
    await migrate(Secret(owner), directory=tmp_path)
    migrated = await rows(owner, CATALOGUE)

    await apply_rollback(Secret(owner), read_rollbacks()[version], head=version)
    undone = await rows(owner, CATALOGUE)
    await migrate(Secret(owner), directory=tmp_path)

    assert before == undone
    assert migrated == await rows(owner, CATALOGUE)
    assert migrated != before
