"""Reads what a change should know of the past and of the room there is.

The typed calls of `sql/operated/runbook/evidence.sql`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from psycopg.rows import class_row

from services.domain.jobs import JobOutcomes
from services.domain.server import ConnectionUse
from services.postgres.pool import Connection
from services.postgres.queries import SQL
from services.postgres.server import pooler_mode


async def list_job_outcomes(conn: Connection, *, spans: Sequence[tuple[datetime, datetime]]) -> list[JobOutcomes]:
    """How jobs ended in each span (begin included, end not), in the given order."""
    async with conn.cursor(row_factory=class_row(JobOutcomes)) as cur:
        bounds = {"begins": [begin for begin, _ in spans], "ends": [end for _, end in spans]}
        await cur.execute(SQL["list_job_outcomes"], bounds)
        return await cur.fetchall()


async def read_connection_use(conn: Connection) -> ConnectionUse:
    """The server's sessions against what it allows."""
    cursor = await conn.execute(SQL["read_connection_use"])
    row = await cursor.fetchone()
    if row is None:
        raise RuntimeError("a SELECT of scalars gave no row")
    used, limit = row
    return ConnectionUse(used, limit, pooler_mode(conn.info.host, conn.info.port) != "direct")
