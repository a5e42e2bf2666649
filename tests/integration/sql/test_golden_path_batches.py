"""Removing the batch of a golden path: completely, and never another one."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest
from psycopg import errors

from services.clients.postgres.pool import Connection
from tests.conftest import DatabaseUrls

REMOVE = "SELECT intake.remove_golden_path_batch(%s)"
LEFT = """
    SELECT (SELECT count(*) FROM intake.simplicity_batches), (SELECT count(*) FROM intake.simplicity_raw_rows),
           (SELECT count(*) FROM public.judgments), (SELECT count(*) FROM enforcement.next_steps),
           (SELECT count(*) FROM ops.job_queue)
"""


async def one(conn: Connection, query: str, *values: object) -> Any:
    row = await (await conn.execute(query, values)).fetchone()
    assert row
    return row


async def batch(conn: Connection, case: str, *, is_golden_path: bool) -> str:
    """Store a completely processed batch with everything derived from it; return its id."""
    (batch_id,) = await one(
        conn,
        "INSERT INTO intake.simplicity_batches (file_name, sha256, is_golden_path) VALUES ('f', repeat('a', 64), %s)"
        " RETURNING id::text",
        is_golden_path,
    )
    await conn.execute(
        "INSERT INTO intake.simplicity_raw_rows (batch_id, row_number, raw) VALUES (%s, 1, '')", [batch_id]
    )
    await conn.execute(
        "WITH made AS (INSERT INTO public.judgments (case_number, county, plaintiff, defendant, judgment_amount,"
        " filing_date, batch_id) VALUES (%s, 'Kings', 'p', 'd', 1, '2024-01-02', %s) RETURNING id)"
        " INSERT INTO enforcement.next_steps (judgment_id, kind) SELECT id, 'wait' FROM made",
        [case, batch_id],
    )
    for job_type in ("simplicity_ingest", "enforcement_next_step"):
        await conn.execute(
            "INSERT INTO ops.job_queue (job_type, idempotency_key) VALUES (%s, %s)",
            [job_type, f"{job_type}:{batch_id}"],
        )
    return str(batch_id)


async def test_a_marked_batch_goes_with_everything_that_came_of_it(as_owner: Connection, as_bot: Connection) -> None:
    golden = await batch(as_owner, "GOLDEN-1", is_golden_path=True)
    await batch(as_owner, "REAL-1", is_golden_path=False)
    await batch(as_owner, "GOLDEN-2", is_golden_path=True)

    first, again = await one(as_bot, REMOVE, golden), await one(as_bot, REMOVE, golden)

    assert (first, again) == ((True,), (False,))
    assert await one(as_owner, LEFT) == (2, 2, 2, 2, 4)
    assert await one(as_owner, "SELECT array_agg(case_number ORDER BY case_number) FROM public.judgments") == (
        ["GOLDEN-2", "REAL-1"],
    )


async def test_a_batch_without_the_mark_is_refused(as_owner: Connection, as_bot: Connection) -> None:
    real = await batch(as_owner, "REAL-1", is_golden_path=False)

    with pytest.raises(errors.CheckViolation, match="no golden path's"):
        await as_bot.execute(REMOVE, [real])

    assert await one(as_owner, LEFT) == (1, 1, 1, 1, 2)


async def test_a_judgment_that_is_just_being_stored_is_removed_too(
    as_owner: Connection, as_bot: Connection, database_urls: DatabaseUrls
) -> None:
    golden = await batch(as_owner, "GOLDEN-1", is_golden_path=True)
    insert = (
        "INSERT INTO public.judgments (case_number, county, plaintiff, defendant, judgment_amount, filing_date,"
        " batch_id) VALUES (%s, 'Kings', 'p', 'd', 1, '2024-01-02', %s)"
    )
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND %s = ANY (pg_blocking_pids(pid))"

    async with await psycopg.AsyncConnection.connect(database_urls.app) as worker:
        await worker.execute(insert, ["GOLDEN-1b", golden])
        removing = asyncio.create_task(as_bot.execute(REMOVE, [golden]))
        async with asyncio.timeout(60):
            while await one(as_owner, waiting, worker.info.backend_pid) == (0,):
                await asyncio.sleep(0.01)
        await worker.commit()
        await removing
        with pytest.raises(errors.ForeignKeyViolation):
            await worker.execute(insert, ["GOLDEN-1c", golden])

    assert await one(as_owner, LEFT) == (0, 0, 0, 0, 0)


@pytest.mark.parametrize("role", ["dragonfly_app", "anon", "authenticated"])
async def test_no_one_but_the_bot_removes_batches(as_owner: Connection, role: str) -> None:
    query = "SELECT has_function_privilege(%s, 'intake.remove_golden_path_batch(uuid)', 'EXECUTE')"

    assert await one(as_owner, query, role) == (False,)
