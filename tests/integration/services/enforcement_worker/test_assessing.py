"""The figures that a job stores, without memos."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from services.clients.postgres.pool import Connection, Database
from services.enforcement_worker.assess import Case, assess
from services.enforcement_worker.handler import assess_batch
from services.enforcement_worker.law import Debt, Payment
from tests.integration.services.enforcement_worker.conftest import StoreBatch, job_for

TODAY = "SELECT (now() AT TIME ZONE 'America/New_York')::date"


async def rows(conn: Connection, query: str) -> list[tuple[Any, ...]]:
    return await (await conn.execute(query.encode())).fetchall()


async def test_stores_the_assessment_of_today(
    database: Database, as_owner: Connection, store_batch: StoreBatch
) -> None:
    batch_id = await store_batch({"case_number": "A", "judgment_amount": "12345.67", "is_consumer_debt": True})
    pay = "INSERT INTO enforcement.payments (judgment_id, reference, received_on, amount) SELECT id, %s, %s, %s"
    for reference, day, amount in (("r-2", "2025-06-01", "100.10"), ("r-1", "2025-03-01", "2000.00")):
        await as_owner.execute(f"{pay} FROM public.judgments".encode(), (reference, day, amount))

    result = await assess_batch(job_for(batch_id), database, why_no_memos="no key")

    [(today,)] = await rows(as_owner, TODAY)
    payments = (Payment(date(2025, 3, 1), Decimal("2000.00")), Payment(date(2025, 6, 1), Decimal("100.10")))
    case = Case(
        Decimal("12345.67"), "Kings", date(2025, 1, 1), date(2025, 12, 1), debt=Debt.CONSUMER, payments=payments
    )
    expected = assess(case, as_of=today)
    assert result == {
        "batch_id": batch_id,
        "as_of": today.isoformat(),
        "judgments": 1,
        "memos": {"queued": False, "note": "no key"},
    }
    assert await rows(
        as_owner,
        "SELECT as_of, principal, interest, per_diem, least_owed, lien_ends_on, presumed_paid_on, score, score_reasons,"
        " cautions FROM enforcement.assessments",
    ) == [
        (
            *(today, expected.balance.principal, expected.balance.interest, expected.balance.per_diem),
            *(expected.least.total, date(2035, 1, 1), date(2045, 6, 1), expected.score.points),
            *(list(expected.score.reasons), []),
        )
    ]
    assert await rows(as_owner, "SELECT kind, due_on, reasons FROM enforcement.next_steps") == [
        (expected.step.kind, expected.step.due_on, [expected.step.reason])
    ]


async def test_an_unknown_kind_of_debt_is_stored_with_its_caution(
    database: Database, as_owner: Connection, store_batch: StoreBatch
) -> None:
    batch_id = await store_batch({"is_consumer_debt": None, "filing_date": "2023-01-01"})

    await assess_batch(job_for(batch_id), database, why_no_memos="no key")

    query = "SELECT least_owed < principal + interest, least_per_diem < per_diem, cautions FROM enforcement.assessments"
    [(less, less_a_day, cautions)] = await rows(as_owner, query)
    assert less
    assert less_a_day
    assert cautions == [
        "Whether it is consumer debt is not known: interest is counted at 9 %, the least that is owed at 2 %."
    ]


async def test_a_repeated_job_rewrites_nothing(
    database: Database, as_owner: Connection, store_batch: StoreBatch
) -> None:
    batch_id = await store_batch(*({"judgment_amount": f"{n}000.00"} for n in range(1, 30)))
    versions = (
        "SELECT judgment_id, xmin::text FROM enforcement.assessments"
        " UNION ALL SELECT judgment_id, xmin::text FROM enforcement.next_steps"
        " UNION ALL SELECT id, xmin::text FROM enforcement.memos ORDER BY 1, 2"
    )
    await assess_batch(job_for(batch_id), database, why_no_memos="no key")
    before = await rows(as_owner, versions)

    await assess_batch(job_for(batch_id), database, why_no_memos="no key")

    assert len(before) > 58
    assert await rows(as_owner, versions) == before


async def test_a_payment_changes_the_figures_of_its_judgment_only(
    database: Database, as_owner: Connection, store_batch: StoreBatch
) -> None:
    batch_id = await store_batch({"case_number": "A"}, {"case_number": "B"})
    await assess_batch(job_for(batch_id), database, why_no_memos="no key")
    await as_owner.execute(
        "INSERT INTO enforcement.payments (judgment_id, reference, received_on, amount)"
        " SELECT id, 'r', '2025-01-01', 1000 FROM public.judgments WHERE case_number = 'A'"
    )

    await assess_batch(job_for(batch_id), database, why_no_memos="no key")

    of = "FROM enforcement.assessments JOIN public.judgments ON id = judgment_id ORDER BY 1"
    assert await rows(as_owner, f"SELECT case_number, principal {of}") == [
        ("A", Decimal("4000.00")),
        ("B", Decimal("5000.00")),
    ]


async def test_every_page_of_a_large_batch_is_assessed(
    database: Database, as_owner: Connection, store_batch: StoreBatch
) -> None:
    batch_id = await store_batch()
    await as_owner.execute(
        "INSERT INTO public.judgments"
        " (case_number, county, plaintiff, defendant, judgment_amount, filing_date, batch_id)"
        " SELECT 'C-' || n, 'Kings', 'P', 'D', n, date '2020-01-01' + n %% 2000, %s::uuid"
        " FROM generate_series(1, 4001) AS n",
        (batch_id,),
    )

    result = await assess_batch(job_for(batch_id), database, why_no_memos="no key")

    assert result["judgments"] == 4001
    assert await rows(as_owner, "SELECT count(*), min(as_of) = max(as_of) FROM enforcement.assessments") == [
        (4001, True)
    ]


async def test_a_batch_of_the_golden_path_is_not_assessed(
    database: Database, as_owner: Connection, store_batch: StoreBatch
) -> None:
    batch_id = await store_batch({})
    await as_owner.execute("UPDATE intake.simplicity_batches SET is_golden_path = true")

    result = await assess_batch(job_for(batch_id), database, why_no_memos="no key")

    assert result == {"batch_id": batch_id, "judgments": 0, "note": "a golden-path batch is not enforced"}
    assert await rows(as_owner, "SELECT count(*) FROM enforcement.assessments") == [(0,)]


async def test_assess_batch_leaves_other_batches_alone(
    database: Database, as_owner: Connection, store_batch: StoreBatch
) -> None:
    await store_batch({"case_number": "other"})
    batch_id = await store_batch({"case_number": "mine"})

    await assess_batch(job_for(batch_id), database, why_no_memos="no key")

    of = "SELECT case_number FROM enforcement.assessments JOIN public.judgments ON id = judgment_id"
    assert await rows(as_owner, of) == [("mine",)]


MEMO_JOBS = "SELECT job_type, payload, priority, max_attempts FROM ops.job_queue"


async def test_memos_are_a_job_of_their_own_queued_once(
    database: Database, as_owner: Connection, store_batch: StoreBatch
) -> None:
    batch_id = await store_batch({})

    for _ in range(2):
        result = await assess_batch(job_for(batch_id), database, why_no_memos=None)

    assert result["memos"] == {"queued": True}
    assert await rows(as_owner, MEMO_JOBS) == [("enforcement_memos", {"batch_id": batch_id}, -20, 8)]


async def test_no_one_is_asked_about_a_batch_without_judgments(
    database: Database, as_owner: Connection, store_batch: StoreBatch
) -> None:
    result = await assess_batch(job_for(await store_batch()), database, why_no_memos=None)

    assert result["memos"] == {"queued": False}
    assert await rows(as_owner, MEMO_JOBS) == []


async def test_without_anyone_to_ask_no_memo_is_queued(
    database: Database, as_owner: Connection, store_batch: StoreBatch
) -> None:
    await assess_batch(job_for(await store_batch({})), database, why_no_memos="no key")

    assert await rows(as_owner, MEMO_JOBS) == []
