"""The golden path's batches and what became of them. The typed calls of `sql/operated/runbook/golden_path.sql`."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg.rows import class_row

from services.domain.golden_path import BatchJob, GoldenBatch, RowCounts
from services.postgres.pool import Connection
from services.postgres.queries import SQL


async def find_golden_batch(conn: Connection, *, sha256: str) -> GoldenBatch | None:
    """The newest batch of this very file, with the mark or without it; None when there is none."""
    async with conn.cursor(row_factory=class_row(GoldenBatch)) as cur:
        await cur.execute(SQL["find_golden_batch"], {"sha256": sha256})
        return await cur.fetchone()


async def list_golden_batches(conn: Connection, *, limit: int) -> list[GoldenBatch]:
    """Marked batches that are still there, oldest first."""
    async with conn.cursor(row_factory=class_row(GoldenBatch)) as cur:
        await cur.execute(SQL["list_golden_batches"], {"limit": limit})
        return await cur.fetchall()


async def count_batch_rows(conn: Connection, *, batch_id: str) -> RowCounts:
    """Zeros when there is no such batch."""
    async with conn.cursor(row_factory=class_row(RowCounts)) as cur:
        await cur.execute(SQL["count_batch_rows"], {"batch_id": batch_id})
        counts = await cur.fetchone()
        assert counts is not None  # noqa: S101 - an aggregate always gives one row
        return counts


async def list_batch_jobs(conn: Connection, *, keys: Sequence[str]) -> list[BatchJob]:
    """The jobs with these idempotency keys, oldest first."""
    async with conn.cursor(row_factory=class_row(BatchJob)) as cur:
        await cur.execute(SQL["list_batch_jobs"], {"keys": list(keys)})
        return await cur.fetchall()


async def remove_golden_batch(conn: Connection, *, batch_id: str) -> bool:
    """Whether it was there. Raises SourceError for a batch without the mark, when the transaction ends."""
    row = await (await conn.execute(SQL["remove_golden_batch"], {"batch_id": batch_id})).fetchone()
    return bool(row and row[0])
