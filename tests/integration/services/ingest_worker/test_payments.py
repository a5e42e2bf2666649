"""A file of payments, in this process: each is stored once, on its case; other rows are kept with the reason."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from services.clients.postgres.pool import Connection, Database
from services.clients.postgres.worker import ClaimedJob
from services.ingest_worker.handler import OvertakenError, ingest_batch
from services.ingest_worker.rows import ROWS
from services.job_queue.jobs import UnusableJobError
from tests.integration.services.ingest_worker.conftest import good_lines, store_batch

HEADER = "Case Number,County,Payment Amount,Payment Date,Reference"
PAYMENTS = """
SELECT case_number, reference, amount::text, received_on::text
FROM enforcement.payments JOIN public.judgments AS judgment ON judgment.id = judgment_id
ORDER BY 1, 2
"""
FAILED = "SELECT row_number, raw, error FROM intake.simplicity_raw_rows WHERE status = 'failed' ORDER BY row_number"


async def ingest(database: Database, batch_id: str) -> dict[str, object]:
    return dict(await ingest_batch(ClaimedJob("j", "simplicity_ingest", {"batch_id": batch_id}, 1, 5, 1), database))


async def pay(database: Database, *lines: str) -> dict[str, object]:
    return await ingest(database, await store_batch(database, lines, header=HEADER, source_system="payments"))


async def rows(conn: Connection, query: str) -> list[tuple[Any, ...]]:
    return await (await conn.execute(query.encode())).fetchall()


@pytest.fixture
async def three_cases(database: Database) -> None:
    """The cases C-1 to C-3, in Kings."""
    await ingest(database, await store_batch(database, good_lines(3)))


@pytest.mark.usefixtures("three_cases")
async def test_a_payment_is_stored_on_its_case_and_a_review_queued(database: Database, as_owner: Connection) -> None:
    result = await pay(database, 'c-1,KINGS COUNTY,"$1,000.50",3/1/2025,R-1', "C-1,Kings,20,2025-04-01,R-2")

    assert (result["rows"], result["validated"], result["failed"]) == (2, 2, 0)
    assert await rows(as_owner, PAYMENTS) == [
        ("C-1", "R-1", "1000.50", "2025-03-01"),
        ("C-1", "R-2", "20.00", "2025-04-01"),
    ]
    jobs = "SELECT payload, idempotency_key FROM ops.job_queue WHERE job_type = 'enforcement_review'"
    batch_id = result["batch_id"]
    assert await rows(as_owner, jobs) == [({"batch_id": batch_id}, f"enforcement_review:{batch_id}")]
    events = "SELECT event_type, source_system FROM ops.intake_logs WHERE source_system = 'payments'"
    assert await rows(as_owner, events) == [("batch_completed", "payments")]


@pytest.mark.usefixtures("three_cases")
async def test_the_same_payments_again_are_stored_once(database: Database, as_owner: Connection) -> None:
    lines = ["C-1,Kings,5,3/1/2025,R-1", "C-2,Kings,5,3/1/2025,R-1", "C-1,Kings,5,3/1/2025,R-1"]
    await pay(database, *lines)

    again = await pay(database, *lines, "C-3,Kings,7,3/1/2025,R-1")

    assert (again["validated"], again["failed"]) == (4, 0)
    assert [row[0] for row in await rows(as_owner, PAYMENTS)] == ["C-1", "C-2", "C-3"]


@pytest.mark.usefixtures("three_cases")
async def test_rows_that_are_no_payments_are_kept_with_their_reasons(database: Database, as_owner: Connection) -> None:
    lines = [
        "C-1,Kings,5,3/1/2025,R-1",
        "C-9,Kings,5,3/1/2025,R-1",  # no such case
        "C-1,Queens,5,3/1/2025,R-1",  # the case is in another county
        "C-1,Kings,6,3/1/2025,R-1",  # the same reference for another amount
        "C-1,Kings,,3/1/2025,R-2",
    ]

    result = await pay(database, *lines)

    assert (result["validated"], result["failed"]) == (1, 4)
    assert await rows(as_owner, FAILED) == [
        (2, lines[1], "Case Number: no such case in this county"),
        (3, lines[2], "Case Number: no such case in this county"),
        (4, lines[3], "Reference: known for this case with another day or amount"),
        (5, lines[4], "Payment Amount: empty"),
    ]
    counts = "SELECT validated_count, failed_count FROM intake.simplicity_batches WHERE source_system = 'payments'"
    assert await rows(as_owner, counts) == [(1, 4)]


@pytest.mark.usefixtures("three_cases")
async def test_a_payment_whose_case_comes_later_is_stored_when_it_is_sent_again(
    database: Database, as_owner: Connection
) -> None:
    lines = ["C-1,Kings,5,3/1/2025,R-1", "C-4,Kings,5,3/1/2025,R-1"]
    await pay(database, *lines)
    await ingest(database, await store_batch(database, good_lines(4)))

    result = await pay(database, *lines)

    assert result["failed"] == 0
    assert [row[0] for row in await rows(as_owner, PAYMENTS)] == ["C-1", "C-4"]


@pytest.mark.usefixtures("three_cases")
async def test_two_workers_on_one_file_of_payments_double_nothing(database: Database, as_owner: Connection) -> None:
    lines = [f"C-{n % 4},Kings,5,3/1/2025,R-{n}" for n in range(ROWS + 100)]  # C-0 is unknown
    batch_id = await store_batch(database, lines, header=HEADER, source_system="payments")

    ended = await asyncio.gather(*(ingest(database, batch_id) for _ in range(2)), return_exceptions=True)

    assert [end for end in ended if isinstance(end, BaseException) and not isinstance(end, OvertakenError)] == []
    result = await ingest(database, batch_id)
    unknown = len(lines) // 4
    assert (result["validated"], result["failed"]) == (len(lines) - unknown, unknown)
    count = "SELECT count(*), count(DISTINCT (judgment_id, reference)) FROM enforcement.payments"
    assert await rows(as_owner, count) == [(len(lines) - unknown, len(lines) - unknown)]


async def test_a_kind_of_file_that_this_version_cannot_read_is_not_tried_again(database: Database) -> None:
    batch_id = await store_batch(database, ["x"], header="y", source_system="garnishments")

    with pytest.raises(UnusableJobError, match="cannot read files of this kind"):
        await ingest(database, batch_id)
