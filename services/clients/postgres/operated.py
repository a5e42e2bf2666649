"""Reads the operated system.

The typed calls of `sql/operated/runbook/evidence.sql`, `sql/operated/runbook/golden_path.sql`,
`sql/operated/runbook/heartbeats.sql`, `sql/operated/runbook/intake.sql`, `sql/operated/runbook/jobs.sql`,
`sql/operated/runbook/security.sql`, `sql/operated/runbook/server.sql`.

The typed calls of `sql/operated/runbook/evidence.sql`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from psycopg.rows import class_row, dict_row

from services.clients.postgres.pool import Connection
from services.clients.postgres.queries import SQL
from services.domain.database import ConnectionUse, Exposure, ServerFacts, SessionRole
from services.domain.intake import Batch, BatchJob, GoldenBatch, IntakeEvent, RowCounts, RowFault
from services.domain.jobs import (
    PENDING_COUNTED_TO,
    FailedJob,
    Heartbeat,
    JobOutcomes,
    LockWait,
    MinuteThroughput,
    PendingJob,
    QueueSnapshot,
    RunningJob,
)


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


async def list_heartbeats(conn: Connection) -> list[Heartbeat]:
    """Every worker of the last 24 hours, newest beat first, at most 500."""
    async with conn.cursor(row_factory=class_row(Heartbeat)) as cur:
        await cur.execute(SQL["list_heartbeats"])
        return await cur.fetchall()


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


async def list_exposures(conn: Connection) -> list[Exposure]:
    """Sorted by kind, object and role; empty when nothing is open."""
    async with conn.cursor(row_factory=class_row(Exposure)) as cur:
        await cur.execute(SQL["list_exposures"])
        return await cur.fetchall()


TRANSACTION_POOLER_PORT = 6543  # Supabase; 5432 on the same host is its session pooler


async def read_server(conn: Connection) -> ServerFacts:
    """Role, database, clock, version and visible schemas; `server_time` is the transaction's `now()`."""
    async with conn.cursor(row_factory=dict_row) as cur:
        await cur.execute(SQL["read_server"])
        row = await cur.fetchone()
    if row is None:
        raise RuntimeError("a SELECT of scalars gave no row")
    mode = pooler_mode(conn.info.host, conn.info.port)
    return ServerFacts(
        **{**row, "schemas": tuple(row["schemas"]), "hidden_tables": tuple(row["hidden_tables"])}, pooler_mode=mode
    )


async def list_hidden_tables(conn: Connection, *, tables: Sequence[str]) -> list[str]:
    """Those of these tables ("ops.job_queue") of which row-level security may hide rows from our role."""
    cur = await conn.execute(SQL["list_hidden_tables"], {"tables": list(tables)})
    return [name for (name,) in await cur.fetchall()]


async def list_session_roles(conn: Connection) -> list[SessionRole]:
    """Of the API's and the workers' sessions that the server shows under their own names; a pooler may hide them."""
    async with conn.cursor(row_factory=class_row(SessionRole)) as cur:
        await cur.execute(SQL["list_session_roles"])
        return await cur.fetchall()


def pooler_mode(host: str, port: int) -> str:
    """`transaction`, `session` or `direct`, by Supabase's addresses."""
    if port == TRANSACTION_POOLER_PORT:
        return "transaction"
    return "session" if ".pooler." in host else "direct"


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
