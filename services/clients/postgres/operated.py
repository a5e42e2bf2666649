"""Reads the operated system.

Typed calls of `sql/queries/catalog.sql`, `sql/operated/evidence.sql`, `sql/operated/golden_path.sql`,
`sql/operated/heartbeats.sql`, `sql/operated/intake.sql`, `sql/operated/jobs.sql`; the connection selects the system's
version of a query.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from services.clients.postgres.pool import Connection, Session, system_of
from services.clients.postgres.queries import (
    counts_all_rows,
    fetch_all,
    fetch_one,
    fetch_row,
    query_of,
    stale_parameters,
    tables_of,
)
from services.domain.batches import Batch, BatchJob, GoldenBatch, IntakeEvent, RowCounts, RowFault
from services.domain.database import ConnectionUse, Exposure, ServerFacts, SessionRole
from services.domain.jobs import (
    PENDING_COUNTED_TO,
    FailedJob,
    Heartbeat,
    HeartbeatReading,
    JobOutcomes,
    LockWait,
    MinuteThroughput,
    PendingJob,
    QueueSnapshot,
    RunningJob,
)
from services.domain.thresholds import StaleLimits


@counts_all_rows()
async def find_golden_batch(conn: Connection, *, sha256: str) -> GoldenBatch | None:
    """Return the newest batch of this exact file, marked or not; None if there is none."""
    return await fetch_one(conn, GoldenBatch, "find_golden_batch", sha256=sha256)


@counts_all_rows()
async def list_golden_batches(conn: Connection, *, limit: int) -> list[GoldenBatch]:
    """List the marked batches that still exist, oldest first."""
    return await fetch_all(conn, GoldenBatch, "list_golden_batches", limit=limit)


@counts_all_rows()
async def count_batch_rows(conn: Connection, *, batch_id: str) -> RowCounts:
    """Count the rows of the batch; all zeros if there is no such batch."""
    return await fetch_row(conn, RowCounts, "count_batch_rows", batch_id=batch_id)


@counts_all_rows()
async def list_batch_jobs(conn: Connection, *, keys: Sequence[str]) -> list[BatchJob]:
    """List the jobs with these idempotency keys, oldest first."""
    return await fetch_all(conn, BatchJob, "list_batch_jobs", keys=list(keys))


async def remove_golden_batch(conn: Connection, *, batch_id: str) -> bool:
    """Remove the batch. True if it existed.

    Raises SourceError for a batch without the mark, when the transaction ends.
    """
    row = await (await conn.execute(query_of(conn, "remove_golden_batch"), {"batch_id": batch_id})).fetchone()
    return bool(row and row[0])


async def list_heartbeats(conn: Connection) -> list[Heartbeat]:
    """List the workers with a heartbeat in the last 24 hours, newest heartbeat first, at most 20,000."""
    words = system_of(conn).heartbeats
    return [replace(beat, words=words) for beat in await fetch_all(conn, Heartbeat, "list_heartbeats")]


@counts_all_rows()
async def list_batches(conn: Connection, *, limit: int) -> list[Batch]:
    """List the latest uploads, newest first."""
    return await fetch_all(conn, Batch, "list_batches", limit=limit)


@counts_all_rows()
async def list_intake_events(conn: Connection, *, limit: int) -> list[IntakeEvent]:
    """List the latest events of the intake, newest first."""
    return await fetch_all(conn, IntakeEvent, "list_intake_events", limit=limit)


@counts_all_rows()
async def find_batches(conn: Connection, *, beginning: str, limit: int = 2) -> list[Batch]:
    """List the uploads whose id starts with `beginning`: hex digits, at most 32, without hyphens."""
    span = {"lowest": beginning.ljust(32, "0"), "highest": beginning.ljust(32, "f"), "limit": limit}
    return await fetch_all(conn, Batch, "find_batches", **span)


@counts_all_rows()
async def list_row_faults(conn: Connection, *, batch_id: str, limit: int) -> list[RowFault]:
    """List the reasons why rows of the batch failed, the most frequent first."""
    return await fetch_all(conn, RowFault, "list_row_faults", batch_id=batch_id, limit=limit)


ERROR_LIMIT = 2001  # characters: the 2,000 that a terminal shows, and 1 more that shows that it is longer
WHOLE_ERROR_LIMIT = 9000  # characters: more than a message shows


async def read_queue_snapshot(conn: Connection, *, stale_after: StaleLimits) -> QueueSnapshot:
    """Return the state of the queue now. `stale_after`: the age at which a worker's heartbeat no longer counts."""
    values = {**stale_parameters(stale_after), "count_to": PENDING_COUNTED_TO + 1}
    return await fetch_row(conn, QueueSnapshot, "read_queue_snapshot", **values)


@counts_all_rows()
async def list_failed_jobs(conn: Connection, *, window: timedelta, limit: int) -> list[FailedJob]:
    """List jobs that failed for good within the window, newest first.

    Errors are cut to `ERROR_LIMIT` characters, the last one "…" if the text may continue.
    """
    values = {"window": window, "limit": limit, "error_limit": ERROR_LIMIT}
    jobs = await fetch_all(conn, FailedJob, "list_failed_jobs", **values)
    return [replace(job, error_message=_with_mark(job.error_message, ERROR_LIMIT)) for job in jobs]


def _with_mark(text: str | None, limit: int) -> str | None:
    return text if text is None or len(text) < limit else f"{text[: limit - 1]}…"


@counts_all_rows()
async def read_job_error(conn: Connection, *, job_id: str) -> str | None:
    """The error of a job; None for a job without an error and for an unknown id.

    Cut to `WHOLE_ERROR_LIMIT` characters, the last one "…" if the text may continue.
    """
    values = {"job_id": job_id, "error_limit": WHOLE_ERROR_LIMIT}
    row = await (await conn.execute(query_of(conn, "read_job_error"), values)).fetchone()
    return _with_mark(row[0], WHOLE_ERROR_LIMIT) if row else None


@counts_all_rows()
async def count_failed_jobs(conn: Connection, *, window: timedelta) -> int:
    """Count the jobs that failed for good within the window."""
    row = await (await conn.execute(query_of(conn, "count_failed_jobs"), {"window": window})).fetchone()
    return int(row[0]) if row else 0


@counts_all_rows()
async def count_exhausted_jobs(conn: Connection, *, window: timedelta) -> int:
    """Count the jobs that failed on their last attempt within the window."""
    row = await (await conn.execute(query_of(conn, "count_exhausted_jobs"), {"window": window})).fetchone()
    return int(row[0]) if row else 0


@counts_all_rows()
async def list_throughput(conn: Connection, *, window: timedelta) -> list[MinuteThroughput]:
    """List the throughput per minute, newest first; a minute in which no job ended is left out."""
    return await fetch_all(conn, MinuteThroughput, "list_throughput", window=window)


@counts_all_rows()
async def list_oldest_pending(conn: Connection, *, limit: int) -> list[PendingJob]:
    """List due jobs, the longest waiting first."""
    return await fetch_all(conn, PendingJob, "list_oldest_pending", limit=limit)


@counts_all_rows()
async def list_next_due(conn: Connection, *, job_types: Sequence[str]) -> dict[str, datetime]:
    """`{job type: when the job that would be claimed next became due}`; a type without such a job is left out."""
    cursor = await conn.execute(query_of(conn, "list_next_due"), {"job_types": list(job_types)})
    return dict(await cursor.fetchall())


@counts_all_rows()
async def list_unclaimed(conn: Connection, *, job_types: Sequence[str]) -> dict[str, datetime]:
    """`{job type: when its oldest job became due}` of the job types that no worker claims: all but `job_types`."""
    cursor = await conn.execute(query_of(conn, "list_unclaimed"), {"job_types": list(job_types)})
    return dict(await cursor.fetchall())


@counts_all_rows()
async def list_running_jobs(conn: Connection, *, limit: int = 100) -> list[RunningJob]:
    """List jobs in processing, the longest running first."""
    return await fetch_all(conn, RunningJob, "list_running_jobs", limit=limit)


async def list_lock_waits(conn: Connection) -> list[LockWait]:
    """List locks that are waited for, the longest wait first, at most 50."""
    return await fetch_all(conn, _to_lock_wait, "list_lock_waits")


def _to_lock_wait(waiting_s: float | None, blocked_by: Sequence[int], **row: Any) -> LockWait:
    return LockWait(**row, waiting_s=max(waiting_s or 0.0, 0.0), blocked_by=tuple(blocked_by))


async def list_exposures(conn: Connection) -> list[Exposure]:
    """List rights that no role should have, in the bot's schema and those of the operated system.

    Ordered by kind, object and role.
    """
    system = system_of(conn)

    def make(subject: str, **row: Any) -> Exposure:
        is_ours = system.is_migrated or subject == BOT_ROLE or subject.partition(".")[0] == OWN_SCHEMA
        return Exposure(subject=subject, is_theirs=not is_ours, **row)

    return await fetch_all(conn, make, "list_exposures", schemas=list(system.schemas), roles=list(system.roles))


BOT_ROLE, OWN_SCHEMA = "dragonfly_bot", "chatops"


TRANSACTION_POOLER_PORT = 6543  # Supabase; 5432 on the same host is its session pooler


async def read_server(conn: Connection) -> ServerFacts:
    """Return role, database, clock, version and visible schemas; `server_time` is the transaction's `now()`."""
    mode, system = pooler_mode(conn.info.host, conn.info.port), system_of(conn)

    def make(schemas: Sequence[str], hidden_tables: Sequence[str], **row: Any) -> ServerFacts:
        return ServerFacts(
            **row,
            schemas=tuple(schemas),
            hidden_tables=tuple(hidden_tables),
            pooler_mode=mode,
            missing_schemas=tuple(sorted(set(system.schemas) - set(schemas))),
            is_migrated=system.is_migrated,
            system_problem=conn.recognition.problem if isinstance(conn, Session) and conn.recognition else None,
        )

    tables = tables_of(system)
    return await fetch_row(conn, make, "read_server", schemas=list(system.schemas), tables=tables)


async def list_hidden_tables(conn: Connection, *, tables: Sequence[str]) -> list[str]:
    """Return those of these tables ("ops.job_queue") whose rows row-level security may hide from our role."""
    cur = await conn.execute(query_of(conn, "list_hidden_tables"), {"tables": list(tables)})
    return [name for (name,) in await cur.fetchall()]


async def read_heartbeats(conn: Connection) -> HeartbeatReading:
    """Return all heartbeats at one moment: `as_of` is the start of the transaction, as for the rows."""
    rows, facts = await list_heartbeats(conn), await read_server(conn)
    return HeartbeatReading(facts.server_time, tuple(rows), all_visible=not facts.hidden_tables)


async def list_session_roles(conn: Connection) -> list[SessionRole]:
    """List the roles of the API's and the workers' sessions that the server shows; a pooler may hide sessions."""
    return await fetch_all(conn, SessionRole, "list_session_roles")


def pooler_mode(host: str, port: int) -> str:
    """`transaction`, `session` or `direct`, judged by Supabase's addresses."""
    if port == TRANSACTION_POOLER_PORT:
        return "transaction"
    return "session" if ".pooler." in host else "direct"


@counts_all_rows()
async def list_job_outcomes(conn: Connection, *, spans: Sequence[tuple[datetime, datetime]]) -> list[JobOutcomes]:
    """Count how jobs ended in each span (start included, end excluded), in the given order."""
    bounds = {"begins": [begin for begin, _ in spans], "ends": [end for _, end in spans]}
    return await fetch_all(conn, JobOutcomes, "list_job_outcomes", **bounds)


async def read_database_gb(conn: Connection) -> float:
    """The size of the database in GB, indexes included."""
    row = await (await conn.execute(query_of(conn, "read_database_gb"))).fetchone()
    return float(row[0]) if row else 0.0


async def read_connection_use(conn: Connection) -> ConnectionUse:
    """Return the number of the server's sessions and its limit."""
    is_pooled = pooler_mode(conn.info.host, conn.info.port) != "direct"
    make = partial(ConnectionUse, pooler_may_allow_fewer=is_pooled)
    return await fetch_row(conn, make, "read_connection_use")
