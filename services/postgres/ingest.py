"""A batch on its way to judgments, for the ingest worker. The typed calls of `sql/queries/ingest.sql`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from psycopg.rows import class_row, scalar_row

from services.postgres.pool import Connection
from services.postgres.queries import SQL


@dataclass(frozen=True)
class StartedBatch:
    """`validated` and `failed` count the rows that are judged; `sha256` is of the file, in hex.

    `replaced` counts the cases that an earlier file had with other values.
    """

    id: str
    source_system: str
    status: str
    sha256: str
    row_count: int
    validated: int
    failed: int
    replaced: int = 0

    @property
    def judged(self) -> int:
        return self.validated + self.failed


async def start_batch(conn: Connection, *, batch_id: str) -> StartedBatch | None:
    """Set the batch to `processing`, unless it is completed; None when there is no such batch."""
    async with conn.cursor(row_factory=class_row(StartedBatch)) as cur:
        await cur.execute(SQL["start_batch"], {"batch_id": batch_id})
        return await cur.fetchone()


async def list_blocks(conn: Connection, *, batch_id: str, after: int, limit: int) -> list[bytes]:
    """The next blocks of the file, behind block `after`."""
    async with conn.cursor(binary=True, row_factory=scalar_row) as cur:  # as text, bytes are twice as long
        await cur.execute(SQL["list_blocks"], {"batch_id": batch_id, "after": after, "limit": limit})
        return await cur.fetchall()


async def advance_batch(conn: Connection, *, batch_id: str, judged: int, validated: int, failed: int) -> bool:
    """Count a page of rows behind the first `judged`; False when these are not the next any more."""
    values = {"batch_id": batch_id, "judged": judged, "validated": validated, "failed": failed}
    return (await conn.execute(SQL["advance_batch"], values)).rowcount == 1


async def copy_raw_rows(conn: Connection, *, blocks: Iterable[bytes]) -> None:
    """Store rows, in COPY's text format: batch id, row number, status, raw, error.

    Blocks of about 100 kB cost as little as synchronous code; row by row takes half as long again.
    """
    async with conn.cursor() as cur, cur.copy(SQL["copy_raw_rows"]) as copy:
        for block in blocks:
            await copy.write(block)


async def create_staging(conn: Connection) -> None:
    """Make the table for judgments that are on their way. It lives as long as the transaction."""
    await conn.execute(SQL["create_staging"])


async def copy_judgments(conn: Connection, *, blocks: Iterable[bytes]) -> int:
    """Stage what rows say of their cases, in COPY's text format; how many statements.

    They are: id, case number, county, plaintiff, defendant, amount, filing date, whether it is consumer debt (`t`, `f`,
    or nothing where the file does not say), row number, whether it is the page's first on this case, and the further
    rows that say the same (`{4,5}`, or nothing).
    """
    async with conn.cursor() as cur:
        async with cur.copy(SQL["copy_judgments"]) as copy:
            for block in blocks:
                await copy.write(block)
        return cur.rowcount


async def lock_judgments(conn: Connection) -> None:
    """Make others wait that merge judgments, until the transaction ends."""
    await conn.execute(SQL["lock_judgments"])


async def insert_judgments(conn: Connection, *, batch_id: str) -> int:
    """Store what was staged first of each case that is new; how many."""
    return (await conn.execute(SQL["insert_judgments"], {"batch_id": batch_id})).rowcount


async def replace_judgments(conn: Connection, *, batch_id: str) -> None:
    """Replace the cases of earlier files by what this one says first, and count those whose values change."""
    await conn.execute(SQL["replace_judgments"], {"batch_id": batch_id})


async def fill_in_consumer_debt(conn: Connection, *, batch_id: str) -> None:
    """Take over whether it is consumer debt where only a later row of the file says so."""
    await conn.execute(SQL["fill_in_consumer_debt"], {"batch_id": batch_id})


async def refuse_conflicts(conn: Connection, *, batch_id: str, rule: str) -> None:
    """Fail the rows that disagree with what is stored of their case from this file; the reason is `column: rule`."""
    await conn.execute(SQL["refuse_conflicts"], {"batch_id": batch_id, "rule": rule})


async def finish_batch(conn: Connection, *, batch_id: str) -> StartedBatch | None:
    """Complete the batch; None when it is not being processed any more, or rows are left."""
    async with conn.cursor(row_factory=class_row(StartedBatch)) as cur:
        await cur.execute(SQL["finish_batch"], {"batch_id": batch_id})
        return await cur.fetchone()


async def delete_file(conn: Connection, *, batch_id: str) -> None:
    """Forget the file: its rows are stored."""
    await conn.execute(SQL["delete_file"], {"batch_id": batch_id})
