"""The operated reads, as the bot's own role, with the fault that each is to find."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import psycopg

from services.clients.postgres import operated
from services.clients.postgres.intake import insert_batch, log_intake_event
from services.clients.postgres.pool import Connection
from services.clients.postgres.worker import beat, claim_jobs, finish_job, queue_job
from services.domain.jobs import PENDING_COUNTED_TO, LockWait
from services.domain.thresholds import StaleLimits
from tests.conftest import DatabaseUrls

STALE_AFTER = StaleLimits(timedelta(minutes=5))
HOUR = timedelta(hours=1)


async def run_job(conn: Connection, worker: str) -> str:
    """Queue a job and claim it as this worker; return its id."""
    await queue_job(conn, job_type="a", payload={"name": "Jane Roe"}, max_attempts=1)
    [job] = await claim_jobs(conn, worker_id=worker, job_types=["a"])
    return job.id


async def let_beat(conn: Connection, worker: str, status: str = "running") -> None:
    await beat(conn, worker_id=worker, worker_type="ingest_processor", status=status, git_sha="a1b2c3d4")


async def test_an_empty_queue(as_bot: Connection) -> None:
    snapshot = await operated.read_queue_snapshot(as_bot, stale_after=STALE_AFTER)

    assert (snapshot.pending, snapshot.processing, snapshot.failed_last_hour, snapshot.orphaned) == (0, 0, 0, 0)
    assert snapshot.oldest_pending_at is None


async def test_a_job_that_backs_off_is_pending_but_has_not_waited(as_app: Connection, as_bot: Connection) -> None:
    await queue_job(as_app, job_type="a", payload={})
    [job] = await claim_jobs(as_app, worker_id="w", job_types=["a"])
    await finish_job(as_app, job_id=job.id, status="failed", error="boom")

    snapshot = await operated.read_queue_snapshot(as_bot, stale_after=STALE_AFTER)

    assert (snapshot.pending, snapshot.oldest_pending_at) == (1, None)
    assert await operated.list_oldest_pending(as_bot, limit=5) == []


async def test_jobs_without_a_beating_worker_are_orphaned_however_new(
    as_app: Connection, as_owner: Connection, as_bot: Connection
) -> None:
    await let_beat(as_app, "alive")
    await let_beat(as_app, "gone")
    await let_beat(as_app, "silent")
    await let_beat(as_app, "gone", status="stopped")
    for worker in ("alive", "gone", "silent", "unknown"):
        await run_job(as_app, worker)
    await as_owner.execute(
        "UPDATE ops.worker_heartbeats SET last_heartbeat_at = now() - interval '6 minutes' WHERE worker_id = 'silent'"
    )

    snapshot = await operated.read_queue_snapshot(as_bot, stale_after=STALE_AFTER)
    running = await operated.list_running_jobs(as_bot)

    assert (snapshot.processing, snapshot.orphaned) == (4, 3)
    assert [job.locked_by for job in running] == ["alive", "gone", "silent", "unknown"]
    assert running[-1].last_heartbeat_at is None


async def test_queue_snapshot_counts_pending_jobs_up_to_a_limit(as_owner: Connection, as_bot: Connection) -> None:
    await as_owner.execute("ALTER TABLE ops.job_queue DISABLE TRIGGER USER")
    fill = "INSERT INTO ops.job_queue (job_type) SELECT 'a' FROM generate_series(1, %s)"
    await as_owner.execute(fill, (PENDING_COUNTED_TO,))
    exact = await operated.read_queue_snapshot(as_bot, stale_after=STALE_AFTER)
    await as_owner.execute(fill, (2,))
    cut = await operated.read_queue_snapshot(as_bot, stale_after=STALE_AFTER)

    assert (exact.pending, cut.pending) == (PENDING_COUNTED_TO, PENDING_COUNTED_TO + 1)


async def test_the_oldest_due_job_is_found_in_every_type_and_priority(as_owner: Connection, as_bot: Connection) -> None:
    add = """
        INSERT INTO ops.job_queue (job_type, priority, run_at) VALUES (%s, %s, now() + %s * interval '1 minute')
        RETURNING id::text
    """
    waiting = [("a", 0, -3), ("a", 5, -1), ("a", 9, 1), ("b", 0, -4), ("b", 2, 8), ("c", 1, -2), ("c", 1, 2)]
    ids = {
        minutes: (await (await as_owner.execute(add, (kind, priority, minutes))).fetchone() or [None])[0]
        for kind, priority, minutes in waiting
    }

    snapshot = await operated.read_queue_snapshot(as_bot, stale_after=STALE_AFTER)
    oldest = await operated.list_oldest_pending(as_bot, limit=3)
    due = await operated.list_next_due(as_bot, job_types=["a", "b", "nobody's"])

    assert [job.id for job in oldest] == [ids[-4], ids[-3], ids[-2]]
    assert (snapshot.pending, snapshot.oldest_pending_at) == (7, oldest[0].waiting_since)
    assert list(due) == ["b", "a"]
    assert due["a"] > oldest[2].waiting_since  # of type a the most urgent job is claimed next, not the oldest
    assert await operated.list_unclaimed(as_bot, job_types=["a", "c"]) == {"b": oldest[0].waiting_since}
    assert await operated.list_unclaimed(as_bot, job_types=["a", "b", "c"]) == {}


async def test_a_job_whose_type_is_at_its_limit_does_not_count_as_waiting(
    as_app: Connection, as_owner: Connection, as_bot: Connection
) -> None:
    await as_owner.execute("INSERT INTO ops.job_types (job_type, max_running) VALUES ('a', 1)")
    running = await run_job(as_app, "w")
    waiting = await queue_job(as_app, job_type="a", payload={})

    held_back = await operated.read_queue_snapshot(as_bot, stale_after=STALE_AFTER)
    due = await operated.list_next_due(as_bot, job_types=["a"])
    listed = await operated.list_oldest_pending(as_bot, limit=5)
    await finish_job(as_app, job_id=running, status="completed")
    left_alone = await operated.read_queue_snapshot(as_bot, stale_after=STALE_AFTER)

    assert (held_back.pending, held_back.oldest_pending_at, due) == (1, None, {})
    assert [job.id for job in listed] == [waiting]
    assert left_alone.oldest_pending_at == listed[0].waiting_since
    assert list(await operated.list_next_due(as_bot, job_types=["a"])) == ["a"]


async def test_failed_jobs_count_within_the_window_only(
    as_app: Connection, as_owner: Connection, as_bot: Connection
) -> None:
    old, new = await run_job(as_app, "w"), await run_job(as_app, "w")
    for job_id in (old, new):
        await finish_job(as_app, job_id=job_id, status="failed", error="boom")
    await as_owner.execute("UPDATE ops.job_queue SET updated_at = now() - interval '61 minutes' WHERE id = %s", (old,))

    failed = await operated.list_failed_jobs(as_bot, window=HOUR, limit=10)

    assert [(job.id, job.error_message, job.attempts) for job in failed] == [(new, "boom", 1)]
    assert await operated.count_failed_jobs(as_bot, window=HOUR) == 1


async def test_throughput_counts_ends_by_the_minute(as_app: Connection, as_bot: Connection) -> None:
    await finish_job(as_app, job_id=await run_job(as_app, "w"), status="completed")
    await finish_job(as_app, job_id=await run_job(as_app, "w"), status="failed", error="boom")
    await run_job(as_app, "w")

    minutes = await operated.list_throughput(as_bot, window=HOUR)

    assert (sum(minute.completed for minute in minutes), sum(minute.failed for minute in minutes)) == (1, 1)


async def test_a_worker_that_died_stays_in_sight_for_a_day(
    as_app: Connection, as_owner: Connection, as_bot: Connection
) -> None:
    for worker, hours in (("old", 25), ("dead", 23), ("alive", 0)):
        await let_beat(as_app, worker)
        await as_owner.execute(
            "UPDATE ops.worker_heartbeats SET last_heartbeat_at = now() - make_interval(hours => %s) "
            "WHERE worker_id = %s",
            (hours, worker),
        )

    assert [beat.worker_id for beat in await operated.list_heartbeats(as_bot)] == ["alive", "dead"]


async def test_a_wait_for_a_row_of_another_role_shows_table_and_blocker(
    database_urls: DatabaseUrls, as_app: Connection, as_owner: Connection, as_bot: Connection
) -> None:
    """The bot has no right to see other roles' activity, and must not take that for "no waits"."""
    await let_beat(as_app, "w")
    update = "UPDATE ops.worker_heartbeats SET git_sha = 'x' WHERE worker_id = 'w'"
    async with await psycopg.AsyncConnection.connect(database_urls.app, application_name="dragonfly-x") as waiting:
        pid = waiting.info.backend_pid
        async with as_owner.transaction():
            await as_owner.execute(update)
            task = asyncio.create_task(waiting.execute(update))
            found: list[LockWait] = []
            while not found:
                await asyncio.sleep(0.01)
                found = await operated.list_lock_waits(as_bot)
        await task

    (wait,) = found
    assert wait.pid == pid
    assert wait.application_name == "dragonfly-x"
    assert wait.relation == "ops.worker_heartbeats"
    assert wait.blocked_by == (as_owner.info.backend_pid,)
    assert 0 <= wait.waiting_s < 60


async def test_batches_and_events_are_read_newest_first_without_details(as_app: Connection, as_bot: Connection) -> None:
    for name in ("first.csv", "second.csv"):
        await insert_batch(as_app, file_name=name, sha256="a" * 64, header="", row_count=3)
        await log_intake_event(as_app, event_type=f"uploaded {name}", details={"name": "Jane Roe"})

    batches = await operated.list_batches(as_bot, limit=1)
    events = await operated.list_intake_events(as_bot, limit=10)

    assert [(batch.status, batch.row_count, batch.validated, batch.failed) for batch in batches] == [
        ("received", 3, 0, 0)
    ]
    assert [event.event_type for event in events] == ["uploaded second.csv", "uploaded first.csv"]


async def test_the_server_reports_role_schemas_and_pooler(as_owner: Connection, as_bot: Connection) -> None:
    await as_owner.execute("REVOKE USAGE ON SCHEMA enforcement FROM dragonfly_bot")

    facts = await operated.read_server(as_bot)

    assert (facts.current_user, facts.hidden_tables, facts.pooler_mode) == ("dragonfly_bot", (), "direct")
    assert facts.schemas == ("intake", "ops", "public")
    assert facts.version.startswith("16")
