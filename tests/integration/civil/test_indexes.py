"""Frequent reads of the bot scan no history: the system's own indexes serve them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from services.clients.postgres.pool import Connection
from services.clients.postgres.queries import DIALECTS

SEED = """
INSERT INTO ops.job_queue (job_type, payload, status, created_at, next_run_at)
SELECT 'ingest_csv', '{}',
    CASE WHEN n % 50 = 0 THEN 'pending' WHEN n % 997 = 0 THEN 'processing' WHEN n % 499 = 0 THEN 'failed'
    ELSE 'completed' END::ops.job_status_enum,
    now() - n * interval '1 second', CASE WHEN n % 100 = 0 THEN now() - n * interval '1 second' END
FROM generate_series(1, 50000) AS n;
INSERT INTO ops.ingest_batches (id, source, filename, row_count_raw)
SELECT gen_random_uuid(), 'simplicity', n || '.csv', 10 FROM generate_series(1, 200) AS n;
INSERT INTO ops.intake_logs (batch_id, row_index, status)
SELECT id, n, 'error' FROM ops.ingest_batches CROSS JOIN generate_series(1, 100) AS n;
ANALYZE ops.job_queue, ops.ingest_batches, ops.intake_logs;
"""
PARAMETERS = {
    "stale_after": timedelta(seconds=90),
    "stale_by_type": "{}",
    "count_to": 101,
    "limit": 20,
    "window": timedelta(hours=1),
    "error_limit": 500,
    "job_types": ["ingest_csv"],
    "batch_id": "11111111-1111-4111-8111-111111111111",
    "lowest": "11111111-1111-4111-8111-111111111111",
    "highest": "11111111-1111-4111-8111-111111111112",
}
JOBS, LOGS = "ops.job_queue", "ops.intake_logs"
# The table of which each query reads only what an index finds.
SERVED = {
    "read_queue_snapshot": JOBS,
    "list_oldest_pending": JOBS,
    "list_next_due": JOBS,
    "list_running_jobs": JOBS,
    "list_orphaned_jobs": JOBS,
    "list_failed_jobs": JOBS,
    "count_failed_jobs": JOBS,
    "list_heartbeats": JOBS,
    "list_batches": LOGS,
    "find_batches": LOGS,
    "list_row_faults": LOGS,
    "list_intake_events": LOGS,
    "count_batch_rows": LOGS,
}


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


@pytest.mark.parametrize("civil", ["december"], indirect=True)  # both vintages have these indexes
@pytest.mark.usefixtures("civil")
async def test_no_read_of_every_tick_scans_a_whole_table(as_owner: Connection) -> None:
    await as_owner.execute(SEED)

    scanned = []
    for name, table in SERVED.items():
        row = await (await as_owner.execute(f"EXPLAIN (FORMAT json) {DIALECTS['civil'][name]}", PARAMETERS)).fetchone()
        assert row
        found = row[0] if isinstance(row[0], list) else json.loads(row[0])
        for node in nodes(found[0]["Plan"]):
            if node["Node Type"] == "Seq Scan" and f"ops.{node['Relation Name']}" == table:
                scanned.append(name)

    assert scanned == []
