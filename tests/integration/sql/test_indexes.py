"""Queries that run all the time stay fast as history grows: each is served by its index (performance.md)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from services.postgres.pool import Connection
from services.postgres.queries import SQL

# 50 000 finished jobs over 35 days, 400 pending in two types, few failed and processing; 5 000 dead workers.
SEED = """
INSERT INTO ops.job_queue (job_type, status, created_at, updated_at, run_at, locked_at, locked_by)
SELECT CASE WHEN n % 100 = 0 THEN 'rare' ELSE 'common' END, kind, at, at, at,
       CASE WHEN kind = 'processing' THEN at END, CASE WHEN kind = 'processing' THEN 'w' || n END
FROM (
    SELECT n, now() - n * interval '1 minute' AS at,
           CASE WHEN n % 500 = 1 THEN 'failed' WHEN n % 500 IN (2, 100, 3, 4) THEN 'pending'
                WHEN n % 5000 = 5 THEN 'processing' ELSE 'completed' END AS kind
    FROM generate_series(1, 50000) AS n
) AS seed;
INSERT INTO ops.worker_heartbeats (worker_id, worker_type, status, last_heartbeat_at)
SELECT 'w' || n, 'ingest_processor', CASE WHEN n < 3 THEN 'running' ELSE 'stopped' END, now() - n * interval '1 hour'
FROM generate_series(0, 5000) AS n;
INSERT INTO intake.simplicity_batches (file_name, sha256, created_at)
SELECT 'f', repeat('a', 64), now() - n * interval '1 minute' FROM generate_series(1, 20000) AS n;
INSERT INTO ops.intake_logs (event_type, created_at)
SELECT 'e', now() - n * interval '1 minute' FROM generate_series(1, 20000) AS n;
ANALYZE ops.job_queue, ops.worker_heartbeats, intake.simplicity_batches, ops.intake_logs;
"""
PARAMETERS = {"stale_after": timedelta(minutes=5), "window": timedelta(hours=1), "limit": 20}
EXPECTED = {
    "list_heartbeats": {"worker_heartbeats_last_idx"},
    "read_queue_snapshot": {"job_queue_pending_idx", "job_queue_processing_idx", "job_queue_failed_idx"},
    "list_failed_jobs": {"job_queue_failed_idx"},
    "count_failed_jobs": {"job_queue_failed_idx"},
    "list_throughput": {"job_queue_updated_idx"},
    "list_oldest_pending": {"job_queue_pending_idx"},
    "list_running_jobs": {"job_queue_processing_idx"},
    "list_batches": {"simplicity_batches_created_idx"},
    "list_intake_events": {"intake_logs_created_idx"},
}
CLAIM = re.compile(r"WITH due AS \(.*?\n    \)\n", re.DOTALL)


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


async def explain(conn: Connection, query: str, parameters: dict[str, object]) -> list[dict[str, Any]]:
    row = await (await conn.execute(f"EXPLAIN (FORMAT json) {query}", parameters)).fetchone()
    assert row
    found = row[0] if isinstance(row[0], list) else json.loads(row[0])
    return list(nodes(found[0]["Plan"]))


def scanned_whole(plan: list[dict[str, Any]]) -> list[str]:
    return [node["Relation Name"] for node in plan if node["Node Type"] == "Seq Scan" and "Relation Name" in node]


@pytest.fixture
async def seeded(as_owner: Connection) -> Connection:
    await as_owner.execute(SEED)
    return as_owner


async def test_operated_reads_use_their_indexes(seeded: Connection) -> None:
    missing, whole = {}, {}
    for name, indexes in EXPECTED.items():
        plan = await explain(seeded, SQL[name], PARAMETERS)
        used = {node["Index Name"] for node in plan if "Index Name" in node}
        missing[name] = indexes - used
        whole[name] = [table for table in scanned_whole(plan) if table != "worker_heartbeats"]

    assert missing == {name: set() for name in EXPECTED}
    assert whole == {name: [] for name in EXPECTED}


async def test_a_claim_probes_the_index_once_for_each_type(seeded: Connection) -> None:
    row = await (
        await seeded.execute("SELECT prosrc FROM pg_proc WHERE oid = 'ops.claim_pending_job'::regproc")
    ).fetchone()
    assert row
    claim = CLAIM.search(row[0])
    assert claim
    query = claim[0].replace("p_job_types", "%(types)s::text[]") + "SELECT id FROM due"  # noqa: S608 - our function

    plan = await explain(seeded, query, {"types": ["rare", "common"]})

    assert scanned_whole(plan) == []
    assert [node["Index Name"] for node in plan if "Index Name" in node] == ["job_queue_claim_idx"]


async def test_retry_of_a_rare_type_does_not_walk_the_backlog_of_a_common_one(seeded: Connection) -> None:
    await seeded.execute("UPDATE ops.job_queue SET status = 'completed' WHERE status = 'pending' AND job_type = 'rare'")
    await seeded.execute(
        "INSERT INTO ops.job_queue (job_type) SELECT 'common' FROM generate_series(1, 20000); ANALYZE ops.job_queue"
    )

    row = await (
        await seeded.execute(
            "EXPLAIN (ANALYZE, BUFFERS, FORMAT json) SELECT FROM ops.claim_pending_job(ARRAY['rare'], 'w')"
        )
    ).fetchone()

    assert row
    assert row[0][0]["Plan"]["Shared Hit Blocks"] < 500
