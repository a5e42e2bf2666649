"""Applies `sql/migrations/` in order. Typed calls of `sql/queries/migrations.sql`.

`sql/migrations/operated/` creates the system that the bot operates. It is recorded as Supabase does, in
`supabase_migrations.schema_migrations`, with two more columns: the time, and the file's checksum.
`sql/migrations/chatops/` creates the bot's own schema and is recorded there, in `chatops.migrations`, because an
existing system gets only this part. Versions are unique across both. Forward only; an applied file is never edited.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

import psycopg

from services.clients.postgres.errors import explain, explain_file
from services.clients.postgres.pool import Connection, connect, system_of
from services.clients.postgres.queries import SQL, SQL_DIRECTORY, fetch_row
from services.domain.database import AppliedMigration, MigrationStatus, RecordedMigrations
from services.domain.errors import OperatorError
from services.domain.secrets import Secret


class Purpose(StrEnum):
    """The owner of the tables that a migration creates; also the folder of its file."""

    CHATOPS = "chatops"
    OPERATED = "operated"


MIGRATIONS = SQL_DIRECTORY / "migrations"
LOCK_TIMEOUT_S = 5  # a migration that waits for a lock also blocks every session that queues behind it
MIGRATION_LOCK_TIMEOUT_S = 120  # another replica's pre-deploy command may be migrating
COLUMNS = 4  # version, name, executed_at, checksum
LOCK_KEY = 0x6472_6167_6F6E_666C  # "dragonfl"

_AGAIN = "The earlier ones stay applied. Fix the cause, then run `dragonfly migrate` again."
_RECORD = {Purpose.CHATOPS: SQL["record_chatops_migration"], Purpose.OPERATED: SQL["record_migration"]}
_FILE = re.compile(r"(?P<version>\d{14})_(?P<name>[a-z0-9_]+)\.sql\Z")


@dataclass(frozen=True)
class Migration:
    """One migration file. `checksum` is the SHA-256 of its bytes, in hex."""

    version: str
    name: str
    sql: str
    checksum: str
    purpose: Purpose

    @property
    def title(self) -> str:
        return f"{self.version}_{self.name}"


@dataclass(frozen=True)
class MigrationOutcome:
    """The result of `migrate`. `applied`: files applied now, as `version_name`.

    `unknown`: versions of a newer schema, which are left alone.
    """

    applied: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def notice(self) -> str:
        """The result as one sentence for the terminal."""
        if self.unknown:
            return f"The schema is newer than these files (it has {', '.join(self.unknown)}); nothing was undone."
        if self.applied:
            return f"Applied {len(self.applied)}: {', '.join(self.applied)}."
        return "Nothing to apply: the schema is up to date."


def read_files(directory: Path = MIGRATIONS) -> tuple[Migration, ...]:
    """Read the migration files of both purposes, ordered by version; a file in no folder is of the operated system.

    Raises OperatorError for an invalid file name or a version used twice.
    """
    found: dict[str, Migration] = {}
    folders = (directory, *(directory / purpose for purpose in Purpose))
    for path in sorted((path for folder in folders for path in folder.glob("*.sql")), key=lambda path: path.name):
        match = _FILE.match(path.name)
        if match is None or match["version"] in found:
            raise OperatorError(
                "The migrations cannot be read",
                why=f"{path.name} has no version of its own (14 digits, then a name)",
                what_next="Rename it to `YYYYMMDDHHMMSS_name.sql`; then `dragonfly migrate`.",
            )
        content = path.read_bytes()
        checksum = hashlib.sha256(content).hexdigest()
        purpose = Purpose.CHATOPS if path.parent.name == Purpose.CHATOPS else Purpose.OPERATED
        found[match["version"]] = Migration(match["version"], match["name"], content.decode(), checksum, purpose)
    return tuple(found.values())


async def migrate(dsn: Secret, *, directory: Path = MIGRATIONS) -> MigrationOutcome:
    """Apply what is pending, as the role of the DSN. Safe to call from many processes at once.

    Raises OperatorError if the database holds another system's tables (nothing is changed then), an applied file was
    changed, or a file fails (its transaction is rolled back, earlier files stay applied), and SourceError if the server
    can't be used.
    """
    files = read_files(directory)
    applied: list[str] = []
    conn = await connect(dsn, application_name="dragonfly-migrate", timeout_s=10)
    try:
        await _refuse_another_system(conn, files)
        await _prepare(conn, files)
        while (title := await _apply_next(conn, files)) is not None:
            applied.append(title)
        return MigrationOutcome(tuple(applied), (await _read_status(conn, files)).unknown)
    except psycopg.Error as error:
        raise explain(error, timeout_s=MIGRATION_LOCK_TIMEOUT_S) from None
    finally:
        await conn.close()


async def read_migrations(conn: Connection, *, directory: Path = MIGRATIONS) -> MigrationStatus:
    """Compare the files with the migrations that the database reports. An empty database has none applied.

    In an existing system only the bot's own schema is compared; which other migrations it should have is unknown.
    """
    files = read_files(directory)
    if system_of(conn).is_migrated:
        return await _read_status(conn, files)
    own = [file for file in files if file.purpose is Purpose.CHATOPS]
    applied = await list_own(conn) if (await read_tables(conn)).has_own else ()
    return replace(compare(own, applied), is_migrated=False, recorded=await _read_recorded(conn))


async def _read_recorded(conn: Connection) -> RecordedMigrations | None:
    may_read = await (await conn.execute(SQL["may_read_recorded"])).fetchone()
    if not may_read or not may_read[0]:
        return None
    return await fetch_row(conn, RecordedMigrations, "read_recorded")


async def _apply_next(conn: Connection, files: tuple[Migration, ...]) -> str | None:
    """Apply the first pending file and return its title; None if nothing is pending.

    The lock belongs to the transaction, so that it works through a transaction pooler too; pending files are determined
    under the lock, so that two processes never apply the same file.
    """
    async with migration_lock(conn):
        status = await _read_status(conn, files)
        refuse_changed(status, command="dragonfly migrate")
        pending = next((file for file in files if file.title in status.pending), None)
        if pending is None:
            return None
        await conn.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_S}s'")
        await apply_file(conn, pending, what_next=_AGAIN)
        return pending.title


async def apply_file(conn: Connection, file: Migration, *, what_next: str) -> None:
    """Run one file and record it, in the caller's transaction. Raises OperatorError as `run_sql` does."""
    await run_sql(conn, file.sql, what=f"The migration {file.title}", what_next=what_next)
    record = {"version": file.version, "name": file.name, "checksum": file.checksum}
    await conn.execute(_RECORD[file.purpose], record)


@contextlib.asynccontextmanager
async def migration_lock(conn: Connection) -> AsyncIterator[None]:
    """A transaction during which no other process migrates or rolls back."""
    async with conn.transaction():
        await conn.execute(f"SET LOCAL lock_timeout = '{MIGRATION_LOCK_TIMEOUT_S}s'; SET LOCAL statement_timeout = 0")
        await conn.execute(SQL["lock_migrations"], {"key": LOCK_KEY})
        yield


async def _prepare(conn: Connection, files: tuple[Migration, ...]) -> None:
    """Create or widen the tables of migrations; complete tables are left alone, because ALTER locks them."""
    async with migration_lock(conn):
        tables, what = await read_tables(conn), "The migration of the table of migrations"
        if tables.columns < COLUMNS:
            await run_sql(conn, SQL["prepare_migrations"], what=what, what_next=_AGAIN)
        own = [file.version for file in files if file.purpose is Purpose.CHATOPS]
        if own and not tables.has_own:
            await run_sql(conn, SQL["prepare_chatops_migrations"], what=what, what_next=_AGAIN)
            await conn.execute(SQL["copy_chatops_migrations"], {"versions": own})


async def run_sql(conn: Connection, sql: str, *, what: str, what_next: str) -> None:
    """Run a whole file. Raises OperatorError ("<what> failed and was rolled back") that names the line."""
    try:
        await conn.execute(sql)
    except psycopg.Error as error:
        line = sql.count("\n", 0, int(error.diag.statement_position or 1) - 1) + 1
        raise OperatorError(
            f"{what} failed and was rolled back",
            why=f"{explain_file(error)} (line {line}, SQLSTATE {error.sqlstate})",
            what_next=what_next,
        ) from None


async def _read_status(conn: Connection, files: tuple[Migration, ...]) -> MigrationStatus:
    return compare(files, await list_applied(conn))


def compare(files: Sequence[Migration], applied: tuple[AppliedMigration, ...]) -> MigrationStatus:
    """Compare the files with the migrations that a database reports."""
    by_version = {migration.version: migration for migration in applied}
    known = {file.version for file in files}
    return MigrationStatus(
        applied=applied,
        pending=tuple(file.title for file in files if file.version not in by_version),
        changed=tuple(file.title for file in files if _is_changed(file, by_version.get(file.version))),
        unknown=tuple(version for version in by_version if version not in known),
    )


def _is_changed(file: Migration, applied: AppliedMigration | None) -> bool:
    return applied is not None and applied.checksum is not None and applied.checksum != file.checksum


async def list_applied(conn: Connection) -> tuple[AppliedMigration, ...]:
    """List the applied migrations, oldest first; empty if the database was never migrated."""
    tables = await read_tables(conn)
    applied: dict[str, AppliedMigration] = {}
    if tables.columns:
        rows = await (await conn.execute(SQL["list_migrations"])).fetchall()
        applied |= {row[0]: AppliedMigration(*row) for row in rows}
    if tables.has_own:
        applied |= {migration.version: migration for migration in await list_own(conn)}
    return tuple(applied[version] for version in sorted(applied))


async def list_own(conn: Connection) -> tuple[AppliedMigration, ...]:
    """List the applied migrations of the bot's own schema, oldest first."""
    rows = await (await conn.execute(SQL["list_chatops_migrations"])).fetchall()
    return tuple(AppliedMigration(*row) for row in rows)


async def _refuse_another_system(conn: Connection, files: tuple[Migration, ...]) -> None:
    """Raise OperatorError if `ops` or `intake` has tables that no recorded migration of ours created. Reads only."""
    async with migration_lock(conn):
        standing = await list_operated_tables(conn)
        if not standing or await _has_any_of(conn, files):
            return
    raise OperatorError(
        "Nothing was migrated, and nothing was changed",
        why=f"this database has tables of another system that no migration here made: {', '.join(standing)}",
        what_next="To operate that system, run `dragonfly adopt`. If it is the wrong database, correct "
        "DRAGONFLY_ADMIN_DB_URL or SUPABASE_DB_URL: `dragonfly migrate` needs a database of its own.",
    )


async def list_operated_tables(conn: Connection, *, limit: int = 5) -> list[str]:
    """List tables in `ops` and `intake`, as schema.table, whatever created them."""
    cursor = await conn.execute(SQL["list_operated_tables"], {"limit": limit})
    return [str(name) for (name,) in await cursor.fetchall()]


async def _has_any_of(conn: Connection, files: tuple[Migration, ...]) -> bool:
    if (await read_tables(conn)).columns == 0:
        return False
    titles = {file.title for file in files if file.purpose is Purpose.OPERATED}
    cursor = await conn.execute(SQL["list_recorded_names"])
    return any(f"{version}_{name}" in titles for version, name in await cursor.fetchall())


@dataclass(frozen=True)
class MigrationTables:
    """The tables of migrations that exist. `has_own`: `chatops.migrations` does.

    `columns`: how many of our 4 columns Supabase's table has, 0 if there is no such table.
    """

    columns: int
    has_own: bool


async def read_tables(conn: Connection) -> MigrationTables:
    """Read from the catalog, which is visible to every role, which tables of migrations exist."""
    row = await (await conn.execute(SQL["read_migration_tables"])).fetchone()
    return MigrationTables(int(row[0]), bool(row[1])) if row else MigrationTables(0, has_own=False)


def refuse_changed(status: MigrationStatus, *, command: str) -> None:
    """Raise OperatorError if an applied file was edited. `command`: the command that the operator is to run again."""
    if status.changed:
        raise OperatorError(
            "Nothing was migrated",
            why=f"applied files were changed afterwards: {', '.join(status.changed)}",
            what_next=f"Restore them from git, and put the change into a new file; then run `{command}` again.",
        )
