"""A worker process from its banner to its exit, shown on the enforcement worker, whose jobs are the simplest."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import psycopg

from services.enforcement_worker.memo_jobs import NO_KEY
from tests.conftest import DatabaseUrls
from tests.integration.services.conftest import DatabaseGate, Eventually, Spawn

WORKER = "services.enforcement_worker"
QUEUE_JOB = (
    "INSERT INTO ops.job_queue (job_type, payload) VALUES ('enforcement_next_step', %s::jsonb) RETURNING id::text"
)


async def run_sql(dsn: str, query: str, *values: object) -> Sequence[tuple[Any, ...]]:
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as conn:
        cursor = await conn.execute(query.encode(), values)
        return await cursor.fetchall() if cursor.description else []


async def queue_job(dsn: str, payload: str = '{"batch_id": "%s"}') -> str:
    [(job_id,)] = await run_sql(dsn, QUEUE_JOB, payload.replace("%s", str(uuid4())))
    return str(job_id)


async def test_prints_what_the_runbook_watches_for(spawn: Spawn, database_urls: DatabaseUrls) -> None:
    worker = await spawn(WORKER, SUPABASE_DB_URL=database_urls.app)
    await worker.line_with("No pending jobs found (idle)")
    job_id = await queue_job(database_urls.app)
    await worker.line_with("update_job_status")
    worker.signal(signal.SIGTERM)

    assert await worker.exit_code() == 0
    lines = [line for line in worker.lines if "batch:" not in line and "Worker ID:" not in line]
    assert lines[1].strip("│ ") == "DRAGONFLY WORKER STARTING"
    assert lines[3:6] == [
        f"│  Worker Type:  {'enforcement_engine':<53}│",
        f"│  Environment:  {'dev':<53}│",
        f"│  Git SHA:      {'a1b2c3d4':<53}│",
    ]
    assert lines[8:] == [
        NO_KEY,
        "PostgreSQL connection established",
        "Pool size: 3, max overflow: 0",
        "Entering main loop...",
        "[enforcement_engine] No pending jobs found (idle)",
        f"claim_pending_job: claimed job {job_id}",
        f"[enforcement_engine] Claimed job: {job_id}",
        f"[enforcement_engine] Job completed: {job_id}",
        f"update_job_status: job {job_id} -> completed",
        "Stop requested: finishing the current job, at most 20 s",
        "Worker stopped",
    ]


async def test_beats_with_its_sha_until_it_stops(
    spawn: Spawn, database_urls: DatabaseUrls, eventually: Eventually
) -> None:
    query = "SELECT status, worker_type, git_sha, database_ok FROM ops.worker_heartbeats"
    worker = await spawn(WORKER, SUPABASE_DB_URL=database_urls.app, HEARTBEAT_EVERY_S="0.1")

    assert await eventually(lambda: run_sql(database_urls.owner, query)) == [
        ("running", "enforcement_engine", "a1b2c3d4", True)
    ]
    [(first,)] = await run_sql(database_urls.owner, "SELECT last_heartbeat_at FROM ops.worker_heartbeats")
    later = "SELECT 1 FROM ops.worker_heartbeats WHERE last_heartbeat_at > %s"
    await eventually(lambda: run_sql(database_urls.owner, later, first))
    worker.signal(signal.SIGTERM)

    assert await worker.exit_code() == 0
    assert await run_sql(database_urls.owner, query) == [("stopped", "enforcement_engine", "a1b2c3d4", True)]


async def test_forgets_workers_that_are_long_gone(
    spawn: Spawn, database_urls: DatabaseUrls, eventually: Eventually
) -> None:
    for worker_id, days in (("ingest-old", 8), ("ingest-recent", 6)):
        await run_sql(
            database_urls.owner,
            "INSERT INTO ops.worker_heartbeats (worker_id, worker_type, status, last_heartbeat_at)"
            " VALUES (%s, 'ingest_processor', 'stopped', now() - make_interval(days => %s))",
            worker_id,
            days,
        )

    await spawn(WORKER, SUPABASE_DB_URL=database_urls.app)

    running = "SELECT 1 FROM ops.worker_heartbeats WHERE status = 'running'"
    await eventually(lambda: run_sql(database_urls.owner, running))

    async def is_forgotten() -> bool:
        left = "SELECT worker_id FROM ops.worker_heartbeats WHERE worker_type = 'ingest_processor'"
        return await run_sql(database_urls.owner, left) == [("ingest-recent",)]

    await eventually(is_forgotten)


async def test_names_the_job_that_it_works_on(
    spawn: Spawn, database_urls: DatabaseUrls, eventually: Eventually
) -> None:
    """The job waits for a lock that the test holds, while the worker keeps sending heartbeats."""
    async with await psycopg.AsyncConnection.connect(database_urls.owner) as conn:
        await conn.execute("LOCK TABLE public.judgments IN ACCESS EXCLUSIVE MODE")
        worker = await spawn(WORKER, SUPABASE_DB_URL=database_urls.app, HEARTBEAT_EVERY_S="0.2")
        job_id = await queue_job(database_urls.app)

        beating = "SELECT last_heartbeat_at FROM ops.worker_heartbeats WHERE current_job_id = %s::uuid"
        [(first,)] = await eventually(lambda: run_sql(database_urls.owner, beating, job_id))
        await eventually(lambda: run_sql(database_urls.owner, beating + " AND last_heartbeat_at > %s", job_id, first))
        await conn.rollback()

    await worker.line_with(f"job {job_id} -> completed")
    gone = "SELECT 1 FROM ops.worker_heartbeats WHERE current_job_id IS NULL"
    assert await eventually(lambda: run_sql(database_urls.owner, gone))


async def test_is_woken_by_a_new_job(spawn: Spawn, database_urls: DatabaseUrls) -> None:
    worker = await spawn(WORKER, SUPABASE_DB_URL=database_urls.app, POLL_EVERY_S="600")
    await worker.line_with("idle")

    job_id = await queue_job(database_urls.app)

    await worker.line_with(f"update_job_status: job {job_id} -> completed")


async def test_finishes_its_job_before_it_stops(spawn: Spawn, database_urls: DatabaseUrls) -> None:
    async with await psycopg.AsyncConnection.connect(database_urls.owner) as conn:
        await conn.execute("LOCK TABLE public.judgments IN ACCESS EXCLUSIVE MODE")
        worker = await spawn(WORKER, SUPABASE_DB_URL=database_urls.app)
        job_id = await queue_job(database_urls.app)
        await worker.line_with("Processing batch")
        worker.signal(signal.SIGTERM)
        await worker.line_with("Stop requested")
        await conn.rollback()

    assert await worker.exit_code() == 0
    assert await run_sql(database_urls.owner, "SELECT id::text, status FROM ops.job_queue") == [(job_id, "completed")]


async def test_hands_its_job_back_when_the_grace_is_over(spawn: Spawn, database_urls: DatabaseUrls) -> None:
    async with await psycopg.AsyncConnection.connect(database_urls.owner) as conn:
        await conn.execute("LOCK TABLE public.judgments IN ACCESS EXCLUSIVE MODE")
        worker = await spawn(WORKER, SUPABASE_DB_URL=database_urls.app, STOP_GRACE_S="0.2")
        job_id = await queue_job(database_urls.app)
        await worker.line_with("Processing batch")
        worker.signal(signal.SIGTERM)

        assert await worker.exit_code() == 0
    assert f"[enforcement_engine] Job handed back: {job_id}" in worker.lines
    state = "SELECT status, attempts, locked_by, error_message FROM ops.job_queue"
    assert await run_sql(database_urls.owner, state) == [("pending", 0, None, None)]
    beats = "SELECT status, current_job_id FROM ops.worker_heartbeats"
    assert await run_sql(database_urls.owner, beats) == [("stopped", None)]


async def test_works_on_several_jobs_at_once(spawn: Spawn, database_urls: DatabaseUrls) -> None:
    async with await psycopg.AsyncConnection.connect(database_urls.owner) as conn:
        await conn.execute("LOCK TABLE public.judgments IN ACCESS EXCLUSIVE MODE")
        jobs = [await queue_job(database_urls.app) for _ in range(3)]
        worker = await spawn(WORKER, SUPABASE_DB_URL=database_urls.app, CONCURRENCY="3")
        for job_id in jobs:
            await worker.line_with(f"[enforcement_engine] Claimed job: {job_id}")
        await conn.rollback()

    for job_id in jobs:
        await worker.line_with(f"update_job_status: job {job_id} -> completed")
    assert "Pool size: 4, max overflow: 0" in worker.lines


async def test_hands_all_its_jobs_back_when_the_grace_is_over(spawn: Spawn, database_urls: DatabaseUrls) -> None:
    async with await psycopg.AsyncConnection.connect(database_urls.owner) as conn:
        await conn.execute("LOCK TABLE public.judgments IN ACCESS EXCLUSIVE MODE")
        jobs = [await queue_job(database_urls.app) for _ in range(5)]
        settings = {"CONCURRENCY": "2", "CLAIM_BATCH": "2", "STOP_GRACE_S": "0.2"}
        worker = await spawn(WORKER, SUPABASE_DB_URL=database_urls.app, **settings)
        for job_id in jobs[:4]:
            await worker.line_with(f"claim_pending_job: claimed job {job_id}")
        worker.signal(signal.SIGTERM)

        assert await worker.exit_code() == 0
    handed_back = [line for line in worker.lines if "Job handed back" in line]
    assert sorted(line.rpartition(" ")[2] for line in handed_back) == sorted(jobs[:4])
    state = "SELECT DISTINCT status, attempts, locked_by FROM ops.job_queue"
    assert await run_sql(database_urls.owner, state) == [("pending", 0, None)]


async def test_settles_a_batch_of_jobs_with_the_next_claim(
    spawn: Spawn, database_urls: DatabaseUrls, eventually: Eventually
) -> None:
    for _ in range(20):
        await queue_job(database_urls.app)

    worker = await spawn(WORKER, SUPABASE_DB_URL=database_urls.app, CLAIM_BATCH="8")

    done = "SELECT 1 FROM ops.job_queue GROUP BY () HAVING bool_and(status = 'completed' AND attempts = 1)"
    assert await eventually(lambda: run_sql(database_urls.owner, done))
    commits = "SELECT count(DISTINCT updated_at) FROM ops.job_queue"
    assert await run_sql(database_urls.owner, commits) == [(3,)]
    lines = await worker.lines_with("-> completed", count=20)
    assert len(lines) == 20


async def test_a_job_that_fails_leaves_the_others_of_its_batch_alone(spawn: Spawn, database_urls: DatabaseUrls) -> None:
    first, bad = await queue_job(database_urls.app), await queue_job(database_urls.app, payload="{}")
    last = await queue_job(database_urls.app)

    worker = await spawn(WORKER, SUPABASE_DB_URL=database_urls.app, CLAIM_BATCH="3")

    for job_id, status in ((first, "completed"), (bad, "failed"), (last, "completed")):
        await worker.line_with(f"update_job_status: job {job_id} -> {status}")
    commits = "SELECT count(DISTINCT updated_at) FROM ops.job_queue"
    assert await run_sql(database_urls.owner, commits) == [(1,)]


async def test_ends_after_ten_failures_in_a_row(spawn: Spawn, database_urls: DatabaseUrls) -> None:
    for _ in range(11):
        await queue_job(database_urls.app, payload='{"batch_id": "canary"}')

    worker = await spawn(WORKER, SUPABASE_DB_URL=database_urls.app)

    assert await worker.exit_code() == 1
    assert "[enforcement_engine] CRITICAL: Crash loop detected after 10 failures" in worker.lines
    assert worker.lines.count("[enforcement_engine] Job failed: the payload names no batch_id") == 10
    states = "SELECT status, count(*) FROM ops.job_queue GROUP BY 1 ORDER BY 1"
    assert await run_sql(database_urls.owner, states) == [("failed", 10), ("pending", 1)]
    assert await run_sql(database_urls.owner, "SELECT status FROM ops.worker_heartbeats") == [("error",)]
    assert "canary" not in "\n".join(worker.lines)


async def test_a_success_forgives_the_failures_before_it(spawn: Spawn, database_urls: DatabaseUrls) -> None:
    for _ in range(9):
        await queue_job(database_urls.app, payload="{}")
    good = await queue_job(database_urls.app)
    worker = await spawn(WORKER, SUPABASE_DB_URL=database_urls.app)
    await worker.line_with(f"job {good} -> completed")

    bad = await queue_job(database_urls.app, payload="{}")
    await worker.line_with(f"update_job_status: job {bad} -> failed")

    worker.signal(signal.SIGTERM)
    assert await worker.exit_code() == 0


async def test_retries_a_job_that_failed_for_another_reason(spawn: Spawn, database_urls: DatabaseUrls) -> None:
    await run_sql(database_urls.owner, "REVOKE SELECT ON public.judgments FROM dragonfly_app")
    worker = await spawn(WORKER, SUPABASE_DB_URL=database_urls.app)
    job_id = await queue_job(database_urls.app)

    await worker.line_with(f"update_job_status: job {job_id} -> pending")

    assert "[enforcement_engine] Job failed: database: permission denied for table judgments" in worker.lines
    state = "SELECT status, attempts, run_at > updated_at, error_message FROM ops.job_queue"
    assert await run_sql(database_urls.owner, state) == [
        ("pending", 1, True, "database: permission denied for table judgments")
    ]


async def test_reports_that_it_may_not_use_its_queue(spawn: Spawn, database_urls: DatabaseUrls) -> None:
    await run_sql(database_urls.owner, "REVOKE EXECUTE ON FUNCTION ops.claim_pending_job FROM dragonfly_app")

    worker = await spawn(WORKER, SUPABASE_DB_URL=database_urls.app)

    await worker.line_with("claim_pending_job: permission denied for function claim_pending_job")


async def test_waits_for_a_database_that_is_away(spawn: Spawn) -> None:
    worker = await spawn(WORKER, SUPABASE_DB_URL="postgresql://u:hidden@127.0.0.1:1/d")
    await worker.line_with("PostgreSQL connection failed: Connection refused")

    await asyncio.sleep(1.5)  # past the first retry
    worker.signal(signal.SIGTERM)

    assert await worker.exit_code() == 0
    assert len([line for line in worker.lines if "Connection refused" in line]) == 1
    assert "hidden" not in "\n".join(worker.lines)


async def test_survives_the_loss_of_its_sessions(
    spawn: Spawn, database_urls: DatabaseUrls, eventually: Eventually
) -> None:
    worker = await spawn(WORKER, SUPABASE_DB_URL=database_urls.app, HEARTBEAT_EVERY_S="0.2")
    await worker.line_with("idle")

    cut = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name LIKE 'dragonfly-worker%%' AND datname = current_database()"
    )
    assert await run_sql(database_urls.superuser, cut)
    job_id = await queue_job(database_urls.app)

    await worker.line_with(f"update_job_status: job {job_id} -> completed")
    fresh = "SELECT 1 FROM ops.worker_heartbeats WHERE last_heartbeat_at > now() - interval '1 second'"
    assert await eventually(lambda: run_sql(database_urls.owner, fresh))


async def test_stops_in_time_while_the_database_hangs(spawn: Spawn, database_gate: DatabaseGate) -> None:
    worker = await spawn(WORKER, SUPABASE_DB_URL=database_gate.dsn)
    await worker.line_with("idle")
    database_gate.freeze()
    worker.signal(signal.SIGTERM)

    assert await worker.exit_code() == 0
    assert "heartbeat not written: no answer within 5 s" in worker.lines


async def test_works_on_after_the_database_hung(
    spawn: Spawn, database_urls: DatabaseUrls, database_gate: DatabaseGate
) -> None:
    worker = await spawn(WORKER, SUPABASE_DB_URL=database_gate.dsn)
    await worker.line_with("idle")
    database_gate.freeze()
    job_id = await queue_job(database_urls.app)
    await worker.line_with("claim_pending_job: ")
    database_gate.thaw()

    await worker.line_with(f"update_job_status: job {job_id} -> completed")


async def test_hands_back_a_claim_whose_answer_was_lost(
    spawn: Spawn, database_urls: DatabaseUrls, database_gate: DatabaseGate, eventually: Eventually
) -> None:
    worker = await spawn(WORKER, SUPABASE_DB_URL=database_gate.dsn)
    [(worker_id,)] = await eventually(
        lambda: run_sql(database_urls.owner, "SELECT worker_id FROM ops.worker_heartbeats")
    )
    await worker.line_with("idle")
    await database_gate.close()
    claim = "SELECT id::text FROM ops.claim_pending_job(ARRAY['enforcement_next_step'], %s)"
    job_id = await queue_job(database_urls.app)
    assert await run_sql(database_urls.app, claim, worker_id) == [(job_id,)]
    await worker.line_with("claim_pending_job: ")
    await database_gate.open()

    await worker.line_with(f"update_job_status: job {job_id} -> pending")
    await worker.line_with(f"update_job_status: job {job_id} -> completed")


async def test_does_not_settle_a_job_that_was_taken_from_it(spawn: Spawn, database_urls: DatabaseUrls) -> None:
    async with await psycopg.AsyncConnection.connect(database_urls.owner) as conn:
        await conn.execute("LOCK TABLE public.judgments IN ACCESS EXCLUSIVE MODE")
        worker = await spawn(WORKER, SUPABASE_DB_URL=database_urls.app)
        job_id = await queue_job(database_urls.app)
        await worker.line_with("Processing batch")
        await run_sql(database_urls.superuser, "UPDATE ops.job_queue SET locked_by = 'enforcement-other1'")
        await conn.rollback()

    await worker.line_with(f"update_job_status: job {job_id} -> no longer ours, left alone")
    state = "SELECT status, locked_by FROM ops.job_queue"
    assert await run_sql(database_urls.owner, state) == [("processing", "enforcement-other1")]


async def test_two_workers_share_the_jobs(spawn: Spawn, database_urls: DatabaseUrls, eventually: Eventually) -> None:
    jobs = [await queue_job(database_urls.app) for _ in range(20)]

    workers = [await spawn(WORKER, SUPABASE_DB_URL=database_urls.app) for _ in range(2)]

    done = "SELECT 1 FROM ops.job_queue GROUP BY () HAVING bool_and(status = 'completed' AND attempts = 1)"
    assert await eventually(lambda: run_sql(database_urls.owner, done))
    for worker in workers:
        worker.signal(signal.SIGTERM)
        await worker.exit_code()
    claimed = [line for worker in workers for line in worker.lines if line.startswith("claim_pending_job")]
    assert sorted(claimed) == sorted(f"claim_pending_job: claimed job {job_id}" for job_id in jobs)


async def test_reports_everything_that_is_wrong_with_its_environment(spawn: Spawn) -> None:
    worker = await spawn(WORKER, ENVIRONMENT="production", SUPABASE_DB_URL="", HEARTBEAT_EVERY_S="often")

    assert await worker.exit_code() == 2
    assert [line.split(":")[0].strip() for line in worker.lines[1:-1]] == [
        "ENVIRONMENT",
        "SUPABASE_DB_URL",
        "HEARTBEAT_EVERY_S",
    ]
    assert "production" not in "\n".join(worker.lines)


async def test_a_killed_workers_job_is_done_by_another_one_although_its_lock_is_young(
    spawn: Spawn, database_urls: DatabaseUrls, eventually: Eventually
) -> None:
    """`kill -9` in the middle of a statement, which the server continues: that session is no sign of life."""
    quick = {"HEARTBEAT_EVERY_S": "0.2", "GONE_AFTER_S": "1", "REAP_EVERY_S": "0.2"}
    async with await psycopg.AsyncConnection.connect(database_urls.owner) as conn:
        await conn.execute("LOCK TABLE public.judgments IN ACCESS EXCLUSIVE MODE")
        worker = await spawn(WORKER, SUPABASE_DB_URL=database_urls.app, **quick)
        job_id = await queue_job(database_urls.app)
        beat = "SELECT 1 FROM ops.worker_heartbeats WHERE current_job_id = %s::uuid AND sessions_seen"
        await eventually(lambda: run_sql(database_urls.owner, beat, job_id))
        worker.signal(signal.SIGKILL)
        await worker.exit_code()
        successor = await spawn(WORKER, SUPABASE_DB_URL=database_urls.app, **quick)
        await successor.line_with(f"reap_jobs: job {job_id} of a silent worker -> pending")
        await conn.rollback()

    await successor.line_with(f"job {job_id} -> completed")
    [done] = await run_sql(database_urls.owner, "SELECT status, attempts, claim FROM ops.job_queue")
    assert done == ("completed", 2, 2)
