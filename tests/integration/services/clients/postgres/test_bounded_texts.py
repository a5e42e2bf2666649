"""Texts written by others leave the database truncated, so that they cannot cost the bot unlimited memory."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from services.clients.postgres.drift import APP_RIGHTS, queries_in
from services.clients.postgres.pool import Connection
from services.clients.postgres.queries import DIALECTS, SQL
from services.domain.systems import RUNBOOK

OF_OTHERS = ("ops", "intake", "enforcement", "public", "supabase_migrations")
OF_THE_APP = {topic for topics in APP_RIGHTS.values() for topic in topics}  # their readers wrote them
QUERIES = {**SQL, **DIALECTS["runbook"]}

LONG = "x" * 100_000
LIMIT = 2_000  # characters: more than any bound in the queries, much less than what is planted
PLACEHOLDER = re.compile(r"%\(\w+\)s")
ANY_LENGTH = {"text", "character varying", "character", "json", "jsonb", "bytea", "xml"}

BATCH = "11111111-1111-1111-1111-111111111111"
FAILED, PROCESSING, PENDING = (f"{digit * 8}-0000-0000-0000-000000000000" for digit in "123")
HOUR = timedelta(hours=1)
PARAMETERS: dict[str, Any] = {
    "begins": [],
    "ends": [],
    "sha256": "a" * 64,
    "limit": 5,
    "batch_id": BATCH,
    "keys": [LONG],
    "count_to": 5,
    "stale_after": HOUR,
    "stale_by_type": "{}",
    "error_limit": 500,
    "window": HOUR,
    "job_id": FAILED,
    "job_ids": [FAILED, PROCESSING, PENDING],
    "job_types": [LONG],
    "lowest": BATCH,
    "highest": BATCH,
    "tables": ["ops.job_queue"],
    "schemas": ["ops"],
    "roles": ["dragonfly_app"],
}
# These return no text of a table's rows: names from the catalog (63 bytes each), ids, counts.
CATALOG = {"read_server", "list_session_roles", "read_connection_use"}
FIND_NO_TEXT = {"list_exposures", "list_hidden_tables", "list_lock_waits", "requeue_jobs", "remove_golden_batch"}
READS = sorted({*DIALECTS["runbook"], *CATALOG, "list_migrations"} - FIND_NO_TEXT)


async def plant_long_texts(conn: Connection, as_app: Connection) -> None:
    """Store one row with long texts in each operated table, as happens where nothing limits them."""
    await conn.execute(
        """
        DO $$ DECLARE one record; BEGIN
            FOR one IN SELECT conrelid::regclass AS name, conname FROM pg_constraint
                JOIN pg_namespace ON pg_namespace.oid = connamespace
                WHERE contype = 'c' AND nspname IN ('ops', 'intake') AND conrelid <> 0 LOOP
                EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', one.name, one.conname);
            END LOOP;
        END $$
        """
    )
    for table in ("ops.job_queue", "intake.simplicity_batches", "intake.simplicity_raw_rows"):
        await conn.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    await conn.execute(
        "INSERT INTO ops.worker_heartbeats (worker_id, worker_type, status, git_sha)"
        " VALUES (%(x)s, %(x)s, %(x)s, %(x)s)",
        {"x": LONG},
    )
    for job, status, key in ((FAILED, "failed", LONG), (PROCESSING, "processing", None), (PENDING, "pending", None)):
        await conn.execute(
            "INSERT INTO ops.job_queue (id, job_type, status, error_message, locked_by, idempotency_key)"
            " VALUES (%(id)s, %(x)s, %(status)s, %(x)s, %(worker)s, %(key)s)",
            {"id": job, "x": LONG, "worker": f"{LONG}, which never beat", "status": status, "key": key},
        )
    await conn.execute(
        "INSERT INTO ops.intake_logs (event_type, source_system, details) VALUES (%(x)s, %(x)s, '{}')", {"x": LONG}
    )
    await conn.execute(
        "INSERT INTO intake.simplicity_batches (id, status, source_system, file_name, sha256, is_golden_path)"
        " VALUES (%(id)s, %(x)s, %(x)s, %(x)s, %(sha256)s, true)",
        {"id": BATCH, "x": LONG, "sha256": "a" * 64},
    )
    await conn.execute(
        "INSERT INTO intake.simplicity_raw_rows (batch_id, row_number, status, raw, error)"
        " VALUES (%(id)s, 1, 'failed', '{}', %(error)s)",
        {"id": BATCH, "error": "; ".join(f"{LONG}{number}" for number in range(20))},
    )
    await conn.execute(
        "INSERT INTO supabase_migrations.schema_migrations (version, name, checksum)"
        " VALUES ('29990101000000', %(x)s, %(x)s)",
        {"x": LONG},
    )
    await as_app.execute(f"SET application_name = 'dragonfly-worker-{'x' * 40}'")


def sizes(value: object) -> list[int]:
    if isinstance(value, (list, tuple)):
        return [size for one in value for size in sizes(one)]
    return [len(str(value))]


@pytest.mark.parametrize("name", READS)
async def test_named_query_returns_no_value_longer_than_its_limit(
    name: str, as_owner: Connection, as_app: Connection, as_bot: Connection
) -> None:
    await plant_long_texts(as_owner, as_app)

    parameters = PARAMETERS if PLACEHOLDER.search(QUERIES[name]) else None
    if name == "list_unclaimed":  # returns the types that are not among the given ones
        parameters = {"job_types": ["ingest_csv"]}
    rows = await (await as_bot.execute(QUERIES[name], parameters)).fetchall()

    assert rows or name == "list_job_outcomes"
    assert max((size for row in rows for size in sizes(row)), default=0) <= LIMIT


async def test_every_query_of_the_bot_bounds_text_columns_of_others(as_owner: Connection) -> None:
    types = dict(await _fetch(as_owner, "SELECT oid, format_type(oid, NULL) FROM pg_type"))
    tables = dict(
        await _fetch(
            as_owner,
            "SELECT pg_class.oid, nspname || '.' || relname FROM pg_class"
            " JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE nspname = ANY (%s)",
            list(OF_OTHERS),
        )
    )

    unbounded = []
    for query, statement in queries_in(RUNBOOK).items():
        for column, type_oid, table_oid in _columns(as_owner, statement) if query.topic not in OF_THE_APP else ():
            if table_oid in tables and types[type_oid].removesuffix("[]") in ANY_LENGTH:
                unbounded.append(f"{query.name}: {column} of {tables[table_oid]}")

    assert unbounded == []


def _columns(conn: Connection, statement: str) -> list[tuple[str, int, int]]:
    """Return (name, type, table that it is read from, or 0) of each column that the statement returns."""
    prepared = conn.pgconn.prepare(b"", PLACEHOLDER.sub("NULL", statement).encode())
    if prepared.status != psycopg.pq.ExecStatus.COMMAND_OK:
        return []  # several statements, or one for a table that an earlier one makes: no rows
    result = conn.pgconn.describe_prepared(b"")
    return [
        ((result.fname(one) or b"").decode(), result.ftype(one), result.ftable(one)) for one in range(result.nfields)
    ]


async def _fetch(conn: Connection, query: str, *parameters: Any) -> list[tuple[Any, Any]]:
    return await (await conn.execute(query, parameters or None)).fetchall()
