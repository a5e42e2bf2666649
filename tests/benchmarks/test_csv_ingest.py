"""Rows a second from an uploaded CSV file to judgments, against COPY of the same rows with nothing checked."""

from __future__ import annotations

import csv
import io
from datetime import date, timedelta

import httpx
import pytest

from services.api.app import build_app
from services.api.settings import ApiSettings
from services.domain.secrets import Secret
from services.domain.simplicity import JOB_TYPE
from services.ingest_worker.handler import ingest_batch
from services.postgres import worker
from services.postgres.pool import Database, connect
from tests.benchmarks.measuring import seconds, show
from tests.conftest import DatabaseUrls

ROWS = 100_000
KEY = "df_dev_benchmark"
BLOCK = 64 * 1024
HEADER = ("Case Number", "Plaintiff", "Defendant", "Judgment Amount", "Filing Date", "County")


@pytest.mark.benchmark
@pytest.mark.timeout(300)
async def test_csv_becomes_judgments(database_urls: DatabaseUrls) -> None:
    content = _make_csv()
    copied_s = await _copy_s(database_urls, content)
    uploaded_s = await seconds(lambda: _upload(database_urls, content))
    judged_s = await seconds(lambda: _judge(database_urls))

    show(
        f"CSV of {ROWS:,} rows, {len(content) / 1e6:.1f} MB; against COPY of the same rows",
        ("COPY, nothing checked", _figure(copied_s, copied_s)),
        ("upload: parsed and stored raw", _figure(uploaded_s, copied_s)),
        ("worker: judged and upserted", _figure(judged_s, copied_s)),
        ("both", _figure(uploaded_s + judged_s, copied_s)),
    )


def _figure(took_s: float, copied_s: float) -> str:
    return f"{ROWS / took_s:,.0f} rows/s  ({copied_s / took_s:.2f} x)"


def _make_csv() -> bytes:
    text = io.StringIO()
    lines = csv.writer(text)
    lines.writerow(HEADER)
    for n in range(ROWS):
        filed = date(2020, 1, 1) + timedelta(days=n % 1500)
        parties = (f"Midland Funding {n % 97} LLC", f"Person Number {n}")
        lines.writerow((f"2024-CV-{n:07d}", *parties, f"{n % 9000 + 100}.50", filed.isoformat(), f"County {n % 62}"))
    return text.getvalue().encode()


async def _copy_s(urls: DatabaseUrls, content: bytes) -> float:
    """Into a table of the same columns with the same unique index."""
    async with await connect(Secret(urls.owner), application_name="benchmark", timeout_s=5) as conn:
        await conn.execute(
            "CREATE TABLE public.prepared (case_number text, plaintiff text, defendant text, amount numeric(14, 2),"
            " filing_date date, county text, UNIQUE (county, case_number))"
        )

        async def copy_all() -> None:
            async with conn.cursor() as cur, cur.copy("COPY public.prepared FROM STDIN CSV HEADER") as copy:
                for start in range(0, len(content), BLOCK):
                    await copy.write(content[start : start + BLOCK])

        return await seconds(copy_all)


async def _upload(urls: DatabaseUrls, content: bytes) -> None:
    app = build_app(
        ApiSettings.model_validate({"environment": "dev", "supabase_db_url": urls.app, "dragonfly_api_key": KEY})
    )
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://api.test", timeout=120) as client,
    ):
        answer = await client.post(
            "/api/v1/intake/upload", headers={"X-DRAGONFLY-API-KEY": KEY}, files={"file": ("rows.csv", content)}
        )
    assert answer.status_code == 202, answer.text


async def _judge(urls: DatabaseUrls) -> None:
    database = Database.connect_lazily(Secret(urls.app), application_name="benchmark")
    try:
        async with database.transaction() as conn:
            job = await worker.claim_job(conn, worker_id="benchmark", job_types=(JOB_TYPE,))
        assert job is not None
        result = await ingest_batch(job, database)
    finally:
        await database.close()
    assert result["validated"] == ROWS, result
