"""Reads the workers' heartbeats. The typed calls of `sql/operated/runbook/heartbeats.sql`."""

from __future__ import annotations

from psycopg.rows import class_row

from services.domain.heartbeats import Heartbeat
from services.postgres.pool import Connection
from services.postgres.queries import SQL


async def list_heartbeats(conn: Connection) -> list[Heartbeat]:
    """Every worker of the last 24 hours, newest beat first, at most 500."""
    async with conn.cursor(row_factory=class_row(Heartbeat)) as cur:
        await cur.execute(SQL["list_heartbeats"])
        return await cur.fetchall()
