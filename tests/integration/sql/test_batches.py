"""Rows and judgments name existing batches: the guarantee of a foreign key, checked once per statement."""

from __future__ import annotations

import pytest
from psycopg import errors

from services.clients.postgres.pool import Connection

BATCH = "INSERT INTO intake.simplicity_batches (file_name, sha256) VALUES ('f', repeat('a', 64)) RETURNING id"
ROW = "INSERT INTO intake.simplicity_raw_rows (batch_id, row_number, raw) VALUES (%s, 1, 'r')"
JUDGMENT = """
INSERT INTO public.judgments (case_number, county, plaintiff, defendant, judgment_amount, filing_date, batch_id)
VALUES ('c', 'k', 'p', 'd', 1, '2024-01-02', %s)
"""
NO_BATCH = "00000000-0000-4000-8000-000000000000"


async def new_batch(conn: Connection) -> str:
    row = await (await conn.execute(BATCH)).fetchone()
    assert row
    return str(row[0])


@pytest.mark.parametrize("statement", [ROW, JUDGMENT])
async def test_a_row_of_no_batch_is_refused(as_app: Connection, statement: str) -> None:
    with pytest.raises(errors.ForeignKeyViolation, match="names a batch that does not exist"):
        await as_app.execute(statement, (NO_BATCH,))


@pytest.mark.parametrize(
    ("statement", "move"),
    [
        (ROW, "UPDATE intake.simplicity_raw_rows SET batch_id = %s"),
        (JUDGMENT, "UPDATE public.judgments SET batch_id = %s"),
    ],
)
async def test_a_row_cannot_be_moved_to_no_batch(as_app: Connection, statement: str, move: str) -> None:
    await as_app.execute(statement, (await new_batch(as_app),))

    with pytest.raises(errors.ForeignKeyViolation):
        await as_app.execute(move, (NO_BATCH,))


async def test_a_judgment_may_belong_to_no_batch_at_all(as_app: Connection) -> None:
    await as_app.execute(JUDGMENT, (None,))


async def test_rows_go_with_their_batch_and_judgments_stay(as_app: Connection, as_owner: Connection) -> None:
    batch_id = await new_batch(as_app)
    await as_app.execute(ROW, (batch_id,))
    await as_app.execute(JUDGMENT, (batch_id,))

    await as_owner.execute("DELETE FROM intake.simplicity_batches")

    left = "SELECT (SELECT count(*) FROM intake.simplicity_raw_rows), count(*), count(batch_id) FROM public.judgments"
    assert await (await as_owner.execute(left)).fetchall() == [(0, 1, 0)]


async def test_a_batch_cannot_go_while_rows_are_being_stored(as_app: Connection, as_owner: Connection) -> None:
    batch_id = await new_batch(as_app)

    async with as_app.transaction():
        await as_app.execute(ROW, (batch_id,))
        await as_owner.execute("SET lock_timeout = '50ms'")
        with pytest.raises(errors.LockNotAvailable):
            await as_owner.execute("DELETE FROM intake.simplicity_batches")
