"""An uploaded file becomes judgments and next steps: API, both workers and Postgres as on Railway."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import psycopg

from services.clients.dragonfly_api.client import DragonflyApi
from services.clients.postgres.pool import Database
from services.domain.errors import SourceError
from services.domain.secrets import Secret
from services.domain.systems import RUNBOOK
from services.sandbox.web_server import find_free_port
from tests.conftest import DatabaseUrls
from tests.integration.services.conftest import PATIENCE_S, DatabaseGate, Eventually, Spawn
from tests.integration.services.ingest_worker.conftest import good_lines, store_batch

DEMO = Path("services/sandbox/data/demo_batch.csv").read_bytes()
JUDGED = """
SELECT count(*), count(*) FILTER (WHERE status = 'validated'), count(*) FILTER (WHERE status = 'failed')
FROM intake.simplicity_raw_rows
"""


async def run_sql(dsn: str, query: str, *values: object) -> Sequence[tuple[Any, ...]]:
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as conn:
        cursor = await conn.execute(query.encode(), values)
        return await cursor.fetchall() if cursor.description else []


async def test_a_file_becomes_judgments_and_next_steps(
    spawn: Spawn, database_urls: DatabaseUrls, eventually: Eventually
) -> None:
    port = find_free_port()
    common = {"SUPABASE_DB_URL": database_urls.app}
    await spawn("services.api", PORT=str(port), LISTEN_ADDRESS="127.0.0.1", DRAGONFLY_API_KEY="df_1", **common)
    ingest = await spawn("services.ingest_worker", **common)
    enforcement = await spawn("services.enforcement_worker", **common)

    async with DragonflyApi(
        f"http://127.0.0.1:{port}", Secret("df_1"), timeout_s=PATIENCE_S, system=RUNBOOK.name
    ) as api:

        async def is_healthy() -> bool:
            try:
                return (await api.read_health()).is_ok
            except SourceError:
                return False

        await eventually(is_healthy)
        batch_id = await api.upload_csv("demo.csv", DEMO)
        await ingest.line_with("-> completed")
        batch = await api.read_batch(batch_id)

    assert (batch.status, batch.row_count, batch.validated, batch.failed) == ("completed", 12, 10, 2)
    assert f"[ingest_processor] Processing batch: {batch_id}" in ingest.lines
    await enforcement.line_with("-> completed")
    assert await run_sql(database_urls.owner, "SELECT count(*) FROM public.judgments") == [(10,)]
    assert await run_sql(database_urls.owner, "SELECT count(*) FROM enforcement.next_steps") == [(10,)]
    errors = "SELECT row_number, error FROM intake.simplicity_raw_rows WHERE status = 'failed' ORDER BY 1"
    assert [(row, error.partition(" like ")[0]) for row, error in await run_sql(database_urls.owner, errors)] == [
        (10, "Judgment Amount: not an amount"),
        (11, "Filing Date: not a date"),
    ]
    result = "SELECT result FROM ops.job_queue WHERE job_type = 'simplicity_ingest'"
    assert await run_sql(database_urls.owner, result) == [
        ({"batch_id": batch_id, "rows": 12, "validated": 10, "failed": 2},)
    ]
    events = "SELECT event_type FROM ops.intake_logs ORDER BY id"
    assert await run_sql(database_urls.owner, events) == [("batch_received",), ("batch_completed",)]


async def test_the_same_file_twice_doubles_nothing(
    spawn: Spawn, database_urls: DatabaseUrls, database: Database
) -> None:
    await store_batch(database, good_lines(50))
    second = await store_batch(database, good_lines(60))

    worker = await spawn("services.ingest_worker", SUPABASE_DB_URL=database_urls.app)
    await worker.line_with(f"Processing batch: {second}")
    worker.signal(signal.SIGTERM)
    await worker.exit_code()

    assert await run_sql(database_urls.owner, "SELECT count(*) FROM public.judgments") == [(60,)]


async def test_another_worker_completes_what_a_killed_one_began(
    spawn: Spawn, database_urls: DatabaseUrls, database: Database, eventually: Eventually
) -> None:
    batch_id = await store_batch(database, good_lines(100_000))
    killed = await spawn("services.ingest_worker", SUPABASE_DB_URL=database_urls.app)
    await eventually(lambda: run_sql(database_urls.owner, "SELECT 1 FROM public.judgments LIMIT 1"))
    killed.signal(signal.SIGKILL)
    await killed.exit_code()
    [(_, validated, _)] = await run_sql(database_urls.owner, JUDGED)
    assert 0 < validated < 100_000

    requeue = "UPDATE ops.job_queue SET status = 'pending', locked_at = NULL, locked_by = NULL"
    await run_sql(database_urls.superuser, requeue)
    other = await spawn("services.ingest_worker", SUPABASE_DB_URL=database_urls.app)
    await other.line_with("-> completed")

    assert await run_sql(database_urls.owner, JUDGED) == [(100_000, 100_000, 0)]
    assert await run_sql(database_urls.owner, "SELECT count(*) FROM public.judgments") == [(100_000,)]
    follow_ups = "SELECT payload ->> 'batch_id' FROM ops.job_queue WHERE job_type = 'enforcement_next_step'"
    assert await run_sql(database_urls.owner, follow_ups) == [(batch_id,)]


async def test_a_repeated_job_changes_nothing(spawn: Spawn, database_urls: DatabaseUrls, database: Database) -> None:
    await store_batch(database, good_lines(10))
    worker = await spawn("services.ingest_worker", SUPABASE_DB_URL=database_urls.app)
    await worker.line_with("-> completed")
    before = await run_sql(database_urls.owner, "SELECT xmin::text, id FROM public.judgments ORDER BY id")

    again = "UPDATE ops.job_queue SET status = 'pending' WHERE job_type = 'simplicity_ingest'"
    await run_sql(database_urls.superuser, again)
    await worker.line_with("idle")
    await worker.lines_with("-> completed", count=2)

    assert await run_sql(database_urls.owner, "SELECT xmin::text, id FROM public.judgments ORDER BY id") == before
    jobs = "SELECT job_type, count(*) FROM ops.job_queue GROUP BY 1 ORDER BY 1"
    assert await run_sql(database_urls.owner, jobs) == [("enforcement_next_step", 1), ("simplicity_ingest", 1)]


async def test_lives_through_an_outage_in_the_middle_of_a_batch(
    spawn: Spawn, database_urls: DatabaseUrls, database: Database, database_gate: DatabaseGate, eventually: Eventually
) -> None:
    await store_batch(database, good_lines(100_000))
    worker = await spawn("services.ingest_worker", SUPABASE_DB_URL=database_gate.dsn)
    await eventually(lambda: run_sql(database_urls.owner, "SELECT 1 FROM public.judgments LIMIT 1"))
    await database_gate.close()
    await worker.line_with("Job failed: database:")
    await database_gate.open()

    await worker.line_with("update_job_status: job")
    await eventually(lambda: run_sql(database_urls.owner, "SELECT 1 FROM ops.job_queue WHERE status = 'pending'"))
    await run_sql(database_urls.superuser, "UPDATE ops.job_queue SET run_at = now()")
    await worker.line_with("-> completed")

    assert await run_sql(database_urls.owner, JUDGED) == [(100_000, 100_000, 0)]


async def test_a_batch_whose_last_attempt_fails_is_failed(
    spawn: Spawn, database_urls: DatabaseUrls, database: Database
) -> None:
    await store_batch(database, good_lines(3))
    await run_sql(database_urls.owner, "UPDATE ops.job_queue SET attempts = max_attempts - 1")
    await run_sql(database_urls.owner, "REVOKE INSERT ON public.judgments FROM dragonfly_app")

    worker = await spawn("services.ingest_worker", SUPABASE_DB_URL=database_urls.app)

    await worker.line_with("-> failed")
    assert await run_sql(database_urls.owner, "SELECT status FROM intake.simplicity_batches") == [("failed",)]
    assert await run_sql(database_urls.owner, "SELECT event_type FROM ops.intake_logs") == [("batch_failed",)]


async def test_a_job_without_its_batch_is_not_tried_again(
    spawn: Spawn, database_urls: DatabaseUrls, database: Database
) -> None:
    await store_batch(database, good_lines(1))
    await run_sql(database_urls.owner, "TRUNCATE intake.simplicity_batches CASCADE")

    worker = await spawn("services.ingest_worker", SUPABASE_DB_URL=database_urls.app)

    await worker.line_with("[ingest_processor] Job failed: there is no such batch")
    await worker.line_with("-> failed")


async def test_a_file_of_payments_changes_what_is_owed(
    spawn: Spawn, database_urls: DatabaseUrls, database: Database, eventually: Eventually
) -> None:
    port = find_free_port()
    common = {"SUPABASE_DB_URL": database_urls.app}
    await spawn("services.api", PORT=str(port), LISTEN_ADDRESS="127.0.0.1", DRAGONFLY_API_KEY="df_1", **common)
    await spawn("services.ingest_worker", **common)
    await spawn("services.enforcement_worker", **common)
    await store_batch(database, good_lines(1))
    owed = "SELECT (principal + interest)::text FROM enforcement.assessments"

    async def is_assessed() -> bool:
        return len(await run_sql(database_urls.owner, owed)) == 1

    async def is_paid() -> bool:
        return await run_sql(database_urls.owner, owed) == [("0.00",)]

    async def is_live() -> bool:
        try:
            return (await client.get("/api/live")).status_code == 200
        except httpx.TransportError:
            return False

    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        await eventually(is_live)
        await eventually(is_assessed)
        content = b"Case No,County,Amount,Date Paid,Receipt\nC-1,Kings,$500.00,6/1/2024,R-1\n"
        answer = await client.post(
            "/api/v1/intake/upload",
            headers={"X-DRAGONFLY-API-KEY": "df_1"},
            files={"file": ("payments.csv", content, "text/csv")},
            data={"source_system": "payments"},
        )

    assert answer.status_code == 202
    await eventually(is_paid)
    steps = "SELECT kind FROM enforcement.next_steps"
    assert await run_sql(database_urls.owner, steps) == [("file_satisfaction",)]
