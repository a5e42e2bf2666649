"""Every query of the operated system is planned and run as the bot on both vintages, and fits its domain type."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg import sql

from services.clients.postgres import approvals, operated
from services.clients.postgres.drift import queries_in, read_drift
from services.clients.postgres.pool import Connection, Database
from services.clients.postgres.queries import DIALECTS
from services.clients.postgres.systems import read_system
from services.domain.secrets import Secret
from services.domain.systems import CIVIL
from services.domain.thresholds import StaleLimits
from tests.conftest import DatabaseUrls
from tests.integration.civil.conftest import Civil

BATCH = "11111111-1111-4111-8111-111111111111"
SHA256 = "ab" * 32
HOUR = timedelta(hours=1)
STALE_AFTER = StaleLimits(timedelta(seconds=90))
FILL = """
INSERT INTO ops.worker_heartbeats (worker_id, worker_type, status, last_seen_at, created_at) VALUES
    ('ingest-alive', 'ingest_processor', 'running', now(), now() - interval '1 hour'),
    ('ingest-tired', 'ingest_processor', 'degraded', now() - interval '1 second', now() - interval '1 hour'),
    ('enforce-dead', 'enforcement_engine', 'running', now() - interval '1 hour', now() - interval '2 hours'),
    ('enforce-error', 'enforcement_engine', 'error', now() - interval '2 seconds', now() - interval '2 hours'),
    ('enforce-old', 'enforcement_engine', 'stopped', now() - interval '2 days', now() - interval '3 days');
INSERT INTO ops.job_queue (job_type, payload, status, attempts, last_error, created_at, next_run_at,
                           locked_at, started_at, worker_id) VALUES
    ('ingest_csv', '{"n": "due since 10 min"}', 'pending', 0, NULL, now() - interval '10 min', NULL, NULL,
     NULL, NULL),
    ('ingest_csv', '{"n": "tried and not free"}', 'pending', 1, 'Retry scheduled', now() - interval '2 h',
     now() - interval '1 h', now() - interval '29 min', now() - interval '29 min', 'ingest-alive'),
    ('enforcement_strategy', '{"n": "free since 5 min"}', 'pending', 1, 'Retry scheduled', now() - interval '2 h',
     now() - interval '1 h', now() - interval '35 min', now() - interval '35 min', 'enforce-dead'),
    ('enforcement_drafting', '{"n": "later"}', 'pending', 1, NULL, now() - interval '2 h', now() + interval '1 min',
     NULL, NULL, NULL),
    ('ingest_csv', '{"n": "at hand"}', 'processing', 1, NULL, now(), NULL, now(), now(), 'ingest-alive'),
    ('enforcement_strategy', '{"n": "orphan"}', 'processing', 1, NULL, now(), NULL, now(), now(), 'enforce-dead'),
    ('enforcement_strategy', '{"n": "orphan of an ended one"}', 'processing', 1, NULL, now(), NULL, now(), now(),
     'enforce-error'),
    ('ingest_csv', '{"n": "failed"}', 'failed', 5, 'ValueError: it broke', now(), NULL, now(), now(),
     'ingest-alive'),
    ('ingest_csv', '{"n": "done"}', 'completed', 2, 'Retry scheduled in 4s', now(), NULL, now(), now(),
     'ingest-alive');
INSERT INTO ops.ingest_batches (id, source, filename, row_count_raw, row_count_valid, status)
VALUES ('11111111-1111-4111-8111-111111111111', 'simplicity', 'golden-path-run-7-abababababababab.csv',
        3, 3, 'completed');
INSERT INTO ops.intake_logs (batch_id, row_index, status, error_code)
SELECT '11111111-1111-4111-8111-111111111111', n, 'error', 'DB_ERROR' FROM generate_series(1, 3) AS n;
"""


@pytest.fixture
def civil(adopted: Civil) -> Civil:
    """A database after the adoption."""
    return adopted


@pytest.fixture
async def database(civil: Civil, as_owner: Connection) -> AsyncIterator[Database]:
    """The database as the bot, after the adoption, with a row of each kind."""
    await as_owner.execute(FILL)
    database = Database.connect_lazily(
        Secret(civil.dsn("dragonfly_bot")), application_name="test", timeout_s=60.0, recognize=read_system
    )
    yield database
    await database.close()


def columns_of(conn: Connection, statement: str) -> list[tuple[str, int]]:
    """Return name and type of each result column, as the server plans the statement."""
    planned = re.sub(r"%\(\w+\)s", "NULL", statement).replace("%%", "%").encode()
    prepared = conn.pgconn.prepare(b"", planned)
    assert prepared.status == psycopg.pq.ExecStatus.COMMAND_OK, prepared.error_message.decode()
    result = conn.pgconn.describe_prepared(b"")
    return [((result.fname(one) or b"").decode(), result.ftype(one)) for one in range(result.nfields)]


async def test_every_query_has_the_result_columns_of_our_own_system(
    database: Database, database_urls: DatabaseUrls
) -> None:
    ours: dict[str, Any] = {}
    async with await psycopg.AsyncConnection.connect(database_urls.bot) as conn:
        ours = {name: columns_of(conn, text) for name, text in DIALECTS["runbook"].items()}

    async with database.read(timeout_s=60.0) as conn:
        theirs = {name: columns_of(conn, text) for name, text in DIALECTS["civil"].items()}

    assert theirs == ours


async def test_nothing_has_drifted_after_the_adoption(database: Database) -> None:
    async with database.read(timeout_s=60.0) as conn:
        drift = await read_drift(conn)

    assert (dict(drift.refused), drift.missing, drift.is_migrated) == ({}, (), False)
    assert drift.tried > 100
    topics = {query.topic for query in queries_in(CIVIL)}
    assert topics.isdisjoint({"worker", "uploads", "enforcement", "ingest", "pruning"})
    assert topics >= {"jobs", "heartbeats", "runs"}


async def test_the_queue_is_read_by_the_rules_of_the_system(database: Database) -> None:
    async with database.read(timeout_s=60.0) as conn:
        snapshot = await operated.read_queue_snapshot(conn, stale_after=STALE_AFTER)
        oldest = await operated.list_oldest_pending(conn, limit=10)
        due = await operated.list_next_due(
            conn, job_types=["ingest_csv", "enforcement_strategy", "enforcement_drafting"]
        )

    assert (snapshot.pending, snapshot.processing, snapshot.failed_last_hour, snapshot.orphaned) == (4, 3, 1, 2)
    assert [(job.job_type, (snapshot.as_of - job.waiting_since) // timedelta(minutes=5)) for job in oldest] == [
        ("ingest_csv", 2),
        ("enforcement_strategy", 1),
    ]
    assert snapshot.oldest_pending_at == oldest[0].waiting_since
    assert due == {job.job_type: job.waiting_since for job in oldest}
    async with database.read(timeout_s=60.0) as conn:
        unclaimed = await operated.list_unclaimed(conn, job_types=["enforcement_strategy"])
    assert unclaimed == {"ingest_csv": due["ingest_csv"]}


async def test_jobs_are_read_with_their_workers_and_errors(database: Database) -> None:
    async with database.read(timeout_s=60.0) as conn:
        running = await operated.list_running_jobs(conn)
        orphans = await approvals.list_orphaned_jobs(conn, stale_after=STALE_AFTER, limit=10)
        [failed] = await operated.list_failed_jobs(conn, window=HOUR, limit=10)
        [ended] = await operated.list_throughput(conn, window=HOUR)
        [outcomes] = await operated.list_job_outcomes(
            conn, spans=[(failed.updated_at - HOUR, failed.updated_at + HOUR)]
        )
        [job] = await approvals.list_jobs(conn, job_ids=[failed.id])
        counts = (
            await operated.count_failed_jobs(conn, window=HOUR),
            await operated.count_exhausted_jobs(conn, window=HOUR),
        )
        error = await operated.read_job_error(conn, job_id=failed.id)

    assert {job.locked_by for job in running} == {"ingest-alive", "enforce-dead", "enforce-error"}
    assert {job.locked_by for job in orphans} == {"enforce-dead", "enforce-error"}
    assert failed.error_message == error == "ValueError: it broke"
    assert (ended.completed, ended.failed) == (outcomes.completed, outcomes.failed) == (1, 1)
    assert (job.status, job.attempts, job.max_attempts) == ("failed", 5, 5)
    assert counts == (1, 1)


async def test_a_completed_job_has_no_error(database: Database, as_owner: Connection) -> None:
    cursor = await as_owner.execute("SELECT id::text FROM ops.job_queue WHERE status = 'completed'")
    [(job_id,)] = await cursor.fetchall()

    async with database.read(timeout_s=60.0) as conn:
        assert await operated.read_job_error(conn, job_id=job_id) is None


async def test_a_worker_is_read_with_the_job_at_hand(database: Database) -> None:
    async with database.read(timeout_s=60.0) as conn:
        reading = await operated.read_heartbeats(conn)

    assert reading.all_visible
    beats = {beat.worker_id: beat for beat in reading.rows}
    assert list(beats) == ["ingest-alive", "ingest-tired", "enforce-error", "enforce-dead"]
    assert [beats[one].current_job_id is not None for one in beats] == [True, False, True, True]
    assert {beat.git_sha for beat in reading.rows} == {None}


async def test_rows_that_could_not_be_stored_count_as_failed(database: Database) -> None:
    async with database.read(timeout_s=60.0) as conn:
        [batch] = await operated.list_batches(conn, limit=10)
        [found] = await operated.find_batches(conn, beginning=BATCH[:8])
        [fault] = await operated.list_row_faults(conn, batch_id=BATCH, limit=10)
        events = await operated.list_intake_events(conn, limit=2)
        counts = await operated.count_batch_rows(conn, batch_id=BATCH)

    assert batch == found
    assert (batch.row_count, batch.validated, batch.failed, batch.is_empty) == (3, 0, 3, True)
    assert (fault.fault, fault.rows) == ("DB_ERROR", 3)
    assert [(event.event_type, event.reason) for event in events] == [("error", "DB_ERROR")] * 2
    assert (counts.rows, counts.validated, counts.failed) == (3, 0, 3)


async def test_a_golden_batch_is_found_by_its_name_and_never_removed(database: Database) -> None:
    async with database.read(timeout_s=60.0) as conn:
        found = await operated.find_golden_batch(conn, sha256=SHA256)
        another = await operated.find_golden_batch(conn, sha256="cd" * 32)
        left = await operated.list_golden_batches(conn, limit=10)
        jobs = await operated.list_batch_jobs(conn, keys=[f"simplicity_ingest:{BATCH}"])
        removed = await operated.remove_golden_batch(conn, batch_id=BATCH)

    assert found is not None
    assert (found.id, another) == (BATCH, None)
    assert (left, jobs, removed) == ([], [], False)


async def test_requeueing_goes_through_the_function_of_the_adoption(database: Database) -> None:
    async with database.transaction(timeout_s=60.0) as conn:
        orphans = await approvals.list_orphaned_jobs(conn, stale_after=STALE_AFTER, limit=10)
        requeued = await approvals.requeue_jobs(
            conn, job_ids=[job.id for job in orphans], stale_after=StaleLimits(timedelta(minutes=1))
        )

        jobs = await approvals.list_jobs(conn, job_ids=requeued)

    assert requeued == sorted(job.id for job in orphans)
    assert {job.status for job in jobs} == {"pending"}


async def test_catalogue_reads_name_the_system(database: Database) -> None:
    async with database.read(timeout_s=60.0) as conn:
        server = await operated.read_server(conn)
        await operated.read_connection_use(conn)
        await operated.list_lock_waits(conn)
        await operated.list_session_roles(conn)

    assert (server.schemas, server.missing_schemas, server.hidden_tables) == (("ops",), (), ())
    assert not server.is_migrated


async def test_exposures_of_the_operated_system_belong_to_its_owner(civil: Civil, database: Database) -> None:
    async with database.read(timeout_s=60.0) as conn:
        found = await operated.list_exposures(conn)

    assert {one.is_theirs for one in found} == {True}
    named = {(one.kind, one.subject, one.role) for one in found}
    assert ("policies", "ops.worker_heartbeats", "authenticated") in named
    assert ("policies", "ops.job_queue", "anon") not in named  # that policy gives access to no one
    assert (("rls", "ops.ingest_batches", "") in named) is (civil.vintage == "december")
    assert {one.subject.partition(".")[0] for one in found if one.kind in ("grants", "functions", "rls")} <= {"ops"}


@pytest.mark.usefixtures("database")
async def test_a_session_whose_claims_are_empty_is_read_like_any_other(civil: Civil) -> None:
    """A policy for PUBLIC reads the claims as JSON; a pooler hands sessions on with any setting."""
    dsn = civil.dsn("dragonfly_bot") + "?options=-c%20request.jwt.claims%3D"
    pooled = Database.connect_lazily(Secret(dsn), application_name="test", timeout_s=60.0, recognize=read_system)

    async with pooled.read(timeout_s=60.0) as conn:
        assert await operated.count_failed_jobs(conn, window=HOUR) == 1

    await pooled.close()


GRANTED = """
SELECT attrelid::regclass || '.' || attname
FROM pg_attribute
CROSS JOIN aclexplode(attacl)
WHERE grantee = 'dragonfly_bot'::regrole AND attrelid::regclass::text LIKE 'ops.%'
UNION ALL
SELECT oid::regclass || '.*' FROM pg_class CROSS JOIN aclexplode(relacl)
WHERE grantee = 'dragonfly_bot'::regrole AND relnamespace = 'ops'::regnamespace
"""


async def test_each_granted_column_is_needed(database: Database, as_owner: Connection) -> None:
    """The reverse of the drift tests above: without a column that it needs, a query is refused."""
    granted = [str(one) for (one,) in await (await as_owner.execute(GRANTED)).fetchall()]
    idle = []

    for column in granted:
        table, _, name = column.rpartition(".")
        right = sql.SQL("SELECT ({}) ON {}").format(sql.Identifier(name), sql.Identifier(*table.split(".")))
        await as_owner.execute(sql.SQL("REVOKE {} FROM dragonfly_bot").format(right))
        async with database.read(timeout_s=60.0) as conn:
            if not (await read_drift(conn)).refused:
                idle.append(column)
        await as_owner.execute(sql.SQL("GRANT {} TO dragonfly_bot").format(right))

    assert granted
    assert idle == []
