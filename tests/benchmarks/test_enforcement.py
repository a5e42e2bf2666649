"""Judgments per second that the enforcement worker assesses, compared with COPY of the same rows without a
computation."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from services.clients.postgres.pool import Connection
from tests.benchmarks.measuring import show
from tests.conftest import DatabaseUrls

ROWS = 200_000
STORE = """
WITH batch AS (
    INSERT INTO intake.simplicity_batches (file_name, sha256, status) VALUES ('x', repeat('0', 64), 'completed')
    RETURNING id
)
INSERT INTO public.judgments
    (case_number, county, plaintiff, defendant, judgment_amount, filing_date, is_consumer_debt, batch_id)
SELECT 'C-' || n, (ARRAY['Kings', 'Queens', 'Erie', 'New York', 'St. Lawrence'])[n %% 5 + 1], 'P', 'D',
       n %% 30000 + 100.5, date '2003-01-01' + n %% 8000, (ARRAY[true, false, NULL])[n %% 3 + 1], batch.id
FROM batch, generate_series(1, %s) AS n
"""
PAYMENTS = """
INSERT INTO enforcement.payments (judgment_id, reference, received_on, amount)
SELECT id, 'r', filing_date + 30, 50 FROM public.judgments WHERE hashtext(case_number) % 10 = 0
"""
QUEUE = """
INSERT INTO ops.job_queue (job_type, payload)
SELECT 'enforcement_next_step', jsonb_build_object('batch_id', id) FROM intake.simplicity_batches
"""
MEASURED = ("assessments", "next_steps")


@pytest.mark.benchmark
@pytest.mark.timeout(900)
async def test_a_batch_is_assessed_in_bounded_memory(database_urls: DatabaseUrls, as_owner: Connection) -> None:
    await as_owner.execute(STORE.encode(), (ROWS,))
    await as_owner.execute(PAYMENTS.encode())
    await as_owner.execute("ANALYZE public.judgments, enforcement.payments")

    async with _worker(database_urls.app) as pid:
        started_kb = _peak_kb(pid)
        first_s = await _job_s(as_owner)
        again_s = await _job_s(as_owner)
        peak_kb = _peak_kb(pid)
    copied_s = await _copy_s(as_owner)

    show(
        f"{ROWS:,} judgments, a tenth of them with a payment, assessed and stored by one worker",
        ("COPY of the finished rows", _rate(copied_s, copied_s)),
        ("the first time", _rate(first_s, copied_s)),
        ("again on the same day", _rate(again_s, copied_s)),
        ("a million would take", f"{first_s / ROWS * 1e6:.0f} s"),
        ("peak memory, and what of it came with the work", f"{peak_kb >> 10} MB, {peak_kb - started_kb >> 10} MB"),
        ("profiles, so memos at most", f"{await _count(as_owner, 'memos'):,}"),
    )
    assert await _count(as_owner, "assessments") == ROWS
    assert peak_kb - started_kb < 64 * 1024


def _rate(took_s: float, copied_s: float) -> str:
    return f"{ROWS / took_s:,.0f} rows/s  ({copied_s / took_s:.2f} x)"


def _peak_kb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


@asynccontextmanager
async def _worker(dsn: str) -> AsyncIterator[int]:
    environment = {"PATH": os.environ["PATH"], "ENVIRONMENT": "dev", "SUPABASE_DB_URL": dsn}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-u", "-m", "services.enforcement_worker"), env=environment, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout
    while b"idle" not in await process.stdout.readline():
        pass
    try:
        yield process.pid
    finally:
        process.terminate()
        await process.communicate()


async def _job_s(conn: Connection) -> float:
    await conn.execute(QUEUE)
    started = time.perf_counter()
    pending = "SELECT count(*) FROM ops.job_queue WHERE status <> 'completed'"
    while (await (await conn.execute(pending)).fetchone()) != (0,):
        await asyncio.sleep(0.05)
    return time.perf_counter() - started


async def _count(conn: Connection, table: str) -> int:
    query = f"SELECT count(*) FROM enforcement.{table}"  # noqa: S608 - our own names
    row = await (await conn.execute(query.encode())).fetchone()
    assert row
    return int(row[0])


async def _copy_s(conn: Connection) -> float:
    """Copy the same rows into tables of the same shape without foreign keys or checks; return the seconds."""
    took_s = 0.0
    for table in MEASURED:
        async with conn.cursor() as cur, cur.copy(f"COPY enforcement.{table} TO STDOUT".encode()) as copy:
            lines = b"".join([bytes(block) async for block in copy])
        create = f"CREATE TABLE public.bare_{table} (LIKE enforcement.{table}, PRIMARY KEY (judgment_id))"
        await conn.execute(create.encode())
        started = time.perf_counter()
        async with conn.cursor() as cur, cur.copy(f"COPY public.bare_{table} FROM STDIN".encode()) as copy:
            await copy.write(lines)
        took_s += time.perf_counter() - started
    return took_s
