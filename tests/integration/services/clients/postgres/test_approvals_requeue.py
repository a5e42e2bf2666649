"""Jobs return to the queue if they failed or lost their worker, and never from a live worker."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from psycopg import errors

from services.clients.postgres import approvals, operated
from services.clients.postgres.pool import Connection
from services.domain.jobs import Job
from services.domain.services import WorkerType
from services.domain.systems import RUNBOOK
from services.domain.thresholds import StaleLimits
from tests.outside import PATIENCE_S

STALE_AFTER = StaleLimits(timedelta(minutes=5))
JOB = """
    INSERT INTO ops.job_queue (
        job_type, status, attempts, max_attempts, error_message, locked_at, locked_by, run_at, updated_at
    )
    VALUES (
        %(job_type)s, %(status)s, %(attempts)s, %(max_attempts)s, %(error)s,
        CASE WHEN %(status)s = 'processing' THEN now() - interval '1 minute' END, %(worker)s, now() - interval '1 hour',
        now() - interval '1 hour'
    )
    RETURNING id::text
"""


async def add_job(
    conn: Connection,
    status: str,
    *,
    worker: str | None = None,
    attempts: int = 1,
    max_attempts: int = 5,
    job_type: str = "ingest_csv",
    error: str | None = None,
) -> str:
    parameters = {
        "status": status,
        "worker": worker,
        "attempts": attempts,
        "max_attempts": max_attempts,
        "job_type": job_type,
        "error": error,
    }
    row = await (await conn.execute(JOB, parameters)).fetchone()
    assert row is not None
    return str(row[0])


async def beat(
    conn: Connection, worker: str, *, age: timedelta, status: str = "running", kind: WorkerType = WorkerType.INGEST
) -> None:
    await conn.execute(
        "INSERT INTO ops.worker_heartbeats (worker_id, worker_type, status, last_heartbeat_at) "
        "VALUES (%s, %s, %s, now() - %s)",
        (worker, kind.value, status, age),
    )


async def read(conn: Connection, job_id: str) -> Job:
    (job,) = await approvals.list_jobs(conn, job_ids=[job_id])
    return job


async def test_a_failed_job_is_pending_again_and_keeps_its_attempts(as_owner: Connection, as_bot: Connection) -> None:
    job_id = await add_job(as_owner, "failed", attempts=2, error="boom")

    assert await approvals.requeue_jobs(as_bot, job_ids=[job_id], stale_after=STALE_AFTER) == [job_id]

    job = await read(as_bot, job_id)
    assert (job.status, job.attempts, job.max_attempts) == ("pending", 2, 5)


async def test_a_job_without_attempts_left_gets_one_more(as_owner: Connection, as_bot: Connection) -> None:
    job_id = await add_job(as_owner, "failed", attempts=5, max_attempts=5)

    await approvals.requeue_jobs(as_bot, job_ids=[job_id], stale_after=STALE_AFTER)

    job = await read(as_bot, job_id)
    assert (job.attempts, job.max_attempts) == (5, 6)


async def test_a_requeued_job_is_claimed_and_fails_for_good_again(
    as_owner: Connection, as_bot: Connection, as_app: Connection
) -> None:
    job_id = await add_job(as_owner, "failed", attempts=5, max_attempts=5)
    await approvals.requeue_jobs(as_bot, job_ids=[job_id], stale_after=STALE_AFTER)

    claimed = await as_app.execute("SELECT id::text, attempts FROM ops.claim_pending_job('{ingest_csv}', 'w2')")
    assert await claimed.fetchone() == (job_id, 6)
    await as_app.execute("SELECT ops.update_job_status(%s, 'failed', NULL, 'boom', 'w2')", (job_id,))

    assert (await read(as_bot, job_id)).status == "failed"


@pytest.mark.parametrize(
    ("age", "status"),
    [(timedelta(minutes=6), "running"), (timedelta(seconds=5), "stopped")],
    ids=["silent", "said goodbye"],
)
async def test_a_job_whose_worker_is_gone_is_pending_again(
    as_owner: Connection, as_bot: Connection, age: timedelta, status: str
) -> None:
    await beat(as_owner, "w1", age=age, status=status)
    job_id = await add_job(as_owner, "processing", worker="w1")

    assert await approvals.requeue_jobs(as_bot, job_ids=[job_id], stale_after=STALE_AFTER) == [job_id]


@pytest.mark.parametrize("worker", ["never seen", None])
async def test_a_job_of_no_one_is_pending_again(as_owner: Connection, as_bot: Connection, worker: str | None) -> None:
    job_id = await add_job(as_owner, "processing", worker=worker)

    assert await approvals.requeue_jobs(as_bot, job_ids=[job_id], stale_after=STALE_AFTER) == [job_id]


@pytest.mark.parametrize("status", ["starting", "running", "stopping", "error"])
async def test_a_job_of_a_living_worker_is_not_requeued(as_owner: Connection, as_bot: Connection, status: str) -> None:
    await beat(as_owner, "w1", age=timedelta(minutes=4), status=status)
    job_id = await add_job(as_owner, "processing", worker="w1")

    assert await approvals.requeue_jobs(as_bot, job_ids=[job_id], stale_after=STALE_AFTER) == []
    assert (await read(as_bot, job_id)).status == "processing"


@pytest.mark.parametrize("stale_after", [timedelta(), timedelta(seconds=-60)])
async def test_no_caller_can_declare_a_beating_worker_dead(
    as_owner: Connection, as_bot: Connection, stale_after: timedelta
) -> None:
    await beat(as_owner, "w1", age=timedelta(seconds=40))
    job_id = await add_job(as_owner, "processing", worker="w1")

    assert await approvals.requeue_jobs(as_bot, job_ids=[job_id], stale_after=StaleLimits(stale_after)) == []


async def test_a_worker_that_comes_back_does_not_finish_what_was_taken_from_it(
    as_owner: Connection, as_bot: Connection, as_app: Connection
) -> None:
    job_id = await add_job(as_owner, "processing", worker="w1")
    await approvals.requeue_jobs(as_bot, job_ids=[job_id], stale_after=STALE_AFTER)

    row = await as_app.execute("SELECT ops.update_job_status(%s, 'completed', NULL, NULL, 'w1')", (job_id,))

    assert await row.fetchone() == (None,)


@pytest.mark.parametrize("status", ["pending", "completed"])
async def test_requeue_leaves_jobs_that_have_not_failed(as_owner: Connection, as_bot: Connection, status: str) -> None:
    job_id = await add_job(as_owner, status)
    before = await read(as_bot, job_id)

    assert await approvals.requeue_jobs(as_bot, job_ids=[job_id, str(uuid.uuid4())], stale_after=STALE_AFTER) == []
    assert await read(as_bot, job_id) == before


async def test_repeating_it_does_nothing(as_owner: Connection, as_bot: Connection) -> None:
    ids = sorted([await add_job(as_owner, "failed") for _ in range(3)])

    assert await approvals.requeue_jobs(as_bot, job_ids=ids, stale_after=STALE_AFTER) == ids
    assert await approvals.requeue_jobs(as_bot, job_ids=ids, stale_after=STALE_AFTER) == []


async def test_a_requeued_job_is_announced_to_the_workers(as_owner: Connection, as_bot: Connection) -> None:
    job_id = await add_job(as_owner, "failed", job_type="judgment_enrichment")
    await as_owner.execute("LISTEN dragonfly_jobs")

    await approvals.requeue_jobs(as_bot, job_ids=[job_id], stale_after=STALE_AFTER)

    heard = [notice.payload async for notice in as_owner.notifies(timeout=PATIENCE_S, stop_after=1)]
    assert heard == ["judgment_enrichment"]


async def test_orphans_are_listed_longest_first(as_owner: Connection, as_bot: Connection) -> None:
    await beat(as_owner, "alive", age=timedelta(seconds=20))
    await beat(as_owner, "silent", age=timedelta(minutes=9))
    await add_job(as_owner, "processing", worker="alive")
    orphans = [await add_job(as_owner, "processing", worker=worker) for worker in ("silent", "unknown", None)]
    await as_owner.execute("UPDATE ops.job_queue SET locked_at = now() - interval '1 h' WHERE id = %s", (orphans[2],))

    listed = await approvals.list_orphaned_jobs(as_bot, stale_after=STALE_AFTER, limit=10)

    assert listed[0].id == orphans[2]
    assert {job.id: job.locked_by for job in listed} == dict(zip(orphans, ("silent", "unknown", None), strict=True))
    assert len(await approvals.list_orphaned_jobs(as_bot, stale_after=STALE_AFTER, limit=2)) == 2


async def test_app_role_may_not_requeue(as_app: Connection) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        await as_app.execute("SELECT ops.requeue_jobs('{}', '5 minutes')")


@pytest.mark.parametrize("shorter", RUNBOOK.worker_types)
async def test_a_job_is_lost_past_the_limit_of_its_worker_s_type(
    as_owner: Connection, as_bot: Connection, shorter: WorkerType
) -> None:
    limits = StaleLimits(timedelta(minutes=5), {shorter: timedelta(minutes=2)})
    jobs: dict[tuple[WorkerType, int], str] = {}
    for kind in RUNBOOK.worker_types:
        for silent_for_s in (90, 150, 330):
            worker = f"{kind}-{silent_for_s}"
            await beat(as_owner, worker, age=timedelta(seconds=silent_for_s), kind=kind)
            jobs[kind, silent_for_s] = await add_job(as_owner, "processing", worker=worker)
    no_one = await add_job(as_owner, "processing", worker="never-seen")
    failed = await add_job(as_owner, "failed")
    lost = {no_one, *(job_id for (kind, age_s), job_id in jobs.items() if age_s > (120 if kind is shorter else 300))}

    snapshot = await operated.read_queue_snapshot(as_bot, stale_after=limits)
    listed = await approvals.list_orphaned_jobs(as_bot, stale_after=limits, limit=10)
    requeued = await approvals.requeue_jobs(as_bot, job_ids=[*jobs.values(), no_one, failed], stale_after=limits)

    assert snapshot.orphaned == len(lost) == 4
    assert {job.id for job in listed} == lost
    assert set(requeued) == lost | {failed}
