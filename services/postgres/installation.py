"""Which environment a database belongs to. The typed calls of `sql/queries/installation.sql`."""

from __future__ import annotations

from services.postgres.pool import Connection
from services.postgres.queries import SQL


async def name_environment(conn: Connection, *, environment: str) -> None:
    """Say once which environment this database is: `dev`, `staging` or `prod`. A name that is there stays."""
    await conn.execute(SQL["name_environment"], {"environment": environment})


async def read_environment(conn: Connection) -> str | None:
    """The environment's name; None when nobody has said it yet."""
    row = await (await conn.execute(SQL["read_environment"])).fetchone()
    return row[0] if row else None
