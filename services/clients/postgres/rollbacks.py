"""Applies a prepared rollback of `sql/rollbacks/` on request, and deletes the record of its migration."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import psycopg

from services.clients.postgres.errors import explain
from services.clients.postgres.migrations import LOCK_TIMEOUT_S, list_applied, migration_lock, read_tables, run_sql
from services.clients.postgres.pool import Connection, connect
from services.clients.postgres.queries import SQL, SQL_DIRECTORY
from services.domain.database import PreparedRollback
from services.domain.errors import OperatorError
from services.domain.secrets import Secret

ROLLBACKS = SQL_DIRECTORY / "rollbacks"
TIMEOUT_S = 60.0  # for the whole transaction; a rollback that takes longer is not suitable for an incident
IDLE_S = 10  # in the transaction; limits how long a frozen process can hold its locks

_AGAIN = "Request it again with `rollback-db`."
_FILE = re.compile(r"(?P<version>\d{14})_rollback\.sql\Z")


class AnotherHeadError(OperatorError):
    """The newest migration is not the one that the rollback undoes: perhaps it was rolled back already."""


def read_rollbacks(directory: Path = ROLLBACKS) -> dict[str, PreparedRollback]:
    """`{version: the prepared rollback}`; files with other names are ignored."""
    matches = [(match, path) for path in sorted(directory.glob("*.sql")) if (match := _FILE.match(path.name))]
    return {match["version"]: PreparedRollback(match["version"], _checksum(path)) for match, path in matches}


async def apply_rollback(dsn: Secret, rollback: PreparedRollback, *, head: str, directory: Path = ROLLBACKS) -> None:
    """Undo the newest migration and delete its record, in one transaction with a lock timeout, as the role of the DSN.

    The head is compared under the migration lock, so of several attempts, however late, only one succeeds.

    Raises OperatorError when nothing was changed: the file is another one, the SQL failed, or (AnotherHeadError) the
    schema's head is not `head`. Raises SourceError when the server can't be used; if the outcome is unknown, read the
    head.
    """
    path = directory / f"{rollback.version}_rollback.sql"
    if not path.is_file() or _checksum(path) != rollback.checksum:
        why = f"{path.name} is not the file that was approved"
        raise OperatorError(_what(rollback), why=why, what_next=_AGAIN)
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
            if (await read_tables(conn)).has_own:  # a copied record is in both tables
                await conn.execute(SQL["forget_chatops_migration"], {"version": rollback.version})
    except psycopg.Error as error:
        explained = explain(error, timeout_s=TIMEOUT_S)
        explained.outcome_unknown = True  # perhaps only the answer to the commit was lost
        raise explained from None
    finally:
        await conn.close()


async def _check_head(conn: Connection, rollback: PreparedRollback, head: str) -> None:
    applied = [migration.version for migration in await list_applied(conn)]
    if not applied or max(applied) != head or head != rollback.version:
        newest = max(applied, default="none")
        raise AnotherHeadError(_what(rollback), why=f"the newest migration is {newest}", what_next=_AGAIN)


def _what(rollback: PreparedRollback) -> str:
    return f"The rollback of {rollback.version} was not applied"


def _checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
