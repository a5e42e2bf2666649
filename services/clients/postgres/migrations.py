"""Applies `sql/migrations/` in order and `sql/rollbacks/` on request, and names a database's environment.

The typed calls of `sql/queries/migrations.sql` and `sql/queries/installation.sql`.

`sql/migrations/operated/` makes the system that the bot operates. It is recorded as Supabase does, in
`supabase_migrations.schema_migrations`, with two columns of ours: when, and the file's checksum.
`sql/migrations/chatops/` makes the bot's own schema and is recorded there, in `chatops.migrations`, because a system
that stands already gets only this part. Versions are unique across both. Forward only; an applied file is never edited.
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
from services.domain.database import AppliedMigration, MigrationStatus, PreparedRollback, RecordedMigrations
from services.domain.errors import OperatorError
from services.domain.secrets import Secret
from services.domain.systems import RUNBOOK


class Purpose(StrEnum):
    """Whose tables a migration makes; the folder of its file."""

    CHATOPS = "chatops"
    OPERATED = "operated"


MIGRATIONS = SQL_DIRECTORY / "migrations"
LOCK_TIMEOUT_S = 5  # a migration that waits for a lock also blocks every session behind it
MIGRATION_LOCK_TIMEOUT_S = 120  # another replica's pre-deploy command may be migrating
COLUMNS = 4  # version, name, executed_at, checksum
LOCK_KEY = 0x6472_6167_6F6E_666C  # "dragonfl"

_AGAIN = "The earlier ones stay applied. Fix the cause, then run `dragonfly migrate` again."
_RECORD = {Purpose.CHATOPS: SQL["record_chatops_migration"], Purpose.OPERATED: SQL["record_migration"]}
_FILE = re.compile(r"(?P<version>\d{14})_(?P<name>[a-z0-9_]+)\.sql\Z")


@dataclass(frozen=True)
class Migration:
    """One file. `checksum` is the SHA-256 of its bytes, in hexadecimal."""

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
    """`applied` now, as `version_name`; `unknown` are versions of a newer schema, which are left alone."""

    applied: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def notice(self) -> str:
        """One sentence for the terminal."""
        if self.unknown:
            return f"The schema is newer than these files (it has {', '.join(self.unknown)}); nothing was undone."
        if self.applied:
            return f"Applied {len(self.applied)}: {', '.join(self.applied)}."
        return "Nothing to apply: the schema is up to date."


def read_files(directory: Path = MIGRATIONS) -> tuple[Migration, ...]:
    """The migration files of both purposes in the order of their versions; one in no folder is of the operated system.

    Raises OperatorError for a name that does not fit or a version used twice.
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

    Raises OperatorError when the tables that stand there are of another system (nothing is changed then), when an
    applied file was changed, or when a file fails (its transaction is rolled back, the ones before it stay), and
    SourceError when the server cannot be used.
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
    """What the files say against what the database reports. An empty database has nothing applied.

    In a system that stands already only the bot's own schema is compared: what else should be there is not known.
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
    """Apply the first pending file; None when there is none.

    The lock belongs to the transaction, so that it works through a transaction pooler too; what is pending is read
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
    """Make or widen the tables of migrations; those that are complete are left alone, because ALTER locks them."""
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
    """What these files say against what a database says."""
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
    """What the database has, oldest first; nothing when it was never migrated."""
    tables = await read_tables(conn)
    applied: dict[str, AppliedMigration] = {}
    if tables.columns:
        rows = await (await conn.execute(SQL["list_migrations"])).fetchall()
        applied |= {row[0]: AppliedMigration(*row) for row in rows}
    if tables.has_own:
        applied |= {migration.version: migration for migration in await list_own(conn)}
    return tuple(applied[version] for version in sorted(applied))


async def list_own(conn: Connection) -> tuple[AppliedMigration, ...]:
    """What is applied of the bot's own schema, oldest first."""
    rows = await (await conn.execute(SQL["list_chatops_migrations"])).fetchall()
    return tuple(AppliedMigration(*row) for row in rows)


async def _refuse_another_system(conn: Connection, files: tuple[Migration, ...]) -> None:
    """Read only. Tables stand in `ops` or `intake`, and no migration that made them is recorded: not ours to change."""
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
    """Tables in `ops` and `intake`, by schema and name, whatever made them."""
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
    """`columns`: how many of ours Supabase's table has. `has_own`: whether `chatops.migrations` exists."""

    columns: int
    has_own: bool


async def read_tables(conn: Connection) -> MigrationTables:
    """Which tables of migrations are there. From the catalogue, which is visible to every role."""
    row = await (await conn.execute(SQL["read_migration_tables"])).fetchone()
    return MigrationTables(int(row[0]), bool(row[1])) if row else MigrationTables(0, has_own=False)


def refuse_changed(status: MigrationStatus, *, command: str) -> None:
    """Raises OperatorError when an applied file was edited. `command` is what the operator runs again."""
    if status.changed:
        raise OperatorError(
            "Nothing was migrated",
            why=f"applied files were changed afterwards: {', '.join(status.changed)}",
            what_next=f"Restore them from git, and put the change into a new file; then run `{command}` again.",
        )


INSTALLATION_TIMEOUT_S = 10.0


async def install(dsn: Secret, *, environment: str, directory: Path = MIGRATIONS) -> MigrationOutcome:
    """Migrate the database, and name it the first time. Safe to call from many processes at once.

    Raises OperatorError, before anything is changed, when it belongs to another environment; and as `migrate` does.
    """
    async with await connect(dsn, application_name="dragonfly-migrate", timeout_s=INSTALLATION_TIMEOUT_S) as conn:
        await _check(conn, environment)
    outcome = await migrate(dsn, directory=directory)
    async with await connect(dsn, application_name="dragonfly-migrate", timeout_s=INSTALLATION_TIMEOUT_S) as conn:
        await name_environment(conn, environment=environment, system=RUNBOOK.name)
        await _check(conn, environment)  # another process may have been first
    return outcome


async def name_environment(conn: Connection, *, environment: str, system: str) -> None:
    """Say once which environment this database is, and which system it holds. A name that is there stays."""
    await conn.execute(SQL["name_environment"], {"environment": environment, "system": system})


async def read_environment(conn: Connection) -> str | None:
    """The environment's name; None when it is not recorded yet."""
    row = await (await conn.execute(SQL["read_environment"])).fetchone()
    return row[0] if row else None


async def is_installed(conn: Connection) -> bool:
    """Whether there is a place for the name: none before the first migration."""
    row = await (await conn.execute(SQL["is_installed"])).fetchone()
    return bool(row and row[0])


async def _check(conn: Connection, environment: str) -> None:
    try:
        owner = await read_environment(conn) if await is_installed(conn) else None
    except psycopg.Error as error:
        raise explain(error, timeout_s=INSTALLATION_TIMEOUT_S) from None
    if owner not in (None, environment):
        raise OperatorError(
            "Nothing was migrated",
            why=f"the database belongs to {owner}, and ENVIRONMENT says {environment}",
            what_next="Fix ENVIRONMENT or the connection string: one of them is another environment's. "
            "Then run `dragonfly migrate`.",
        )


ROLLBACKS = SQL_DIRECTORY / "rollbacks"
TIMEOUT_S = 60.0  # of the whole transaction; a prepared rollback that needs longer is not one for an incident
IDLE_S = 10  # in the transaction: the locks of a process that froze must not outlive this

_ROLLBACKS_AGAIN = "Request it again with `rollback-db`."
_ROLLBACKS_FILE = re.compile(r"(?P<version>\d{14})_rollback\.sql\Z")


class AnotherHeadError(OperatorError):
    """The schema does not stand where the rollback starts from: perhaps it has happened already."""


def read_rollbacks(directory: Path = ROLLBACKS) -> dict[str, PreparedRollback]:
    """`{version: the prepared rollback}`; files with other names are ignored."""
    matches = [(match, path) for path in sorted(directory.glob("*.sql")) if (match := _ROLLBACKS_FILE.match(path.name))]
    return {match["version"]: PreparedRollback(match["version"], _checksum(path)) for match, path in matches}


async def apply_rollback(dsn: Secret, rollback: PreparedRollback, *, head: str, directory: Path = ROLLBACKS) -> None:
    """Undo the newest migration and forget it, in one transaction with a lock timeout, as the role of the DSN.

    The head is compared under the lock of migrations, so of several who try, however late, one succeeds.

    Raises OperatorError when nothing was changed: the file is another one, the SQL failed, or (AnotherHeadError) the
    schema's head is not `head`. Raises SourceError when the server cannot be used; where its outcome is unknown, the
    head tells it.
    """
    path = directory / f"{rollback.version}_rollback.sql"
    if not path.is_file() or _checksum(path) != rollback.checksum:
        why = f"{path.name} is not the file that was approved"
        raise OperatorError(_what(rollback), why=why, what_next=_ROLLBACKS_AGAIN)
    conn = await connect(dsn, application_name="dragonfly-rollback", timeout_s=10)
    try:
        async with migration_lock(conn):
            await conn.execute(
                f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_S}s'; SET LOCAL statement_timeout = '{TIMEOUT_S:g}s'; "
                f"SET LOCAL idle_in_transaction_session_timeout = '{IDLE_S}s'"
            )
            await _check_head(conn, rollback, head)
            what, what_next = f"The rollback of {rollback.version}", "The schema is unchanged. Fix the cause first."
            await run_sql(conn, path.read_text(encoding="utf-8"), what=what, what_next=what_next)
            await conn.execute(SQL["forget_migration"], {"version": rollback.version})
            if (await read_tables(conn)).has_own:  # a row that was copied stands in both
                await conn.execute(SQL["forget_chatops_migration"], {"version": rollback.version})
    except psycopg.Error as error:
        explained = explain(error, timeout_s=TIMEOUT_S)
        explained.outcome_unknown = True  # the answer to the commit may be what was lost
        raise explained from None
    finally:
        await conn.close()


async def _check_head(conn: Connection, rollback: PreparedRollback, head: str) -> None:
    applied = [migration.version for migration in await list_applied(conn)]
    if not applied or max(applied) != head or head != rollback.version:
        newest = max(applied, default="none")
        raise AnotherHeadError(_what(rollback), why=f"the newest migration is {newest}", what_next=_ROLLBACKS_AGAIN)


def _what(rollback: PreparedRollback) -> str:
    return f"The rollback of {rollback.version} was not applied"


def _checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
