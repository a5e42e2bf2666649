"""One batch, in this process: the stored rows are the same however often and by however many workers it is taken."""

from __future__ import annotations

import asyncio

import pytest

from services.clients.postgres.intake import read_batch
from services.clients.postgres.pool import Connection, Database
from services.clients.postgres.worker import ClaimedJob
from services.domain.errors import SourceError
from services.ingest_worker.handler import OvertakenError, ingest_batch
from services.ingest_worker.rows import ROWS
from services.job_queue.jobs import UnusableJobError
from tests.integration.services.ingest_worker.conftest import HEADER, good_lines, store_batch

COUNTS = """
SELECT (SELECT count(*) FROM intake.simplicity_raw_rows), (SELECT count(*) FROM public.judgments),
       (SELECT count(*) FROM intake.simplicity_files)
"""


async def ingest(database: Database, batch_id: str) -> dict[str, object]:
    return dict(await ingest_batch(ClaimedJob("j", "simplicity_ingest", {"batch_id": batch_id}, 1, 5, 1), database))


async def counts(conn: Connection) -> tuple[int, int, int]:
    """Return the number of stored rows, judgments and blocks of files."""
    row = await (await conn.execute(COUNTS)).fetchone()
    assert row
    return (row[0], row[1], row[2])


async def test_keeps_each_row_as_it_came_with_its_verdict(database: Database, as_owner: Connection) -> None:
    rows = ['C-1,"Tab\there, Inc.","Back\\slash",$400.00,3/31/2024,Kings', '"C-2","two\nlines",D,lots,1/2/24,']

    batch_id = await store_batch(database, rows)
    result = await ingest(database, batch_id)

    assert result == {"batch_id": batch_id, "rows": 2, "validated": 1, "failed": 1}
    query = "SELECT row_number, status, raw, error FROM intake.simplicity_raw_rows ORDER BY row_number"
    passed, failed = await (await as_owner.execute(query)).fetchall()
    assert passed == (1, "validated", rows[0], None)
    assert failed[:3] == (2, "failed", rows[1])
    assert failed[3].startswith("Judgment Amount: not an amount")
    assert failed[3].endswith("; County: empty")
    judgments = "SELECT case_number, plaintiff, defendant, judgment_amount::text, batch_id::text FROM public.judgments"
    assert await (await as_owner.execute(judgments)).fetchall() == [
        ("C-1", "Tab here, Inc.", "Back\\slash", "400.00", batch_id)
    ]


async def test_shows_how_far_it_is_and_goes_on_from_there(database: Database, as_owner: Connection) -> None:
    batch_id = await store_batch(database, good_lines(2 * ROWS + 1))
    await as_owner.execute(f"ALTER TABLE public.judgments ADD CONSTRAINT planted CHECK (case_number <> 'C-{ROWS + 5}')")

    with pytest.raises(SourceError, match="planted"):
        await ingest(database, batch_id)
    async with database.read() as conn:
        begun = await read_batch(conn, batch_id=batch_id)
    before = await counts(as_owner)
    await as_owner.execute("ALTER TABLE public.judgments DROP CONSTRAINT planted")
    result = await ingest(database, batch_id)

    assert begun
    assert (begun.status, begun.row_count, begun.validated) == ("processing", 2 * ROWS + 1, ROWS)
    assert before == (ROWS, ROWS, 3)
    assert result["validated"] == 2 * ROWS + 1
    assert await counts(as_owner) == (2 * ROWS + 1, 2 * ROWS + 1, 0)


async def test_two_workers_on_one_batch_double_nothing(database: Database, as_owner: Connection) -> None:
    batch_id = await store_batch(database, good_lines(2 * ROWS))

    ended = await asyncio.gather(*(ingest(database, batch_id) for _ in range(2)), return_exceptions=True)

    assert [end for end in ended if isinstance(end, BaseException) and not isinstance(end, OvertakenError)] == []
    assert await ingest(database, batch_id) == {
        "batch_id": batch_id,
        "rows": 2 * ROWS,
        "validated": 2 * ROWS,
        "failed": 0,
    }
    assert await counts(as_owner) == (2 * ROWS, 2 * ROWS, 0)
    jobs = "SELECT count(*) FROM ops.job_queue WHERE job_type = 'enforcement_next_step'"
    assert await (await as_owner.execute(jobs)).fetchall() == [(1,)]


async def test_two_batches_of_the_same_cases_do_not_block_each_other(database: Database, as_owner: Connection) -> None:
    lines = good_lines(ROWS)
    batches = [await store_batch(database, some) for some in (lines, lines[::-1])]

    results = await asyncio.gather(*(ingest(database, batch_id) for batch_id in batches))

    assert [result["validated"] for result in results] == [ROWS, ROWS]
    assert await counts(as_owner) == (2 * ROWS, ROWS, 0)


async def test_a_later_file_changes_a_case_and_keeps_its_id(database: Database, as_owner: Connection) -> None:
    query = "SELECT id, judgment_amount::text FROM public.judgments"
    await ingest(database, await store_batch(database, ["c-1,P,D,100,1/2/2024,KINGS"]))
    [(case_id, _)] = await (await as_owner.execute(query)).fetchall()

    await ingest(database, await store_batch(database, ["C-1,P,D,250.50,1/2/2024,Kings County"]))

    assert await (await as_owner.execute(query)).fetchall() == [(case_id, "250.50")]


async def test_a_later_file_that_does_not_report_what_debt_it_is_takes_nothing_back(
    database: Database, as_owner: Connection
) -> None:
    header = f"{HEADER},Consumer Debt"
    rows = [f"c-{n},P,D,100,1/2/2024,Kings,{cell}" for n, cell in enumerate(("yes", "no", "", "yes"), start=1)]
    await ingest(database, await store_batch(database, rows, header=header))

    await ingest(database, await store_batch(database, [*good_lines(3), "C-4,P,D,100,1/2/2024,Kings"]))
    await ingest(database, await store_batch(database, ["c-4,P,D,100,1/2/2024,Kings,no"], header=header))

    query = "SELECT is_consumer_debt FROM public.judgments ORDER BY case_number"
    assert await (await as_owner.execute(query)).fetchall() == [(True,), (False,), (None,), (False,)]


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ("DELETE FROM intake.simplicity_files", "not stored any more"),
        ("UPDATE intake.simplicity_files SET content = content || 'x'", "not the one that was uploaded"),
        ("DELETE FROM intake.simplicity_batches", "no such batch"),
    ],
)
async def test_a_batch_without_its_file_is_not_tried_again(
    database: Database, as_owner: Connection, fault: str, why: str
) -> None:
    batch_id = await store_batch(database, good_lines(3))
    await as_owner.execute(fault.encode())

    with pytest.raises(UnusableJobError, match=why):
        await ingest(database, batch_id)
