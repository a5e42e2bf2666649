"""Reads the intake as its operators see it. The typed calls of `sql/operated/runbook/intake.sql`."""

from __future__ import annotations

from psycopg.rows import class_row

from services.domain.intake import Batch, IntakeEvent, RowFault
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


async def find_batches(conn: Connection, *, beginning: str, limit: int = 2) -> list[Batch]:
    """The uploads whose id begins so; `beginning` is hexadecimal digits, at most 32, without hyphens."""
    async with conn.cursor(row_factory=class_row(Batch)) as cur:
        span = {"lowest": beginning.ljust(32, "0"), "highest": beginning.ljust(32, "f"), "limit": limit}
        await cur.execute(SQL["find_batches"], span)
        return await cur.fetchall()


async def list_row_faults(conn: Connection, *, batch_id: str, limit: int) -> list[RowFault]:
    """Why rows of the batch did not pass, the most frequent fault first."""
    async with conn.cursor(row_factory=class_row(RowFault)) as cur:
        await cur.execute(SQL["list_row_faults"], {"batch_id": batch_id, "limit": limit})
        return await cur.fetchall()
