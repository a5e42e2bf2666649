"""Transitions of jobs through `ops.claim_pending_job` and `ops.update_job_status`, as the workers' role."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import psycopg
import pytest

from services.clients.postgres.pool import Connection
from services.clients.postgres.worker import ClaimedJob, beat, claim_jobs, finish_job, queue_job, reap_jobs
from tests.conftest import DatabaseUrls
from tests.outside import PATIENCE_S


async def add(conn: Connection, job_type: str = "a", *, priority: int = 0, max_attempts: int = 5) -> str:
    job_id = await queue_job(conn, job_type=job_type, payload={}, priority=priority, max_attempts=max_attempts)
    assert job_id is not None
    return job_id


async def claim(conn: Connection, *job_types: str, worker: str = "w1") -> ClaimedJob | None:
    claimed = await claim_jobs(conn, worker_id=worker, job_types=job_types or ("a",))
    return claimed[0] if claimed else None


async def claimed_id(conn: Connection, *job_types: str) -> str | None:
    job = await claim(conn, *job_types)
    return job.id if job else None


async def state(conn: Connection, job_id: str) -> tuple[str, int, datetime | None, str | None, timedelta]:
    """Return status, attempts, lock, error, and the time from its last change until the job may be claimed."""
    query = "SELECT status, attempts, locked_at, error_message, run_at - updated_at FROM ops.job_queue WHERE id = %s"
    row = await (await conn.execute(query, (job_id,))).fetchone()
    assert row is not None
    return (row[0], row[1], row[2], row[3], row[4])


async def test_a_claim_locks_the_job_and_counts_the_attempt(as_app: Connection) -> None:
    job_id = await add(as_app)

    job = await claim(as_app)
    again = await claim(as_app)

    assert job == ClaimedJob(job_id, "a", {}, 1, 5, 1)
    assert again is None


async def test_the_higher_priority_goes_first_then_the_older(as_app: Connection) -> None:
    old, urgent, new = await add(as_app), await add(as_app, "b", priority=5), await add(as_app)

    assert [await claimed_id(as_app, "a", "b") for _ in range(4)] == [urgent, old, new, None]


async def test_claim_leaves_jobs_of_other_types(as_app: Connection) -> None:
    await add(as_app, "other")

    assert await claim(as_app, "a", "b") is None


async def test_a_job_in_the_future_waits(as_app: Connection, as_owner: Connection) -> None:
    job_id = await add(as_app)
    await as_owner.execute("UPDATE ops.job_queue SET run_at = now() + interval '1 minute'")

    assert await claim(as_app) is None

    await as_owner.execute("UPDATE ops.job_queue SET run_at = now()")
    assert await claimed_id(as_app) == job_id


async def test_workers_at_once_never_get_the_same_job(database_urls: DatabaseUrls, as_app: Connection) -> None:
    ids = {await add(as_app) for _ in range(40)}

    async def work(name: str) -> list[str]:
        async with await psycopg.AsyncConnection.connect(database_urls.app, autocommit=True) as conn:
            done = []
            while (job := await claim(conn, worker=name)) is not None:
                done.append(job.id)
            return done

    taken = [job_id for done in await asyncio.gather(*(work(f"w{n}") for n in range(4))) for job_id in done]

    assert len(taken) == 40
    assert set(taken) == ids


async def test_a_claim_that_is_open_elsewhere_is_skipped_not_awaited(as_app: Connection, as_owner: Connection) -> None:
    first, second = await add(as_app), await add(as_app)

    async with as_app.transaction():
        assert await claimed_id(as_app) == first
        assert await claimed_id(as_owner) == second


async def test_a_claim_keeps_nothing_but_its_job_from_others(as_app: Connection, as_owner: Connection) -> None:
    urgent, other = await add(as_app, priority=1), await add(as_app, "b")

    async with as_app.transaction():
        assert await claimed_id(as_app, "a", "b") == urgent
        assert await claimed_id(as_owner, "a", "b") == other


async def test_several_jobs_are_claimed_at_once_the_most_urgent_first(as_app: Connection) -> None:
    first, second, urgent = await add(as_app), await add(as_app), await add(as_app, "b", priority=1)

    jobs = await claim_jobs(as_app, worker_id="w1", job_types=["a", "b"], limit=2)
    rest = await claim_jobs(as_app, worker_id="w1", job_types=["a", "b"], limit=2)

    assert [job.id for job in jobs] == [urgent, first]
    assert rest == [ClaimedJob(second, "a", {}, 1, 5, 1)]


async def test_no_more_jobs_of_a_type_run_at_once_than_it_allows(as_app: Connection, as_owner: Connection) -> None:
    await as_owner.execute("INSERT INTO ops.job_types (job_type, max_running) VALUES ('a', 1)")
    first, second, free = await add(as_app), await add(as_app), await add(as_app, "b")

    assert await claimed_id(as_app, "a", "b") == first
    assert await claimed_id(as_app, "a", "b") == free
    assert await claimed_id(as_app, "a", "b") is None

    await finish_job(as_app, job_id=first, status="completed")
    assert await claimed_id(as_app, "a", "b") == second


async def test_claims_at_once_succeed_up_to_the_limit_of_the_job_type(
    database_urls: DatabaseUrls, as_app: Connection, as_owner: Connection
) -> None:
    await as_owner.execute("INSERT INTO ops.job_types (job_type, max_running) VALUES ('a', 3)")
    for _ in range(20):
        await add(as_app)

    async def claim_once(name: str) -> ClaimedJob | None:
        async with await psycopg.AsyncConnection.connect(database_urls.app, autocommit=True) as conn:
            return await claim(conn, worker=name)

    claimed = await asyncio.gather(*(claim_once(f"w{n}") for n in range(10)))

    assert len([job for job in claimed if job]) == 3


async def test_a_job_may_be_queued_for_later(as_app: Connection, as_owner: Connection) -> None:
    job_id = await queue_job(as_app, job_type="a", payload={}, delay=timedelta(minutes=1))

    assert await claim(as_app) is None
    await as_owner.execute("UPDATE ops.job_queue SET run_at = run_at - interval '1 minute'")
    assert await claimed_id(as_app) == job_id


async def test_a_retry_is_due_when_its_backoff_has_passed(as_app: Connection, as_owner: Connection) -> None:
    job_id = await add(as_app)
    await claim(as_app)
    await finish_job(as_app, job_id=job_id, status="failed", error="boom")

    assert await claim(as_app) is None
    await as_owner.execute("UPDATE ops.job_queue SET run_at = run_at - interval '12 seconds'")
    assert await claimed_id(as_app) == job_id


async def test_a_completed_job_keeps_its_result_and_loses_its_lock(as_app: Connection) -> None:
    job_id = await add(as_app)
    await claim(as_app)

    status = await finish_job(as_app, job_id=job_id, status="completed", result={"rows": 3}, worker_id="w1")

    assert status == "completed"
    assert (await state(as_app, job_id))[:4] == ("completed", 1, None, None)


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 10), (2, 20), (3, 40)])
async def test_a_failed_attempt_is_tried_again_later_and_later(
    as_app: Connection, as_owner: Connection, attempt: int, seconds: int
) -> None:
    job_id = await add(as_app)
    await as_owner.execute("UPDATE ops.job_queue SET attempts = %s", (attempt - 1,))
    await claim(as_app)

    status = await finish_job(as_app, job_id=job_id, status="failed", error="boom", worker_id="w1")
    now, attempts, locked_at, error, wait = await state(as_app, job_id)

    assert (status, now, attempts, locked_at, error) == ("pending", "pending", attempt, None, "boom")
    assert timedelta(seconds=seconds * 0.95) < wait < timedelta(seconds=seconds * 1.2)


async def test_the_last_attempt_fails_for_good(as_app: Connection) -> None:
    job_id = await add(as_app, max_attempts=1)
    await claim(as_app)

    assert await finish_job(as_app, job_id=job_id, status="failed", error="boom") == "failed"


async def test_a_failure_that_no_retry_can_help_is_final(as_app: Connection) -> None:
    job_id = await add(as_app)
    await claim(as_app)

    assert await finish_job(as_app, job_id=job_id, status="failed", error="boom", may_retry=False) == "failed"


async def test_worker_cannot_finish_the_job_of_another_worker(as_app: Connection) -> None:
    job_id = await add(as_app)
    await claim(as_app, worker="w2")

    assert await finish_job(as_app, job_id=job_id, status="completed", worker_id="w1") is None
    assert (await state(as_app, job_id))[0] == "processing"


async def test_a_finished_job_cannot_be_finished_again(as_app: Connection) -> None:
    job_id = await add(as_app)
    await claim(as_app)
    await finish_job(as_app, job_id=job_id, status="completed")

    assert await finish_job(as_app, job_id=job_id, status="failed", error="late") is None
    assert (await state(as_app, job_id))[0] == "completed"


async def test_the_same_key_makes_one_job(as_app: Connection) -> None:
    first = await queue_job(as_app, job_type="a", payload={}, idempotency_key="batch:1")
    second = await queue_job(as_app, job_type="a", payload={}, idempotency_key="batch:1")

    assert first is not None
    assert second is None


async def test_a_new_and_a_requeued_job_are_announced(as_app: Connection, as_owner: Connection) -> None:
    await as_owner.execute("LISTEN dragonfly_jobs")

    job_id = await add(as_app, "a")
    await claim(as_app)
    await finish_job(as_app, job_id=job_id, status="failed", error="boom")
    heard = [notice.payload async for notice in as_owner.notifies(timeout=60, stop_after=2)]

    assert heard == ["a", "a"]


async def test_a_job_of_a_silent_worker_goes_back_and_of_a_beating_one_stays(
    as_app: Connection, as_owner: Connection
) -> None:
    orphan, worked_on = await add(as_app), await add(as_app)
    await claim(as_app, worker="gone")
    await claim(as_app, worker="alive")
    await as_owner.execute("UPDATE ops.job_queue SET locked_at = now() - interval '11 minutes'")
    await beat(as_app, worker_id="alive", worker_type="t", status="running", git_sha=None)

    lock_timeout = timedelta(minutes=10)
    early = await reap_jobs(as_app, job_types=["a"], lock_timeout=timedelta(minutes=20))
    other = await reap_jobs(as_app, job_types=["b"], lock_timeout=lock_timeout)
    reaped = await reap_jobs(as_app, job_types=["a"], lock_timeout=lock_timeout)

    assert (early, other, reaped) == ({}, {}, {orphan: "pending"})
    assert (await state(as_app, worked_on))[0] == "processing"
    assert await finish_job(as_app, job_id=orphan, status="completed", worker_id="gone") is None
    assert await claimed_id(as_app) == orphan


async def test_an_orphan_without_attempts_left_fails(as_app: Connection) -> None:
    job_id = await add(as_app, max_attempts=1)
    await claim(as_app, worker="gone")

    reaped = await reap_jobs(as_app, job_types=["a"], lock_timeout=timedelta())

    assert reaped == {job_id: "failed"}
    assert (await state(as_app, job_id))[3] == "the worker went silent in the middle of the job"


GONE_AFTER = timedelta(seconds=1)


async def test_a_job_of_a_worker_whose_process_is_gone_goes_back_long_before_the_lock_times_out(
    database_urls: DatabaseUrls, as_app: Connection, as_owner: Connection
) -> None:
    """Of three silent workers one is connected, one is unknown, and one has gone."""
    jobs = {worker: await add(as_app) for worker in ("there", "hidden", "gone")}
    sessions = {}
    for worker, job_id in jobs.items():
        claimed = await claim(as_app, worker=worker)
        assert claimed
        assert claimed.id == job_id
        name = "pooler" if worker == "hidden" else f"dragonfly-ingest-worker:{worker}:beat"
        sessions[worker] = await psycopg.AsyncConnection.connect(
            database_urls.app, autocommit=True, application_name=name
        )
        await beat(sessions[worker], worker_id=worker, worker_type="t", status="running", git_sha=None)
    await as_owner.execute("UPDATE ops.job_queue SET locked_at = now() - interval '1 minute'")
    await as_owner.execute("UPDATE ops.worker_heartbeats SET last_heartbeat_at = now() - interval '1 minute'")
    for worker in ("hidden", "gone"):
        await sessions[worker].close()

    reaped: dict[str, str] = {}
    async with asyncio.timeout(PATIENCE_S):  # not soon after the server's start
        while not reaped:
            reaped = await reap_jobs(as_app, job_types=["a"], lock_timeout=timedelta(minutes=10), gone_after=GONE_AFTER)

    assert reaped == {jobs["gone"]: "pending"}
    await sessions["there"].close()


async def test_a_worker_that_fell_silent_a_moment_ago_is_not_gone(as_app: Connection, as_owner: Connection) -> None:
    await add(as_app)
    await claim(as_app, worker="gone")
    await beat(as_app, worker_id="gone", worker_type="t", status="stopped", git_sha=None)
    await as_owner.execute("UPDATE ops.job_queue SET locked_at = now() - interval '1 minute'")

    lock_timeout = timedelta(minutes=10)
    now = await reap_jobs(as_app, job_types=["a"], lock_timeout=lock_timeout, gone_after=timedelta(minutes=5))
    never = await reap_jobs(as_app, job_types=["a"], lock_timeout=lock_timeout)

    assert (now, never) == ({}, {})
