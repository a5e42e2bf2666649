"""Counts of events from Railway's webhook. Typed calls of `sql/queries/railway_notices.sql`."""

from __future__ import annotations

from datetime import datetime

from services.clients.postgres.pool import Connection
from services.clients.postgres.queries import SQL


async def count_railway_notice(conn: Connection, *, is_known: bool) -> tuple[datetime, int]:
    """Count an event; return the current hour and the number of events in it. `is_known`: the bot knows its kind."""
    row = await (await conn.execute(SQL["count_railway_notice"], {"is_known": is_known})).fetchone()
    assert row is not None  # noqa: S101 - INSERT … RETURNING gives a row or raises
    return row[0], int(row[1])
