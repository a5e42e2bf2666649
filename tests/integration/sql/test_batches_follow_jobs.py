"""A batch ends when its job ends, for whatever reason: nothing else would ever end the batch."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services.clients.postgres.approvals import requeue_jobs
from services.clients.postgres.intake import find_file, insert_batch, start_batch
from services.clients.postgres.pool import Connection
from services.clients.postgres.worker import claim_jobs, finish_job, queue_job, reap_jobs
from services.domain.systems import JOB_TYPE
from services.domain.thresholds import StaleLimits

FILE = "a" * 64


async def store(conn: Connection, *, max_attempts: int = 1) -> tuple[str, str]:
    """Store a batch that a worker has started; return the ids of batch and job."""
    batch_id = await insert_batch(conn, file_name="a.csv", sha256=FILE, header="h", row_count=3)
    job_id = await queue_job(conn, job_type=JOB_TYPE, payload={"batch_id": batch_id}, max_attempts=max_attempts)
    assert job_id
    await claim_jobs(conn, worker_id="gone", job_types=[JOB_TYPE])
    await start_batch(conn, batch_id=batch_id)
    return batch_id, job_id


async def states(conn: Connection) -> list[tuple[str, str | None, bool]]:
    """Return status, error and "has it ended" of each batch."""
    query = "SELECT status, error, completed_at IS NOT NULL FROM intake.simplicity_batches"
    return await (await conn.execute(query)).fetchall()


async def events(conn: Connection, batch_id: str) -> list[str]:
    query = "SELECT event_type FROM ops.intake_logs WHERE details ->> 'batch_id' = %s"
    return [row[0] for row in await (await conn.execute(query, (batch_id,))).fetchall()]


async def test_a_batch_fails_with_a_job_that_is_reaped_on_its_last_attempt(as_app: Connection) -> None:
    batch_id, job_id = await store(as_app)

    assert await reap_jobs(as_app, job_types=[JOB_TYPE], lock_timeout=timedelta()) == {job_id: "failed"}

    assert await states(as_app) == [("failed", "the worker went silent in the middle of the job", True)]
    assert await events(as_app, batch_id) == ["batch_failed"]
    assert await find_file(as_app, sha256=FILE) is None


async def test_a_batch_fails_with_a_job_that_fails_for_good(as_app: Connection) -> None:
    batch_id, job_id = await store(as_app)

    assert await finish_job(as_app, job_id=job_id, status="failed", error="boom") == "failed"

    assert await states(as_app) == [("failed", "boom", True)]
    assert await events(as_app, batch_id) == ["batch_failed"]


@pytest.mark.parametrize("reaped", [True, False])
async def test_a_batch_goes_on_while_its_job_has_attempts_left(as_app: Connection, reaped: bool) -> None:
    _, job_id = await store(as_app, max_attempts=2)

    if reaped:
        await reap_jobs(as_app, job_types=[JOB_TYPE], lock_timeout=timedelta())
    else:
        await finish_job(as_app, job_id=job_id, status="failed", error="boom")

    assert await states(as_app) == [("processing", None, False)]


async def test_a_batch_is_taken_up_again_with_its_job(as_app: Connection, as_bot: Connection) -> None:
    batch_id, job_id = await store(as_app)
    await finish_job(as_app, job_id=job_id, status="failed", error="boom")

    await requeue_jobs(as_bot, job_ids=[job_id], stale_after=StaleLimits())

    assert await states(as_app) == [("received", None, False)]
    assert await find_file(as_app, sha256=FILE) == batch_id


async def test_completed_batch_stays_completed_when_its_job_fails(as_app: Connection, as_owner: Connection) -> None:
    _, job_id = await store(as_app)
    await as_owner.execute("UPDATE intake.simplicity_batches SET status = 'completed', completed_at = now()")

    await finish_job(as_app, job_id=job_id, status="failed", error="the answer was lost")

    assert await states(as_app) == [("completed", None, True)]


@pytest.mark.parametrize("payload", [{}, {"batch_id": "seven"}, {"batch_id": None}, {"batch_id": ["x"]}])
async def test_a_job_that_names_no_batch_fails_alone(as_app: Connection, payload: dict[str, object]) -> None:
    await queue_job(as_app, job_type=JOB_TYPE, payload=payload, max_attempts=1)
    [job] = await claim_jobs(as_app, worker_id="w", job_types=[JOB_TYPE])

    assert await finish_job(as_app, job_id=job.id, status="failed", error="boom") == "failed"
