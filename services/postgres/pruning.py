"""Deletes what is old enough, some rows at a time. The typed calls of `sql/queries/pruning.sql`: how many went."""

from __future__ import annotations

from datetime import timedelta

from services.postgres.pool import Connection
from services.postgres.queries import SQL


async def prune_jobs(
    conn: Connection, *, completed_for: timedelta | None, failed_for: timedelta | None, limit: int
) -> int:
    """Jobs that ended so long ago; None keeps them."""
    values = {"completed_for": completed_for, "failed_for": failed_for, "limit": limit}
    row = await (await conn.execute(SQL["prune_jobs"], values)).fetchone()
    return int(row[0]) if row else 0


async def prune_intake_logs(conn: Connection, *, older_than: timedelta | None, limit: int) -> int:
    """Events of the intake; None keeps them."""
    row = await (await conn.execute(SQL["prune_intake_logs"], {"older_than": older_than, "limit": limit})).fetchone()
    return int(row[0]) if row else 0


async def prune_raw_rows(conn: Connection, *, older_than: timedelta | None, limit: int) -> int:
    """Rows as uploaded, of completed batches; None keeps them."""
    row = await (await conn.execute(SQL["prune_raw_rows"], {"older_than": older_than, "limit": limit})).fetchone()
    return int(row[0]) if row else 0
