"""Assessments that are due are made again, once, whichever worker notices."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from services.clients.postgres.enforcement import hold_payments
from services.clients.postgres.pool import Connection, Database
from services.clients.postgres.queries import SQL
from services.clients.postgres.worker import ClaimedJob
from services.enforcement_worker.handler import assess_batch, queue_review_if_due, review_due
from tests.conftest import DatabaseUrls
from tests.integration.services.conftest import Eventually, Spawn
from tests.integration.services.enforcement_worker.conftest import StoreBatch, job_for
from tests.locks import WAITS_FOR_ADVISORY

TODAY = "(now() AT TIME ZONE 'America/New_York')::date"
PAY = """
INSERT INTO enforcement.payments (judgment_id, reference, received_on, amount)
SELECT id, 'r-1', '2025-01-01', 1000 FROM public.judgments WHERE case_number = 'A'
"""
MAKE_DUE = f"""
UPDATE enforcement.assessments
SET next_review_on = {TODAY}, as_of = {TODAY} - 40, interest = 0, least_owed = 0
"""  # noqa: S608 - ours


async def rows(conn: Connection, query: str) -> list[tuple[Any, ...]]:
    return await (await conn.execute(query.encode())).fetchall()


def review_job() -> ClaimedJob:
    return ClaimedJob(str(uuid4()), "enforcement_review", {}, 1, 5, 1)


@pytest.fixture
async def assessed(database: Database, store_batch: StoreBatch) -> None:
    """Two judgments, A and B, assessed today."""
    batch_id = await store_batch({"case_number": "A"}, {"case_number": "B"})
    await assess_batch(job_for(batch_id), database, why_no_memos="no key")


@pytest.mark.usefixtures("assessed")
async def test_a_due_judgment_is_assessed_for_today_and_no_longer_due(database: Database, as_owner: Connection) -> None:
    await as_owner.execute(MAKE_DUE.encode())

    result = await review_due(review_job(), database)

    [(today,)] = await rows(as_owner, f"SELECT {TODAY}")
    assert result == {"as_of": today.isoformat(), "judgments": 2}
    query = f"SELECT as_of, interest > 0, next_review_on > {TODAY} FROM enforcement.assessments"  # noqa: S608 - ours
    assert await rows(as_owner, query) == [(today, True, True), (today, True, True)]
    assert await review_due(review_job(), database) == {"as_of": today.isoformat(), "judgments": 0}


@pytest.mark.usefixtures("assessed")
async def test_a_payment_makes_its_own_judgment_due(database: Database, as_owner: Connection) -> None:
    await as_owner.execute(PAY.encode())

    result = await review_due(review_job(), database)

    assert result["judgments"] == 1
    of = "FROM enforcement.assessments JOIN public.judgments ON id = judgment_id ORDER BY 1"
    assert await rows(as_owner, f"SELECT case_number, principal {of}") == [
        ("A", Decimal("4000.00")),
        ("B", Decimal("5000.00")),
    ]


@pytest.mark.usefixtures("assessed")
async def test_a_payment_that_is_taken_back_makes_it_due_again(database: Database, as_owner: Connection) -> None:
    await as_owner.execute(PAY.encode())
    await review_due(review_job(), database)
    await as_owner.execute("DELETE FROM enforcement.payments")

    result = await review_due(review_job(), database)

    assert result["judgments"] == 1
    assert await rows(as_owner, "SELECT DISTINCT principal FROM enforcement.assessments") == [(Decimal("5000.00"),)]


@pytest.mark.usefixtures("assessed")
async def test_a_payment_during_the_reckoning_is_due_afterwards(
    database: Database, as_owner: Connection, eventually: Eventually
) -> None:
    async def waits() -> bool:
        async with database.read() as conn:
            return len(await rows(conn, WAITS_FOR_ADVISORY)) == 1

    async with database.transaction(timeout_s=60) as conn:
        await hold_payments(conn)
        paying = asyncio.create_task(as_owner.execute(PAY.encode()))
        await eventually(waits)
        await conn.execute("UPDATE enforcement.assessments SET computed_at = now()")
    await paying

    due = f"SELECT count(*) FROM enforcement.assessments WHERE next_review_on = {TODAY}"  # noqa: S608 - ours
    assert await rows(as_owner, due) == [(1,)]


@pytest.mark.usefixtures("assessed")
async def test_review_is_queued_once_by_several_workers(database: Database, as_owner: Connection) -> None:
    jobs = "SELECT count(*) FROM ops.job_queue"
    await queue_review_if_due(database)
    before = await rows(as_owner, jobs)
    await as_owner.execute(MAKE_DUE.encode())

    await asyncio.gather(*(queue_review_if_due(database) for _ in range(4)))

    assert before == [(0,)]
    [(count,)] = await rows(as_owner, jobs)
    assert count in (1, 2)  # two if the hour ends in between


@pytest.mark.usefixtures("assessed")
async def test_review_queues_one_next_job_for_the_rest(database: Database, as_owner: Connection) -> None:
    await as_owner.execute(MAKE_DUE.encode())
    job = review_job()

    for _ in range(2):  # a job repeated after a crash
        await review_due(job, database, pages=1)
        await as_owner.execute(MAKE_DUE.encode())

    assert await rows(as_owner, "SELECT job_type, idempotency_key, priority FROM ops.job_queue") == [
        ("enforcement_review", f"enforcement_review:after:{job.id}", -10)
    ]


@pytest.mark.usefixtures("assessed")
async def test_a_worker_reviews_by_itself(spawn: Spawn, database_urls: DatabaseUrls, as_owner: Connection) -> None:
    await as_owner.execute(MAKE_DUE.encode())

    worker = await spawn("services.enforcement_worker", SUPABASE_DB_URL=database_urls.app)

    await worker.line_with("[enforcement_engine] Reviewed: 2 judgments")


async def test_looking_for_what_is_due_costs_what_is_due(as_owner: Connection) -> None:
    await as_owner.execute(
        """INSERT INTO public.judgments (case_number, county, plaintiff, defendant, judgment_amount, filing_date)
           SELECT 'C-' || n, 'Kings', 'P', 'D', 100, '2025-01-01' FROM generate_series(1, 5000) AS n"""
    )
    await as_owner.execute(
        """INSERT INTO enforcement.assessments
               (judgment_id, as_of, principal, interest, per_diem, least_owed, least_per_diem, renewal_opens_on,
                lien_ends_on, presumed_paid_on, score, score_reasons, cautions, next_review_on)
           SELECT id, current_date, 100, 0, 0, 100, 0, current_date, current_date, current_date, 0, '{}', '{}',
                  current_date + (row_number() OVER ())::integer
           FROM public.judgments"""
    )
    await as_owner.execute("ANALYZE public.judgments, enforcement.assessments")

    plan = await as_owner.execute("EXPLAIN " + SQL["list_due_judgments"], {"today": "2020-01-01", "limit": 2000})

    lines = "\n".join(row[0] for row in await plan.fetchall())
    assert "assessments_due_idx" in lines
    assert "Seq Scan on judgments" not in lines
    assert "Seq Scan on assessments" not in lines
