"""A claim costs as much at the end of a long drain as at its start, with the server's own autovacuum."""

from __future__ import annotations

import os
import time

import pytest

from services.clients.postgres.pool import Connection, connect
from services.sandbox.postgres.server import SandboxDatabase
from tests.benchmarks.bare_queue import chain
from tests.benchmarks.measuring import ms, show

FINISHED = int(os.environ.get("DRAIN_FINISHED", "2000000"))
PENDING = int(os.environ.get("DRAIN_PENDING", "150000"))
PARTS = 15
AIM = 2.0
TYPE = "drained"
_HISTORY = """
INSERT INTO ops.job_queue (job_type, status, created_at, updated_at)
SELECT 'drained', 'completed', ended.at, ended.at
FROM generate_series(1, %s) AS n, LATERAL (SELECT now() - interval '1 day' - n * interval '1 second') AS ended (at)
"""
_WAITING = """
INSERT INTO ops.job_queue (job_type, run_at)
SELECT 'drained', now() - n * interval '1 millisecond' FROM generate_series(1, %s) AS n
"""


@pytest.mark.benchmark
@pytest.mark.timeout(900)
async def test_claims_stay_cheap_while_a_backlog_is_drained(database: SandboxDatabase) -> None:
    async with await connect(database.owner, application_name="benchmark", timeout_s=5) as conn:
        await conn.execute("SET synchronous_commit = off")  # measure the claims, not the disk
        await conn.execute("ALTER TABLE ops.job_queue DISABLE TRIGGER USER")
        await conn.execute(_HISTORY, (FINISHED,))
        await conn.execute(_WAITING, (PENDING,))
        await conn.execute("ALTER TABLE ops.job_queue ENABLE TRIGGER USER")
        await conn.execute("VACUUM ANALYZE ops.job_queue")
        wiring = await _drain(conn)

    first, last, worst = wiring[0], wiring[-1], max(wiring)
    show(
        f"{PENDING:,} jobs one by one, {FINISHED:,} finished ones beside them, mean time of each in {PARTS} parts",
        ("the first part", ms(first)),
        (f"the last against it (aim: {AIM:.0f} x)", f"{last / first:.2f} x  ({ms(last)})"),
        ("the worst against it", f"{worst / first:.2f} x  ({ms(worst)})"),
    )
    assert last / first <= 2 * AIM


async def _drain(conn: Connection) -> list[float]:
    """Drain the queue; return the seconds per job of each part."""
    wiring = []
    started, claimed = time.perf_counter(), 0
    async for _ in chain(conn, TYPE):
        claimed += 1
        if claimed % (PENDING // PARTS) == 0:
            wiring.append((time.perf_counter() - started) / (PENDING // PARTS))
            started = time.perf_counter()
    return wiring
