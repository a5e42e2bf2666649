"""Uploads, batches and payments, and their retention.

Typed calls of `sql/queries/ingest.sql`, `sql/queries/payments.sql`, `sql/queries/pruning.sql`,
`sql/queries/uploads.sql`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from psycopg.rows import scalar_row
from psycopg.types.json import Jsonb

from services.clients.postgres.pool import Connection
from services.clients.postgres.queries import SQL, fetch_one, fetch_row
from services.domain.batches import Batch
from services.domain.intake import SOURCE_SYSTEM
from services.domain.systems import JOB_TYPE


@dataclass(frozen=True)
class StartedBatch:
    """A batch that a worker processes. `validated` and `failed` count the rows judged so far.

    `sha256` is the file's, in hex. `replaced` counts the cases for which an earlier file had other values.
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
    """Set the batch to `processing`, unless it is completed; None if there is no such batch."""
    return await fetch_one(conn, StartedBatch, "start_batch", batch_id=batch_id)


async def list_blocks(conn: Connection, *, batch_id: str, after: int, limit: int) -> list[bytes]:
    """List the next blocks of the file, after block `after`."""
    async with conn.cursor(binary=True, row_factory=scalar_row) as cur:  # as text, bytes would be twice as long
        await cur.execute(SQL["list_blocks"], {"batch_id": batch_id, "after": after, "limit": limit})
        return await cur.fetchall()


async def advance_batch(conn: Connection, *, batch_id: str, judged: int, validated: int, failed: int) -> bool:
    """Count a page of rows after the first `judged` rows; False if another worker has counted it already."""
    values = {"batch_id": batch_id, "judged": judged, "validated": validated, "failed": failed}
    return (await conn.execute(SQL["advance_batch"], values)).rowcount == 1


async def copy_raw_rows(conn: Connection, *, blocks: Iterable[bytes]) -> None:
    """Store rows in COPY's text format: batch id, row number, status, raw, error.

    With blocks of about 100 kB this is as fast as synchronous code; row by row takes 50% longer.
    """
    async with conn.cursor() as cur, cur.copy(SQL["copy_raw_rows"]) as copy:
        for block in blocks:
            await copy.write(block)


async def create_staging(conn: Connection) -> None:
    """Create the staging table for judgments. It lives as long as the transaction."""
    await conn.execute(SQL["create_staging"])


async def copy_judgments(conn: Connection, *, blocks: Iterable[bytes]) -> int:
    """Stage the judgments of rows, in COPY's text format; return how many.

    Columns: id, case number, county, plaintiff, defendant, amount, filing date, consumer debt (`t`, `f`, or empty if
    the file does not report it), row number, whether it is the page's first row on this case, and further rows with the
    same values (`{4,5}`, or empty).
    """
    async with conn.cursor() as cur:
        async with cur.copy(SQL["copy_judgments"]) as copy:
            for block in blocks:
                await copy.write(block)
        return cur.rowcount


async def lock_judgments(conn: Connection) -> None:
    """Make other transactions that merge judgments wait until this one ends."""
    await conn.execute(SQL["lock_judgments"])


async def insert_judgments(conn: Connection, *, batch_id: str) -> int:
    """Store the first staged row of each new case; return how many."""
    return (await conn.execute(SQL["insert_judgments"], {"batch_id": batch_id})).rowcount


async def replace_judgments(conn: Connection, *, batch_id: str) -> None:
    """Replace known cases of earlier files with the first staged row, and count the cases whose values change."""
    await conn.execute(SQL["replace_judgments"], {"batch_id": batch_id})


async def fill_in_consumer_debt(conn: Connection, *, batch_id: str) -> None:
    """Set whether a case is consumer debt where only a later row of the file reports it."""
    await conn.execute(SQL["fill_in_consumer_debt"], {"batch_id": batch_id})


async def refuse_conflicts(conn: Connection, *, batch_id: str, rule: str) -> None:
    """Fail the rows that contradict what this file has stored for their case; the reason is `column: rule`."""
    await conn.execute(SQL["refuse_conflicts"], {"batch_id": batch_id, "rule": rule})


async def finish_batch(conn: Connection, *, batch_id: str) -> StartedBatch | None:
    """Complete the batch; None if it is not being processed any more, or rows are left."""
    return await fetch_one(conn, StartedBatch, "finish_batch", batch_id=batch_id)


async def delete_file(conn: Connection, *, batch_id: str) -> None:
    """Delete the file's blocks once its rows are stored."""
    await conn.execute(SQL["delete_file"], {"batch_id": batch_id})


async def create_payment_staging(conn: Connection) -> None:
    """Create the staging table for payments. It lives as long as the transaction."""
    await conn.execute(SQL["create_payment_staging"])


async def copy_payments(conn: Connection, *, blocks: Iterable[bytes]) -> None:
    """Stage payments in COPY's text format: row number, case number, county, amount, day, reference."""
    async with conn.cursor() as cur, cur.copy(SQL["copy_payments"]) as copy:
        for block in blocks:
            await copy.write(block)


async def insert_payments(conn: Connection) -> None:
    """Store the staged payments on known cases, each once."""
    await conn.execute(SQL["insert_payments"])


async def refuse_payments(conn: Connection, *, batch_id: str) -> None:
    """Mark the rows of staged payments that are not stored as failed, with the reason, and count them in the batch."""
    await conn.execute(SQL["refuse_payments"], {"batch_id": batch_id})


async def prune_jobs(
    conn: Connection, *, completed_for: timedelta | None, failed_for: timedelta | None, limit: int
) -> int:
    """Delete at most `limit` jobs that ended longer ago than these ages, and return how many; None keeps them."""
    values = {"completed_for": completed_for, "failed_for": failed_for, "limit": limit}
    row = await (await conn.execute(SQL["prune_jobs"], values)).fetchone()
    return int(row[0]) if row else 0


async def prune_intake_logs(conn: Connection, *, older_than: timedelta | None, limit: int) -> int:
    """Delete at most `limit` old events of the intake, and return how many; None keeps them."""
    row = await (await conn.execute(SQL["prune_intake_logs"], {"older_than": older_than, "limit": limit})).fetchone()
    return int(row[0]) if row else 0


async def prune_raw_rows(conn: Connection, *, older_than: timedelta | None, limit: int) -> int:
    """Delete at most `limit` old uploaded rows of completed batches, and return how many; None keeps them."""
    row = await (await conn.execute(SQL["prune_raw_rows"], {"older_than": older_than, "limit": limit})).fetchone()
    return int(row[0]) if row else 0


class FailedRow(NamedTuple):
    """A row that was refused. `error` names columns and rules, and quotes no cell."""

    row_number: int
    error: str


@dataclass(frozen=True)
class IntakeState:
    """The state of the intake. `last_batch_at` is None before the first upload."""

    pending_jobs: int
    last_batch_at: datetime | None


async def insert_batch(
    conn: Connection,
    *,
    file_name: str,
    sha256: str,
    header: str,
    row_count: int,
    source_system: str = SOURCE_SYSTEM,
    is_golden_path: bool = False,
) -> str:
    """Store a new batch in status `received` and return its id. `header`: the file's first row, unchanged.

    `is_golden_path`: our test data, which is not enforced.
    """
    values = {
        "source_system": source_system,
        "file_name": file_name,
        "sha256": sha256,
        "header": header,
        "row_count": row_count,
        "is_golden_path": is_golden_path,
    }
    row = await (await conn.execute(SQL["insert_batch"], values)).fetchone()
    if row is None:
        raise RuntimeError("INSERT … RETURNING gave no row")
    return str(row[0])


async def insert_block(conn: Connection, *, batch_id: str, block_number: int, content: bytes) -> None:
    """Store a part of the file; the first has number 1."""
    values = {"batch_id": batch_id, "block_number": block_number, "content": content}
    await conn.execute(SQL["insert_block"], values)


async def lock_file(conn: Connection, *, sha256: str) -> None:
    """Make other transactions that store the same file wait until this one ends."""
    await conn.execute(SQL["lock_file"], {"sha256": sha256})


async def find_file(conn: Connection, *, sha256: str) -> str | None:
    """The id of the newest batch of this exact file, failed batches left out; None if there is none."""
    row = await (await conn.execute(SQL["find_file"], {"sha256": sha256})).fetchone()
    return row[0] if row else None


async def list_failed_rows(conn: Connection, *, batch_id: str, after: int, limit: int) -> list[FailedRow]:
    """List refused rows in the order of the file, after row number `after`."""
    values = {"batch_id": batch_id, "after": after, "limit": limit}
    cursor = await conn.execute(SQL["list_failed_rows"], values)
    return [FailedRow(*row) for row in await cursor.fetchall()]


async def read_batch(conn: Connection, *, batch_id: str) -> Batch | None:
    """Return the batch; None if there is no such batch."""
    return await fetch_one(conn, Batch, "read_batch", batch_id=batch_id)


async def log_intake_event(
    conn: Connection,
    *,
    event_type: str,
    details: Mapping[str, Any],
    source_system: str = SOURCE_SYSTEM,
    reason: str | None = None,
) -> None:
    """Add one event. `details` may hold personal data, and the bot can't read them; `reason` is in our own words."""
    values = {
        "event_type": event_type,
        "source_system": source_system,
        "details": Jsonb(dict(details)),
        "reason": reason,
    }
    await conn.execute(SQL["log_intake_event"], values)


async def read_intake_state(conn: Connection) -> IntakeState:
    """Return how many jobs wait for the ingest worker, and when the last batch came."""
    return await fetch_row(conn, IntakeState, "read_intake_state", job_type=JOB_TYPE)


async def prove_upload(conn: Connection) -> None:
    """Write and delete one row in the API's own schema, to prove that it accepts writes. Fails as any write does."""
    await conn.execute(SQL["prove_upload"])
