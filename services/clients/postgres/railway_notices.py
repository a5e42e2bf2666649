"""How many events of Railway's webhook came. The typed calls of `sql/queries/railway_notices.sql`."""

from __future__ import annotations

from datetime import datetime

from services.clients.postgres.pool import Connection
from services.clients.postgres.queries import SQL


async def count_railway_notice(conn: Connection, *, is_known: bool) -> tuple[datetime, int]:
    """The hour, and how many came in it, this one too. `is_known`: of a kind that the bot knows."""
    row = await (await conn.execute(SQL["count_railway_notice"], {"is_known": is_known})).fetchone()
    assert row is not None  # noqa: S101 - INSERT … RETURNING gives a row or raises
    return row[0], int(row[1])
