"""Bare loops over the job queue, compared with the worker's loop. Each drains all jobs of one type and does nothing
else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

from psycopg.types.json import Jsonb

from services.clients.postgres.pool import Connection

_CLAIM = "SELECT id FROM ops.claim_pending_job(%s, 'bare')"
_COMPLETE = "SELECT ops.update_job_status(%s, 'completed', '{}', NULL, 'bare')"
_CHAIN = "SELECT id, job_type IS NOT NULL FROM ops.finish_and_claim_jobs(%s::jsonb, 'bare', %s, 1)"
_PLAIN_CLAIM = """
UPDATE ops.job_queue SET status = 'processing', locked_at = now(), locked_by = 'bare', attempts = attempts + 1
WHERE id = (SELECT id FROM ops.job_queue WHERE status = 'pending' AND job_type = %s AND run_at <= now()
            ORDER BY priority DESC, run_at LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id
"""
_PLAIN_COMPLETE = """
UPDATE ops.job_queue SET status = 'completed', result = '{}', locked_at = NULL, locked_by = NULL, updated_at = now()
WHERE id = %s
"""
_BATCH_CLAIM = _PLAIN_CLAIM.replace("id = (SELECT", "id IN (SELECT").replace("LIMIT 1", "LIMIT 50")
_BATCH_COMPLETE = _PLAIN_COMPLETE.replace("id = %s", "id = ANY (%s)")


async def drain_by_functions(conn: Connection, job_type: str) -> None:
    """Call the runbook's two functions, each in its own transaction. `conn` is in autocommit mode in all these
    loops."""
    while job := await (await conn.execute(_CLAIM, ([job_type],))).fetchone():
        await conn.execute(_COMPLETE, job)


async def drain_by_plain_sql(conn: Connection, job_type: str) -> None:
    """Claim with one UPDATE (SKIP LOCKED), and complete with another one."""
    while job := await (await conn.execute(_PLAIN_CLAIM, (job_type,))).fetchone():
        await conn.execute(_PLAIN_COMPLETE, job)


async def chain(conn: Connection, job_type: str) -> AsyncIterator[UUID]:
    """Run our single statement that completes the last job and claims the next; yield each claimed job."""
    endings: list[dict[str, object]] = []
    while True:
        rows = await (await conn.execute(_CHAIN, (Jsonb(endings), [job_type]))).fetchall()
        claimed = [job_id for job_id, is_claimed in rows if is_claimed]
        if not claimed:
            return
        yield claimed[0]
        endings = [{"id": str(claimed[0]), "status": "completed", "result": {}, "error": None, "may_retry": True}]


async def drain_by_chain(conn: Connection, job_type: str) -> None:
    """Run `chain` until the queue is empty."""
    async for _ in chain(conn, job_type):
        pass


async def drain_in_batches(conn: Connection, job_type: str) -> None:
    """Claim 50 jobs with one statement, and complete them with another one."""
    while jobs := await (await conn.execute(_BATCH_CLAIM, (job_type,))).fetchall():
        await conn.execute(_BATCH_COMPLETE, ([job_id for (job_id,) in jobs],))
