"""Records which environment a database belongs to. Typed calls of `sql/queries/installation.sql`."""

from __future__ import annotations

from pathlib import Path

import psycopg

from services.clients.postgres.errors import explain
from services.clients.postgres.migrations import MIGRATIONS, MigrationOutcome, migrate
from services.clients.postgres.pool import Connection, connect
from services.clients.postgres.queries import SQL
from services.domain.errors import OperatorError
from services.domain.secrets import Secret
from services.domain.systems import RUNBOOK

TIMEOUT_S = 10.0


async def install(dsn: Secret, *, environment: str, directory: Path = MIGRATIONS) -> MigrationOutcome:
    """Migrate the database, and record its environment the first time. Safe to call from many processes at once.

    Raises OperatorError, before anything is changed, if the database belongs to another environment; otherwise as
    `migrate`.
    """
    async with await connect(dsn, application_name="dragonfly-migrate", timeout_s=TIMEOUT_S) as conn:
        await _check(conn, environment)
    outcome = await migrate(dsn, directory=directory)
    async with await connect(dsn, application_name="dragonfly-migrate", timeout_s=TIMEOUT_S) as conn:
        await name_environment(conn, environment=environment, system=RUNBOOK.name)
        await _check(conn, environment)  # another process may have recorded another environment meanwhile
    return outcome


async def name_environment(conn: Connection, *, environment: str, system: str) -> None:
    """Record the database's environment and the system that it holds. An existing record stays."""
    await conn.execute(SQL["name_environment"], {"environment": environment, "system": system})


async def read_environment(conn: Connection) -> str | None:
    """The environment's name; None if it is not recorded yet."""
    row = await (await conn.execute(SQL["read_environment"])).fetchone()
    return row[0] if row else None


async def is_installed(conn: Connection) -> bool:
    """True if the table for the record exists, which a migration creates."""
    row = await (await conn.execute(SQL["is_installed"])).fetchone()
    return bool(row and row[0])


async def _check(conn: Connection, environment: str) -> None:
    try:
        owner = await read_environment(conn) if await is_installed(conn) else None
    except psycopg.Error as error:
        raise explain(error, timeout_s=TIMEOUT_S) from None
    if owner not in (None, environment):
        raise OperatorError(
            "Nothing was migrated",
            why=f"the database belongs to {owner}, and ENVIRONMENT says {environment}",
            what_next="Fix ENVIRONMENT or the connection string: one of them is another environment's. "
            "Then run `dragonfly migrate`.",
        )
