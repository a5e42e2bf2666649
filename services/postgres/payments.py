"""Payments on their way to their judgments. The typed calls of `sql/queries/payments.sql`."""

from __future__ import annotations

from collections.abc import Iterable

from services.postgres.pool import Connection
from services.postgres.queries import SQL


async def create_payment_staging(conn: Connection) -> None:
    """Make the table for payments that are on their way. It lives as long as the transaction."""
    await conn.execute(SQL["create_payment_staging"])


async def copy_payments(conn: Connection, *, blocks: Iterable[bytes]) -> None:
    """Stage payments, in COPY's text format: row number, case number, county, amount, day, reference."""
    async with conn.cursor() as cur, cur.copy(SQL["copy_payments"]) as copy:
        for block in blocks:
            await copy.write(block)


async def insert_payments(conn: Connection) -> None:
    """Store what was staged and belongs to a known case, each once."""
    await conn.execute(SQL["insert_payments"])


async def refuse_payments(conn: Connection, *, batch_id: str) -> None:
    """Mark the rows of what was staged and is not stored as failed, with the reason, and count them so in the batch."""
    await conn.execute(SQL["refuse_payments"], {"batch_id": batch_id})
