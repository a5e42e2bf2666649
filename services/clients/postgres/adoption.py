"""Installs the bot next to an existing system: its own schema, its role, and the right to read.

Typed calls of `sql/queries/adoption.sql`. `sql/adoption/<system>.sql` holds the rights that each system grants the
bot.

Outside schema `chatops` an adoption may only grant dragonfly_bot the right to read, and create policies named
dragonfly_bot_*. This is enforced, not left to the author of a migration: each transaction compares the catalog before
it commits, and is rolled back if anything else has changed.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString

import psycopg
from psycopg import sql

from services.clients.postgres.errors import explain
from services.clients.postgres.installation import is_installed, name_environment, read_environment
from services.clients.postgres.migrations import (
    LOCK_TIMEOUT_S,
    MIGRATION_LOCK_TIMEOUT_S,
    MIGRATIONS,
    Migration,
    Purpose,
    apply_file,
    compare,
    list_own,
    migration_lock,
    read_files,
    read_tables,
    refuse_changed,
    run_sql,
)
from services.clients.postgres.pool import Connection, connect
from services.clients.postgres.queries import SQL, SQL_DIRECTORY
from services.clients.postgres.systems import list_standing_columns
from services.domain.errors import OperatorError
from services.domain.secrets import Secret
from services.domain.systems import RUNBOOK, TABLES, System, recognize

ADOPTION = SQL_DIRECTORY / "adoption"
UNDO = ADOPTION / "undo.sql"

_AGAIN = "Nothing outside the bot's schema was changed. Fix the cause, then run `dragonfly adopt` again."
_SHOWN = 5


@dataclass(frozen=True)
class AdoptionOutcome:
    """The result of `adopt`. `applied`: migrations of the bot's schema, as `version_name`.

    `made_role`: dragonfly_bot was created and has no password yet.
    """

    system: System
    applied: tuple[str, ...]
    made_role: bool
    dry_run: bool

    @property
    def notice(self) -> str:
        """The result and the next step, for the terminal."""
        done = f"{len(self.applied)} migrations of schema chatops" if self.applied else "nothing new in schema chatops"
        if self.dry_run:
            return f"Dry run: this would adopt the system `{self.system.name}` ({done}). Everything was rolled back."
        role = (
            "\nNext, give the bot's role a password: ALTER ROLE dragonfly_bot PASSWORD '…'; "
            "and connect the bot as dragonfly_bot in SUPABASE_DB_URL."
        )
        return f"Adopted the system `{self.system.name}` ({done}).{role if self.made_role else ''}"


async def adopt(
    dsn: Secret, *, environment: str, dry_run: bool = False, directory: Path = MIGRATIONS
) -> AdoptionOutcome:
    """Install what is missing, as the role of the DSN, which owns the system's tables. Safe to run again.

    Raises OperatorError when the database holds no system that can be adopted, belongs to another environment, or a
    statement changes more than it may (its transaction is rolled back, earlier ones stay); SourceError when the server
    can't be used.
    """
    files = [file for file in read_files(directory) if file.purpose is Purpose.CHATOPS]
    conn = await connect(dsn, application_name="dragonfly-adopt", timeout_s=10)
    try:
        async with conn.transaction(force_rollback=True) if dry_run else contextlib.nullcontext():
            system = await _recognize(conn)
            await _check_environment(conn, environment)
            made_role = await _prepare(conn)
            applied = [file.title for file in files if await _apply(conn, file, files)]
            async with _guarded(conn):
                path = ADOPTION / f"{system.name}.sql"
                await run_sql(conn, path.read_text(encoding="utf-8"), what=f"adoption/{path.name}", what_next=_AGAIN)
                await name_environment(conn, environment=environment, system=system.name)
        return AdoptionOutcome(system, tuple(applied), made_role, dry_run)
    except psycopg.Error as error:
        raise explain(error, timeout_s=MIGRATION_LOCK_TIMEOUT_S) from None
    finally:
        await conn.close()


async def _recognize(conn: Connection) -> System:
    columns = await list_standing_columns(conn, tables=TABLES)
    found = recognize(columns)
    if found.system not in (None, RUNBOOK):
        return found.nearest
    if not columns:
        why, what_next = "the database holds no system yet", "Run `dragonfly migrate`: it makes the whole system."
    elif found.system is RUNBOOK:
        why = "the database holds the system that our own migrations make"
        what_next = "Run `dragonfly migrate`."
    else:
        why, what_next = found.problem or "", "Check DRAGONFLY_ADMIN_DB_URL: is it the right database?"
    raise OperatorError("Nothing was adopted, and nothing was changed", why=why, what_next=what_next)


async def _check_environment(conn: Connection, environment: str) -> None:
    owner = await read_environment(conn) if await is_installed(conn) else None
    if owner not in (None, environment):
        raise OperatorError(
            "Nothing was adopted, and nothing was changed",
            why=f"the database belongs to {owner}, and ENVIRONMENT says {environment}",
            what_next="Correct ENVIRONMENT or the connection string, then run `dragonfly adopt` again.",
        )


async def _prepare(conn: Connection) -> bool:
    """Create the role and the table of migrations if they are missing. True if the role is new."""
    async with _guarded(conn):
        made_role = await (await conn.execute(SQL["has_bot_role"])).fetchone() is None
        if made_role:
            await conn.execute(SQL["create_bot_role"])
        if not (await read_tables(conn)).has_own:
            what = "The table of the bot's migrations"
            await run_sql(conn, SQL["prepare_chatops_migrations"], what=what, what_next=_AGAIN)
    return made_role


async def _apply(conn: Connection, file: Migration, files: Sequence[Migration]) -> bool:
    """Apply the file if it is pending, which is checked under the migration lock. True if it was pending."""
    async with _guarded(conn):
        status = compare(files, await list_own(conn))
        refuse_changed(status, command="dragonfly adopt")
        if file.title not in status.pending:
            return False
        await apply_file(conn, file, what_next=_AGAIN)
        return True


@contextlib.asynccontextmanager
async def _guarded(conn: Connection) -> AsyncIterator[None]:
    """A transaction that is rolled back if anything but the bot's schema and its right to read has changed."""
    async with migration_lock(conn):
        await conn.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_S}s'")
        before = await _lines(conn, SQL["list_outside"])
        yield
        changed = sorted(before ^ await _lines(conn, SQL["list_outside"]))
        changed += sorted(await _lines(conn, SQL["list_excess_rights"]))
        if changed:
            raise OperatorError(
                "The adoption was rolled back",
                why=f"outside schema chatops it would have changed: {'; '.join(changed[:_SHOWN])}",
                what_next="The system's own tables are as they were. Report this as a bug, with the lines above; if "
                "the system was migrated at the same time, run `dragonfly adopt` again.",
            )


async def _lines(conn: Connection, query: str) -> set[str]:
    return {line for (line,) in await (await conn.execute(query)).fetchall()}


def script(system: System, *, environment: str, directory: Path = MIGRATIONS) -> str:
    """The adoption as one SQL script for a database administrator to read and run: one transaction per file."""
    parts = [
        f"-- Installs the ChatOps bot next to the system `{system.name}`. Outside schema chatops it creates the role\n"
        "-- dragonfly_bot, grants it read access, and creates policies named dragonfly_bot_*. To remove it: undo.sql.",
        _transaction(f"{_ROLE}{SQL['prepare_chatops_migrations']};"),
    ]
    for file in read_files(directory):
        if file.purpose is Purpose.CHATOPS:
            parts.append(f"-- {file.title}\n{_transaction(file.sql.rstrip() + chr(10) + _record(file))}")
    granted = (ADOPTION / f"{system.name}.sql").read_text(encoding="utf-8")
    name = _literals(
        "INSERT INTO chatops.installation (environment, system) VALUES ({}, {})\nON CONFLICT (only_row) DO NOTHING;",
        environment,
        system.name,
    )
    return "\n\n".join([*parts, _transaction(f"{granted.rstrip()}\n{name}")]) + "\n"


_ROLE = """DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'dragonfly_bot') THEN
        CREATE ROLE dragonfly_bot LOGIN;
    END IF;
END
$$;
"""


def _transaction(statements: str) -> str:
    return f"BEGIN;\n{statements.rstrip()}\nCOMMIT;"


def _record(file: Migration) -> str:
    return _literals(
        "INSERT INTO chatops.migrations (version, name, checksum) VALUES ({}, {}, {});",
        file.version,
        file.name,
        file.checksum,
    )


def _literals(statement: LiteralString, *values: str) -> str:
    return sql.SQL(statement).format(*map(sql.Literal, values)).as_string(None)
