"""Reads the intake as its operators see it. The typed calls of `sql/operated/runbook/intake.sql`."""

from __future__ import annotations

from psycopg.rows import class_row

from services.domain.intake import Batch, IntakeEvent
from services.postgres.pool import Connection
from services.postgres.queries import SQL


async def list_batches(conn: Connection, *, limit: int) -> list[Batch]:
    """The latest uploads, newest first."""
    async with conn.cursor(row_factory=class_row(Batch)) as cur:
        await cur.execute(SQL["list_batches"], {"limit": limit})
        return await cur.fetchall()


async def list_intake_events(conn: Connection, *, limit: int) -> list[IntakeEvent]:
    """The latest events, newest first."""
    async with conn.cursor(row_factory=class_row(IntakeEvent)) as cur:
        await cur.execute(SQL["list_intake_events"], {"limit": limit})
        return await cur.fetchall()
