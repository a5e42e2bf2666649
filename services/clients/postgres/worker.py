"""A worker's use of the queue, and its heartbeat. Typed calls of `sql/queries/worker.sql`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from psycopg.types.json import Jsonb

from services.clients.postgres.pool import Connection, Database
from services.clients.postgres.queries import SQL, fetch_all


@dataclass(frozen=True)
class ClaimedJob:
    """One attempt at a job. `attempts` is 1 at the first; `claim` is the number of this claim, which only grows."""

    id: str
    job_type: str
    payload: Mapping[str, Any]
    attempts: int
    max_attempts: int
    claim: int

    @property
    def key(self) -> tuple[str, int]:
        """The job's id and claim, unique among all claims."""
        return self.id, self.claim


async def claim_jobs(conn: Connection, *, worker_id: str, job_types: Sequence[str], limit: int = 1) -> list[ClaimedJob]:
    """Claim the next due jobs, the most urgent first; they are `processing` then. Empty if none is due."""
    values = {"worker_id": worker_id, "job_types": list(job_types), "limit": limit}
    return await fetch_all(conn, ClaimedJob, "claim_jobs", **values)


async def reap_jobs(
    conn: Connection, *, job_types: Sequence[str], lock_timeout: timedelta, gone_after: timedelta | None = None
) -> dict[str, str]:
    """Take jobs from workers that have been silent for `lock_timeout`: `{job id: pending or failed}`.

    `gone_after`: the shorter silence that is enough if the server also shows that the worker's process is gone; None
    skips that check.
    """
    values = {"job_types": list(job_types), "lock_timeout": lock_timeout, "gone_after": gone_after}
    cursor = await conn.execute(SQL["reap_jobs"], values)
    return dict(await cursor.fetchall())


async def list_own_jobs(conn: Connection, *, worker_id: str) -> list[tuple[str, int]]:
    """`(job id, claim)` of the jobs that are stored as being processed by this worker."""
    cursor = await conn.execute(SQL["list_own_jobs"], {"worker_id": worker_id})
    return await cursor.fetchall()


async def finish_job(
    conn: Connection,
    *,
    job_id: str,
    status: Literal["completed", "failed", "pending"],
    result: Mapping[str, Any] | None = None,
    error: str | None = None,
    worker_id: str | None = None,
    may_retry: bool = True,
) -> str | None:
    """End an attempt; return the job's status: `pending` if it is retried, None if it is not ours any more.

    Without a `worker_id`, any worker's job is ended. `may_retry` False: the next attempt would fail too. `pending`
    returns the job to the queue: it is due at once, and the attempt does not count.
    """
    values = {
        "job_id": job_id,
        "status": status,
        "result": None if result is None else Jsonb(dict(result)),
        "error": error,
        "worker_id": worker_id,
        "may_retry": may_retry,
    }
    row = await (await conn.execute(SQL["finish_job"], values)).fetchone()
    return row[0] if row else None


@dataclass(frozen=True)
class Ending:
    """The end of an attempt at the job `id`; see `finish_job`. With `claim`, only this claim of the job is ended."""

    id: str
    status: Literal["completed", "failed", "pending"]
    result: Mapping[str, Any] | None = None
    error: str | None = None
    may_retry: bool = True
    claim: int | None = None


async def finish_and_claim_jobs(
    database: Database,
    *,
    endings: Sequence[Ending],
    worker_id: str,
    job_types: Sequence[str],
    limit: int,
    timeout_s: float,
) -> tuple[dict[str, str | None], list[ClaimedJob]]:
    """End attempts and claim the next due jobs, in one round trip and one commit.

    Returns `{job id: its status now}`, None where it is not ours any more, and the claimed jobs. Either may be empty.
    """
    values = {
        "endings": Jsonb([vars(ending) for ending in endings]),
        "worker_id": worker_id,
        "job_types": list(job_types),
        "limit": limit,
    }
    finished: dict[str, str | None] = dict.fromkeys(ending.id for ending in endings)
    claimed = []
    rows = await database.run(SQL["finish_and_claim_jobs"], values, timeout_s=timeout_s)
    for job_id, status, job_type, *about in rows:
        if job_type is None:
            finished[job_id] = status
        else:
            claimed.append(ClaimedJob(job_id, job_type, *about))
    return finished, claimed


async def queue_job(
    conn: Connection,
    *,
    job_type: str,
    payload: Mapping[str, Any],
    priority: int = 0,
    max_attempts: int = 5,
    idempotency_key: str | None = None,
    delay: timedelta = timedelta(),
) -> str | None:
    """Queue a job and return its id; None if a job with the same key exists. Workers are woken at the commit.

    It is due after `delay`, by the database's clock.
    """
    values = {
        "job_type": job_type,
        "payload": Jsonb(dict(payload)),
        "priority": priority,
        "max_attempts": max_attempts,
        "idempotency_key": idempotency_key,
        "delay": delay,
    }
    row = await (await conn.execute(SQL["queue_job"], values)).fetchone()
    return row[0] if row else None


async def beat(
    conn: Connection,
    *,
    worker_id: str,
    worker_type: str,
    status: str,
    git_sha: str | None,
    current_job_id: str | None = None,
    current_job_started_at: datetime | None = None,
    database_ok: bool | None = None,
    started_at: datetime | None = None,
) -> None:
    """Store the worker's heartbeat, by the database's clock. `started_at` is stored at the first heartbeat only."""
    values = {
        "worker_id": worker_id,
        "worker_type": worker_type,
        "status": status,
        "git_sha": git_sha,
        "current_job_id": current_job_id,
        "current_job_started_at": current_job_started_at,
        "database_ok": database_ok,
        "started_at": started_at,
    }
    await conn.execute(SQL["beat"], values)


async def prune_heartbeats(conn: Connection, *, older_than: timedelta) -> int:
    """Delete the rows of workers that have been silent for longer than `older_than`; return how many."""
    return (await conn.execute(SQL["prune_heartbeats"], {"older_than": older_than})).rowcount
