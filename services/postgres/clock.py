"""The database's clock, the only one that replicas compare anything with. The typed call of `sql/queries/clock.sql`."""

from __future__ import annotations

from datetime import datetime

from services.postgres.pool import Connection
from services.postgres.queries import SQL


async def read_clock(conn: Connection) -> datetime:
    """This very moment, not the transaction's beginning; timezone-aware."""
    row = await (await conn.execute(SQL["read_clock"])).fetchone()
    assert row is not None  # noqa: S101 - SELECT without FROM gives one row
    moment: datetime = row[0]
    return moment
