"""Uploaded files, their rows and what becomes of them. The typed calls of `sql/queries/uploads.sql`."""

from __future__ import annotations

from collections.abc import AsyncIterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from services.domain.intake import Batch
from services.domain.simplicity import JOB_TYPE, SOURCE_SYSTEM
from services.postgres.pool import Connection
from services.postgres.queries import SQL


class RawRow(NamedTuple):
    """One line of a file. `row_number` is 1 for the first line below the header; `raw` is `{key: cell}`."""

    row_number: int
    raw: Mapping[str, Any]


class FailedRow(NamedTuple):
    """`error` names columns and rules; it repeats no cell."""

    row_number: int
    error: str


@dataclass(frozen=True)
class IntakeState:
    """`last_batch_at` is None before the first upload."""

    pending_jobs: int
    last_batch_at: datetime | None


async def insert_batch(
    conn: Connection,
    *,
    file_name: str,
    sha256: str,
    row_count: int,
    source_system: str = SOURCE_SYSTEM,
    is_golden_path: bool = False,
) -> str:
    """The id of the new batch, in status `received`. `is_golden_path`: test data of ours, which is not enforced."""
    values = {
        "source_system": source_system,
        "file_name": file_name,
        "sha256": sha256,
        "row_count": row_count,
        "is_golden_path": is_golden_path,
    }
    row = await (await conn.execute(SQL["insert_batch"], values)).fetchone()
    if row is None:
        raise RuntimeError("INSERT … RETURNING gave no row")
    return str(row[0])


async def lock_file(conn: Connection, *, sha256: str) -> None:
    """Make others wait that store the same file, until the transaction ends."""
    await conn.execute(SQL["lock_file"], {"sha256": sha256})


async def find_file(conn: Connection, *, sha256: str) -> str | None:
    """The id of the newest batch of that very file; batches that failed do not count."""
    row = await (await conn.execute(SQL["find_file"], {"sha256": sha256})).fetchone()
    return row[0] if row else None


async def list_failed_rows(conn: Connection, *, batch_id: str, after: int, limit: int) -> list[FailedRow]:
    """Rows that are no judgments, in the order of the file, from the one behind row `after`."""
    values = {"batch_id": batch_id, "after": after, "limit": limit}
    cursor = await conn.execute(SQL["list_failed_rows"], values)
    return [FailedRow(*row) for row in await cursor.fetchall()]


async def copy_rows(conn: Connection, *, blocks: AsyncIterable[bytes]) -> int:
    """Stream raw rows in COPY's text format: `batch_id\\trow_number\\tjson\\n`; how many there were.

    Blocks of about 64 kB cost as little as synchronous code; row by row takes half as long again (performance.md).
    """
    async with conn.cursor() as cur:
        async with cur.copy(SQL["copy_rows"]) as copy:
            async for block in blocks:
                await copy.write(block)
        return cur.rowcount


async def set_row_count(conn: Connection, *, batch_id: str, row_count: int) -> None:
    """Write down how many rows the file turned out to have."""
    await conn.execute(SQL["set_row_count"], {"batch_id": batch_id, "row_count": row_count})


async def read_batch(conn: Connection, *, batch_id: str) -> Batch | None:
    """None when there is no such batch."""
    async with conn.cursor(row_factory=class_row(Batch)) as cur:
        await cur.execute(SQL["read_batch"], {"batch_id": batch_id})
        return await cur.fetchone()


async def start_batch(conn: Connection, *, batch_id: str) -> int | None:
    """Set the batch to `processing`; the number of its rows, None when there is no such batch."""
    row = await (await conn.execute(SQL["start_batch"], {"batch_id": batch_id})).fetchone()
    return row[0] if row else None


async def list_rows(conn: Connection, *, batch_id: str, first: int, last: int) -> list[RawRow]:
    """Those rows from `first` to `last` that are not judged yet, in the order of the file."""
    cursor = await conn.execute(SQL["list_rows"], {"batch_id": batch_id, "first": first, "last": last})
    return [RawRow(*row) for row in await cursor.fetchall()]


async def mark_failed_rows(conn: Connection, *, batch_id: str, failed: Mapping[int, str]) -> None:
    """Set rows to `failed`: `{row_number: reason}`."""
    values = {"batch_id": batch_id, "row_numbers": list(failed), "errors": list(failed.values())}
    await conn.execute(SQL["mark_failed_rows"], values)


async def mark_valid_rows(conn: Connection, *, batch_id: str, first: int, last: int) -> None:
    """Set to `validated` what is still open from `first` to `last`: naming each row costs more than writing it."""
    await conn.execute(SQL["mark_valid_rows"], {"batch_id": batch_id, "first": first, "last": last})


async def create_staging(conn: Connection) -> None:
    """Make the table for judgments that are on their way. It lives as long as the transaction."""
    await conn.execute(SQL["create_staging"])


async def copy_judgments(conn: Connection, *, lines: bytes) -> None:
    """Stage judgments, in COPY's text format: case number, county, plaintiff, defendant, amount, filing date (ISO)."""
    async with conn.cursor() as cur, cur.copy(SQL["copy_judgments"]) as copy:
        await copy.write(lines)


async def upsert_judgments(conn: Connection, *, batch_id: str) -> None:
    """Store what was staged, in which each county and case number stands once. What is stored already is replaced."""
    await conn.execute(SQL["upsert_judgments"], {"batch_id": batch_id})


async def finish_batch(conn: Connection, *, batch_id: str) -> Batch | None:
    """Count the rows and complete the batch; None when there is no such batch."""
    async with conn.cursor(row_factory=class_row(Batch)) as cur:
        await cur.execute(SQL["finish_batch"], {"batch_id": batch_id})
        return await cur.fetchone()


async def log_intake_event(
    conn: Connection, *, event_type: str, details: Mapping[str, Any], source_system: str = SOURCE_SYSTEM
) -> None:
    """Add one event. `details` may hold personal data; the bot cannot read them."""
    values = {"event_type": event_type, "source_system": source_system, "details": Jsonb(dict(details))}
    await conn.execute(SQL["log_intake_event"], values)


async def read_intake_state(conn: Connection) -> IntakeState:
    """What waits for the ingest worker, and when the last file came."""
    async with conn.cursor(row_factory=class_row(IntakeState)) as cur:
        await cur.execute(SQL["read_intake_state"], {"job_type": JOB_TYPE})
        state = await cur.fetchone()
    if state is None:
        raise RuntimeError("a SELECT of two scalars gave no row")
    return state
