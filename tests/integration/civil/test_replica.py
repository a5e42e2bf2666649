"""The replicas match what is known of the system: columns, row-level security, rights, roles."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import sql

from services.clients.postgres.pool import Connection
from tests.integration.civil.conftest import Civil

# `table: column type` with `!` for NOT NULL; a line that begins with J is valid since January only.
COLUMNS = """
ops.worker_heartbeats: worker_id text!, worker_type text!, hostname text, last_seen_at timestamptz!, status text!,
  created_at timestamptz!, updated_at timestamptz!, stale_threshold_seconds int4!
ops.job_queue: id uuid!, job_type job_type_enum!, payload jsonb!, status job_status_enum!, attempts int4!,
  locked_at timestamptz, last_error text, created_at timestamptz!, updated_at timestamptz!, priority int4!,
  run_at timestamptz!, max_attempts int4!, next_run_at timestamptz, started_at timestamptz, worker_id text,
  reap_count int4!
J ops.job_queue: idempotency_key text, dedup_key text, correlation_id uuid, dead_letter_at timestamptz
ops.ingest_batches: id uuid!, source text!, filename text!, row_count_raw int4!, row_count_valid int4!,
  row_count_invalid int4!, status text!, error_summary text, created_at timestamptz!, processed_at timestamptz,
  created_by text, stats jsonb, started_at timestamptz, completed_at timestamptz, worker_id text, file_hash text,
  force_reimport bool, integrity_status text, verified_at timestamptz, verification_notes text
J ops.ingest_batches: plaintiff_inserted int4!, plaintiff_duplicate int4!, plaintiff_failed int4!
ops.intake_logs: id uuid!, batch_id uuid, row_index int4, status text, judgment_id uuid, error_code text,
  error_details text, processing_time_ms int4, created_at timestamptz!, job_id uuid, level text, message text,
  raw_payload jsonb
intake.simplicity_batches: id uuid!, filename text!, source_reference text, row_count_total int4!,
  row_count_staged int4!, row_count_valid int4!, row_count_invalid int4!, row_count_inserted int4!, status text!,
  error_summary text, created_at timestamptz!, staged_at timestamptz, transformed_at timestamptz,
  completed_at timestamptz, created_by text
J intake.simplicity_batches: file_hash text, storage_path text, row_count_duplicate int4!, discord_notified bool!,
  plaintiff_inserted int4!, plaintiff_duplicate int4!, plaintiff_failed int4!, error_threshold_percent int4!,
  rejection_reason text, parse_duration_ms int4, db_duration_ms int4
intake.simplicity_raw_rows: id int8!, batch_id uuid!, row_index int4!, raw_data jsonb!, created_at timestamptz!
supabase_migrations.schema_migrations: version text!, statements text[], name text
"""

TYPES_OF_JOBS = {
    "december": ["enforcement_drafting", "enforcement_generate_packet", "enforcement_strategy", "enrich_idicore",
                 "enrich_tlo", "generate_pdf", "ingest_csv", "simplicity_ingest"],
}  # fmt: skip
TYPES_OF_JOBS["january"] = sorted(
    [*TYPES_OF_JOBS["december"], "enrichment_request", "entity_resolve", "judgment_create"]
)

# (table, is row-level security on, does it apply to the owner too)
ROW_SECURITY = {
    "december": [("ops.job_queue", True, True), ("ops.worker_heartbeats", True, True)],
    "january": [
        ("intake.simplicity_batches", True, False),
        ("ops.ingest_batches", True, False),
        ("ops.intake_logs", True, False),
        ("ops.job_queue", True, False),
        ("ops.worker_heartbeats", True, True),
    ],
}


def expected_columns(vintage: str) -> dict[str, set[str]]:
    expected: dict[str, set[str]] = {}
    for line in COLUMNS.replace("\n  ", " ").strip().splitlines():
        is_newer, line = line.startswith("J "), line.removeprefix("J ")
        table, _, columns = line.partition(": ")
        if vintage == "january" or not is_newer:
            expected.setdefault(table, set()).update(columns.split(", "))
    return expected


async def test_columns_are_those_of_the_system(civil: Civil, as_owner: Connection) -> None:
    cursor = await as_owner.execute(
        """
        SELECT attrelid::regclass::text, attname || ' ' || replace(typname, '_text', 'text[]')
               || CASE WHEN attnotnull THEN '!' ELSE '' END
        FROM pg_attribute
        JOIN pg_type ON pg_type.oid = atttypid
        JOIN pg_class ON pg_class.oid = attrelid AND relkind = 'r'
        WHERE relnamespace::regnamespace::text IN ('ops', 'intake', 'supabase_migrations') AND attnum > 0
        """
    )
    found: dict[str, set[str]] = {}
    for table, column in await cursor.fetchall():
        found.setdefault(table, set()).add(column)

    expected = expected_columns(civil.vintage)
    assert {table: found[table] for table in expected} == expected


async def test_types_of_jobs_are_those_of_the_system(civil: Civil, as_owner: Connection) -> None:
    cursor = await as_owner.execute("SELECT unnest(enum_range(NULL::ops.job_type_enum))::text ORDER BY 1")

    assert [one for (one,) in await cursor.fetchall()] == TYPES_OF_JOBS[civil.vintage]


async def test_row_level_security_is_that_of_the_system(civil: Civil, as_owner: Connection) -> None:
    cursor = await as_owner.execute(
        """
        SELECT oid::regclass::text, relrowsecurity, relforcerowsecurity
        FROM pg_class
        WHERE relnamespace::regnamespace::text IN ('ops', 'intake') AND relkind = 'r' AND relrowsecurity
        ORDER BY 1
        """
    )

    assert await cursor.fetchall() == ROW_SECURITY[civil.vintage]


async def test_the_owner_is_no_superuser_and_passes_row_level_security(as_owner: Connection) -> None:
    cursor = await as_owner.execute(
        "SELECT rolsuper, rolbypassrls, rolcreaterole FROM pg_roles WHERE rolname = current_user"
    )

    assert await cursor.fetchone() == (False, True, True)


@pytest.mark.parametrize("table", ["job_queue", "worker_heartbeats"])
async def test_the_app_sees_no_row_or_is_refused(civil: Civil, as_owner: Connection, table: str) -> None:
    await as_owner.execute("INSERT INTO ops.worker_heartbeats (worker_id, worker_type) VALUES ('w-1', 'ingest')")
    await as_owner.execute("INSERT INTO ops.job_queue (job_type, payload) VALUES ('ingest_csv', '{}')")
    count = sql.SQL("SELECT count(*) FROM ops.{}").format(sql.Identifier(table))

    async with await psycopg.AsyncConnection.connect(civil.dsn("dragonfly_app")) as as_app:
        if civil.vintage == "december":
            assert await (await as_app.execute(count)).fetchone() == (0,)
        else:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await as_app.execute(count)


async def test_a_job_is_claimed_and_ended_as_the_system_does_it(as_owner: Connection) -> None:
    queued = await (await as_owner.execute("SELECT ops.queue_job('ingest_csv', '{}', 0, now())")).fetchone()
    assert queued is not None

    claimed = await as_owner.execute(
        "SELECT id, status::text, attempts, worker_id FROM ops.claim_pending_job(ARRAY['ingest_csv'], 30, 'w-1')"
    )
    assert await claimed.fetchone() == (queued[0], "processing", 1, "w-1")
    ended = await as_owner.execute("SELECT ops.update_job_status(%s, 'pending', 'Retry scheduled', 60)", [queued[0]])
    assert await ended.fetchone() == (True,)

    left = await as_owner.execute("SELECT worker_id, locked_at IS NOT NULL FROM ops.job_queue")
    assert await left.fetchone() == ("w-1", True)  # a retry keeps both
