"""Recognizes the operated system by the catalog of its database. Typed calls of `sql/queries/systems.sql`."""

from __future__ import annotations

from collections.abc import Collection

from services.clients.postgres.pool import Connection
from services.clients.postgres.queries import SQL
from services.domain.systems import TABLES, Recognition, recognize

_INSTALLATION = "chatops.installation"


async def read_system(conn: Connection) -> Recognition:
    """Determine the system in this database. Fits `Database.connect_lazily(recognize=…)`."""
    columns = await list_standing_columns(conn, tables=[*TABLES, _INSTALLATION])
    adopted = await read_adopted_system(conn) if f"{_INSTALLATION}.system" in columns else None
    return recognize(columns, adopted=adopted)


async def list_standing_columns(conn: Connection, *, tables: Collection[str]) -> list[str]:
    """List the columns of these tables (`schema.table`) that exist, as `schema.table.column`."""
    cursor = await conn.execute(SQL["list_standing_columns"], {"tables": sorted(tables)})
    return [str(name) for (name,) in await cursor.fetchall()]


async def read_adopted_system(conn: Connection) -> str | None:
    """The name of the system for which the bot was installed; None before that."""
    row = await (await conn.execute(SQL["read_adopted_system"])).fetchone()
    return row[0] if row else None
