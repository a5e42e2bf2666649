"""The ingest worker deletes old rows, and only those, on a real database."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from services.clients.postgres.pool import Connection, Database
from services.domain.secrets import Secret
from services.ingest_worker import handler
from services.ingest_worker.handler import IngestSettings
from tests.conftest import DatabaseUrls

DAYS = {"completed_jobs_keep_days": 90, "failed_jobs_keep_days": 365, "intake_log_keep_days": 365}
PLANTED = """
INSERT INTO ops.job_queue (job_type, status, updated_at, locked_at)
SELECT status || ' ' || age, status, now() - age * interval '1 day', CASE WHEN status = 'processing' THEN now() END
FROM unnest(ARRAY['pending', 'processing', 'completed', 'failed']) AS status, unnest(ARRAY[0, 89, 91, 364, 366]) AS age;
INSERT INTO ops.intake_logs (event_type, created_at)
SELECT 'age ' || age, now() - age * interval '1 day' FROM unnest(ARRAY[1, 364, 366]) AS age;
WITH batch AS (
    INSERT INTO intake.simplicity_batches (status, file_name, sha256, completed_at, error)
    SELECT status, status || age, repeat('0', 64),
        CASE WHEN status = 'completed' THEN now() - age * interval '1 day' END, NULL
    FROM unnest(ARRAY['completed', 'processing']) AS status, unnest(ARRAY[29, 31]) AS age
    RETURNING id, file_name, right(file_name, 2)::integer AS age
)
INSERT INTO intake.simplicity_raw_rows (batch_id, row_number, status, raw, created_at)
SELECT id, number, 'validated', '{}', now() - age * interval '1 day' FROM batch, generate_series(1, 3) AS number
"""
KEPT = {
    "ops.job_queue": "job_type",
    "ops.intake_logs": "event_type",
    "intake.simplicity_raw_rows": "(SELECT file_name FROM intake.simplicity_batches WHERE id = batch_id)",
}


@pytest.fixture
async def database(database_urls: DatabaseUrls) -> AsyncIterator[Database]:
    database = Database.connect_lazily(Secret(database_urls.app), application_name="test")
    yield database
    await database.close()


@pytest.fixture(autouse=True)
async def planted(as_owner: Connection) -> None:
    await as_owner.execute(PLANTED)


def settings(**days: int) -> IngestSettings:
    usual = {"environment": "dev", "supabase_db_url": "postgresql://u:p@h/d"}
    return IngestSettings.model_validate(usual | DAYS | days)


async def kept(conn: Connection, table: str) -> set[str]:
    cursor = await conn.execute(f"SELECT {KEPT[table]} FROM {table}".encode())  # noqa: S608 - our names
    return {row[0] for row in await cursor.fetchall()}


async def test_deletes_what_is_old_enough_and_nothing_that_is_to_be_done(
    database: Database, as_owner: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In batches of one, so that several are needed."""
    monkeypatch.setattr(handler, "AT_ONCE", 1)
    before = await kept(as_owner, "ops.job_queue")

    await handler.prune_old(database, settings=settings(raw_rows_keep_days=30))

    gone = before - await kept(as_owner, "ops.job_queue")
    assert gone == {"completed 91", "completed 364", "completed 366", "failed 366"}
    assert await kept(as_owner, "ops.intake_logs") == {"age 1", "age 364"}
    assert await kept(as_owner, "intake.simplicity_raw_rows") == {"completed29", "processing29", "processing31"}


async def test_an_age_of_0_keeps_all_and_originals_are_kept_unless_a_person_reports_otherwise(
    database: Database, as_owner: Connection
) -> None:
    nothing = settings(completed_jobs_keep_days=0, failed_jobs_keep_days=0, intake_log_keep_days=0)
    before = [await kept(as_owner, table) for table in KEPT]

    await handler.prune_old(database, settings=nothing)

    assert [await kept(as_owner, table) for table in KEPT] == before


async def test_prune_skips_locked_rows_until_the_next_time(database: Database, as_owner: Connection) -> None:
    async with as_owner.transaction():
        await as_owner.execute("SELECT FROM ops.job_queue WHERE job_type = 'completed 91' FOR UPDATE")
        await handler.prune_old(database, settings=settings())
    left = await kept(as_owner, "ops.job_queue")
    await handler.prune_old(database, settings=settings())

    assert ("completed 91" in left, "completed 364" in left) == (True, False)
    assert "completed 91" not in await kept(as_owner, "ops.job_queue")
