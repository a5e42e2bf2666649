"""Uploaded files and what became of them, for the API. The typed calls of `sql/queries/uploads.sql`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from services.domain.intake import Batch
from services.domain.simplicity import JOB_TYPE, SOURCE_SYSTEM
from services.postgres.pool import Connection
from services.postgres.queries import SQL


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
    header: str,
    row_count: int,
    source_system: str = SOURCE_SYSTEM,
    is_golden_path: bool = False,
) -> str:
    """The id of the new batch, in status `received`. `header`: the file's first row, as it stands there.

    `is_golden_path`: test data of ours, which is not enforced.
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


async def read_batch(conn: Connection, *, batch_id: str) -> Batch | None:
    """None when there is no such batch."""
    async with conn.cursor(row_factory=class_row(Batch)) as cur:
        await cur.execute(SQL["read_batch"], {"batch_id": batch_id})
        return await cur.fetchone()


async def log_intake_event(
    conn: Connection,
    *,
    event_type: str,
    details: Mapping[str, Any],
    source_system: str = SOURCE_SYSTEM,
    reason: str | None = None,
) -> None:
    """Add one event. `details` may hold personal data, and the bot cannot read them; `reason` is in our own words."""
    values = {
        "event_type": event_type,
        "source_system": source_system,
        "details": Jsonb(dict(details)),
        "reason": reason,
    }
    await conn.execute(SQL["log_intake_event"], values)


async def read_intake_state(conn: Connection) -> IntakeState:
    """What waits for the ingest worker, and when the last file came."""
    async with conn.cursor(row_factory=class_row(IntakeState)) as cur:
        await cur.execute(SQL["read_intake_state"], {"job_type": JOB_TYPE})
        state = await cur.fetchone()
    if state is None:
        raise RuntimeError("a SELECT of two scalars gave no row")
    return state


async def prove_upload(conn: Connection) -> None:
    """Write one row and delete it, in the API's own schema. Fails as any write does."""
    await conn.execute(SQL["prove_upload"])
