"""Reads the job queue as its operators see it. The typed calls of `sql/operated/runbook/jobs.sql`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from psycopg.rows import class_row, dict_row

from services.domain.jobs import (
    PENDING_COUNTED_TO,
    FailedJob,
    LockWait,
    MinuteThroughput,
    PendingJob,
    QueueSnapshot,
    RunningJob,
)
from services.postgres.pool import Connection
from services.postgres.queries import SQL

ERROR_LIMIT = 2001  # characters: what a terminal shows of one, and one more by which a longer one is known
WHOLE_ERROR_LIMIT = 9000  # what a message shows of one


async def read_queue_snapshot(conn: Connection, *, stale_after: timedelta) -> QueueSnapshot:
    """The queue now. `stale_after`: the age at which a worker's beat no longer counts."""
    values = {"stale_after": stale_after, "count_to": PENDING_COUNTED_TO + 1}
    async with conn.cursor(row_factory=class_row(QueueSnapshot)) as cur:
        await cur.execute(SQL["read_queue_snapshot"], values)
        snapshot = await cur.fetchone()
    if snapshot is None:
        raise RuntimeError("a SELECT of scalars gave no row")
    return snapshot


async def list_failed_jobs(conn: Connection, *, window: timedelta, limit: int) -> list[FailedJob]:
    """Jobs that failed for good within the window, newest first; of an error at most `ERROR_LIMIT` characters."""
    async with conn.cursor(row_factory=class_row(FailedJob)) as cur:
        values = {"window": window, "limit": limit, "error_limit": ERROR_LIMIT}
        await cur.execute(SQL["list_failed_jobs"], values)
        return await cur.fetchall()


async def read_job_error(conn: Connection, *, job_id: str) -> str | None:
    """At most `WHOLE_ERROR_LIMIT` characters; None for a job without an error, and for none of this id."""
    values = {"job_id": job_id, "error_limit": WHOLE_ERROR_LIMIT}
    row = await (await conn.execute(SQL["read_job_error"], values)).fetchone()
    return row[0] if row else None


async def count_failed_jobs(conn: Connection, *, window: timedelta) -> int:
    """How many jobs failed for good within the window."""
    row = await (await conn.execute(SQL["count_failed_jobs"], {"window": window})).fetchone()
    return int(row[0]) if row else 0


async def count_exhausted_jobs(conn: Connection, *, window: timedelta) -> int:
    """How many jobs failed on their last attempt within the window."""
    row = await (await conn.execute(SQL["count_exhausted_jobs"], {"window": window})).fetchone()
    return int(row[0]) if row else 0


async def list_throughput(conn: Connection, *, window: timedelta) -> list[MinuteThroughput]:
    """Newest minute first; a minute in which nothing ended is absent."""
    async with conn.cursor(row_factory=class_row(MinuteThroughput)) as cur:
        await cur.execute(SQL["list_throughput"], {"window": window})
        return await cur.fetchall()


async def list_oldest_pending(conn: Connection, *, limit: int) -> list[PendingJob]:
    """Due jobs, the longest waiting first."""
    async with conn.cursor(row_factory=class_row(PendingJob)) as cur:
        await cur.execute(SQL["list_oldest_pending"], {"limit": limit})
        return await cur.fetchall()


async def list_next_due(conn: Connection, *, job_types: Sequence[str]) -> dict[str, datetime]:
    """`{job type: since when the job that would be claimed next has been due}`; a type without one is absent."""
    cursor = await conn.execute(SQL["list_next_due"], {"job_types": list(job_types)})
    return dict(await cursor.fetchall())


async def list_running_jobs(conn: Connection, *, limit: int = 100) -> list[RunningJob]:
    """Jobs in processing, the longest running first."""
    async with conn.cursor(row_factory=class_row(RunningJob)) as cur:
        await cur.execute(SQL["list_running_jobs"], {"limit": limit})
        return await cur.fetchall()


async def list_lock_waits(conn: Connection) -> list[LockWait]:
    """Locks not granted, the longest wait first, at most 50."""
    async with conn.cursor(row_factory=dict_row) as cur:
        await cur.execute(SQL["list_lock_waits"])
        rows = await cur.fetchall()
    return [
        LockWait(
            **{**row, "waiting_s": max(row["waiting_s"] or 0.0, 0.0), "blocked_by": tuple(row["blocked_by"])},
        )
        for row in rows
    ]
