"""Puts jobs back into the queue. The typed calls of `sql/operated/runbook/requeue.sql`."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from psycopg.rows import class_row

from services.domain.jobs import Job, RunningJob
from services.postgres.pool import Connection
from services.postgres.queries import SQL


async def requeue_jobs(conn: Connection, *, job_ids: Collection[str], stale_after: timedelta) -> list[str]:
    """The ids of those that failed or lost their worker and are pending now; their attempts are kept.

    Repeating it does no harm. `stale_after`: the age at which a beat no longer counts, by the database at least 1 min.
    """
    parameters = {"job_ids": list(job_ids), "stale_after": stale_after}
    cur = await conn.execute(SQL["requeue_jobs"], parameters)
    return sorted(job_id for (job_id,) in await cur.fetchall())


async def list_orphaned_jobs(conn: Connection, *, stale_after: timedelta, limit: int) -> list[RunningJob]:
    """Jobs whose worker does not beat any more, the longest locked first."""
    async with conn.cursor(row_factory=class_row(RunningJob)) as cur:
        await cur.execute(SQL["list_orphaned_jobs"], {"stale_after": stale_after, "limit": limit})
        return await cur.fetchall()


async def list_jobs(conn: Connection, *, job_ids: Collection[str]) -> list[Job]:
    """Those of them that exist, by id."""
    async with conn.cursor(row_factory=class_row(Job)) as cur:
        await cur.execute(SQL["list_jobs"], {"job_ids": list(job_ids)})
        return await cur.fetchall()
