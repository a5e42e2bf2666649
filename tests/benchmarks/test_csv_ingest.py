"""Rows per second from an uploaded CSV file to judgments, compared with `\\copy` of prepared data; and the memory used.

API and worker are separate processes, the server uses fsync, and the file has the largest allowed size.
"""

from __future__ import annotations

import asyncio
import os
import time
from datetime import date, timedelta
from pathlib import Path

import httpx
import psycopg
import pytest

from services.domain.secrets import Secret
from services.sandbox.postgres.server import SandboxDatabase
from services.sandbox.web_server import find_free_port
from tests.benchmarks.measuring import peak_mb, seconds, show
from tests.integration.services.conftest import RunningProcess, Spawn
from tests.integration.services.conftest import spawn as spawn

ROWS = int(os.environ.get("INGEST_ROWS", "1_000_000"))
AIM, AIM_MB = 0.6, 64
KEY = "df_dev_benchmark"
BLOCK = 64 * 1024
HEADER = "Case Number,Plaintiff,Defendant,Judgment Amount,Filing Date,County\n"
COLUMNS = "case_number, plaintiff, defendant, judgment_amount, filing_date, county"


@pytest.mark.benchmark
@pytest.mark.timeout(600)
async def test_csv_becomes_judgments(database: SandboxDatabase, tmp_path: Path, spawn: Spawn) -> None:
    content = tmp_path / "rows.csv"
    _write_csv(content)
    bare = await _copy_s(database.owner, content, "(LIKE public.judgments, UNIQUE (case_number, county))", "id")
    whole = await _copy_s(database.owner, content, "(LIKE public.judgments INCLUDING ALL)")

    api, client = await _start_api(database, spawn)
    uploaded_s = await seconds(lambda: _upload(client, content))
    ingest = await spawn("services.ingest_worker", SUPABASE_DB_URL=database.app.reveal())
    await ingest.line_with("Claimed job")
    judged_s = await seconds(lambda: _await_batch(database.owner))

    def figure(took_s: float) -> str:
        return f"{ROWS / took_s:9,.0f} rows/s   {whole / took_s:.2f} x   {bare / took_s:.2f} x"

    both_s = uploaded_s + judged_s
    show(
        f"CSV of {ROWS:,} rows, {content.stat().st_size / 1e6:.0f} MB; against \\copy of the same rows, prepared,"
        " into the judgments' table as it is, and into one with the unique index alone",
        ("\\copy, the table as it is", figure(whole)),
        ("\\copy, unique index alone", figure(bare)),
        ("upload: surveyed and stored", figure(uploaded_s)),
        ("worker: judged, stored, merged", figure(judged_s)),
        ("both", figure(both_s)),
        ("peak memory of the API", f"{peak_mb(api.process.pid):.0f} MB"),
        ("peak memory of the worker", f"{peak_mb(ingest.process.pid):.0f} MB   (aim: {AIM_MB} MB)"),
    )
    assert whole / both_s >= AIM / 2
    assert peak_mb(ingest.process.pid) <= 2 * AIM_MB


def _write_csv(path: Path) -> None:
    with path.open("w") as file:
        file.write(HEADER)
        for n in range(ROWS):
            filed = date(2020, 1, 1) + timedelta(days=n % 1500)
            parties = f"Midland Funding {n % 97} LLC,Person Number {n}"
            file.write(f"2024-CV-{n:07d},{parties},{n % 9000 + 100}.50,{filed.isoformat()},County {n % 62}\n")


async def _copy_s(dsn: Secret, content: Path, shape: str, *without: str) -> float:
    """Copy the file into a table of that shape without some columns; return the seconds."""

    def copy_all(conn: psycopg.Connection) -> float:
        conn.execute(f"CREATE TABLE public.prepared {shape}".encode())
        for column in without:
            conn.execute(f"ALTER TABLE public.prepared DROP COLUMN {column}".encode())
        for column in ("created_at", "updated_at"):
            conn.execute(f"ALTER TABLE public.prepared ALTER {column} SET DEFAULT now()".encode())
        conn.commit()
        started = time.perf_counter()
        statement = f"COPY public.prepared ({COLUMNS}) FROM STDIN CSV HEADER"
        with content.open("rb") as file, conn.cursor() as cur, cur.copy(statement.encode()) as copy:
            while block := file.read(BLOCK):
                copy.write(block)
        conn.commit()
        took_s = time.perf_counter() - started
        conn.execute("DROP TABLE public.prepared")
        conn.commit()
        return took_s

    with psycopg.connect(dsn.reveal()) as conn:
        return await asyncio.to_thread(copy_all, conn)


async def _start_api(database: SandboxDatabase, spawn: Spawn) -> tuple[RunningProcess, httpx.AsyncClient]:
    port = find_free_port()
    api = await spawn(
        "services.api",
        SUPABASE_DB_URL=database.app.reveal(),
        PORT=str(port),
        LISTEN_ADDRESS="127.0.0.1",
        DRAGONFLY_API_KEY=KEY,
    )
    await api.line_with("Application startup complete")
    return api, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=300, trust_env=False)


async def _upload(client: httpx.AsyncClient, content: Path) -> None:
    async with client:
        with content.open("rb") as file:
            answer = await client.post(
                "/api/v1/intake/upload", headers={"X-DRAGONFLY-API-KEY": KEY}, files={"file": ("rows.csv", file)}
            )
    assert answer.status_code == 202, answer.text


async def _await_batch(dsn: Secret) -> None:
    query = "SELECT validated_count FROM intake.simplicity_batches WHERE status = 'completed'"
    async with await psycopg.AsyncConnection.connect(dsn.reveal(), autocommit=True) as conn:
        while (found := await (await conn.execute(query)).fetchone()) is None:
            await asyncio.sleep(0.05)
    assert found == (ROWS,)
