"""Reads who may do what nobody should. The typed call of `sql/operated/runbook/security.sql`."""

from __future__ import annotations

from psycopg.rows import class_row

from services.domain.security import Exposure
from services.postgres.pool import Connection
from services.postgres.queries import SQL


async def list_exposures(conn: Connection) -> list[Exposure]:
    """Sorted by kind, object and role; empty when nothing is open."""
    async with conn.cursor(row_factory=class_row(Exposure)) as cur:
        await cur.execute(SQL["list_exposures"])
        return await cur.fetchall()
