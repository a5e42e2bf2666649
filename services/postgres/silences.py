"""Who asked not to be told of what. The typed calls of `sql/queries/silences.sql`."""

from __future__ import annotations

from datetime import datetime, timedelta

from psycopg.rows import class_row

from services.domain.alerts import Silence
from services.postgres.pool import Connection
from services.postgres.queries import SQL


async def list_silences(conn: Connection) -> list[Silence]:
    """Those that have not ended, the next to end first."""
    async with conn.cursor(row_factory=class_row(Silence)) as cur:
        await cur.execute(SQL["list_silences"])
        return await cur.fetchall()


async def create_silence(
    conn: Connection, *, what: str, owner: str, reason: str, lasts: timedelta, in_advance: bool
) -> Silence:
    """The new silence. `in_advance`: nothing of the kind is open."""
    parameters = {"what": what, "owner": owner, "reason": reason, "lasts": lasts, "in_advance": in_advance}
    async with conn.cursor(row_factory=class_row(Silence)) as cur:
        await cur.execute(SQL["create_silence"], parameters)
        created = await cur.fetchone()
    assert created is not None  # noqa: S101 - INSERT … RETURNING gives a row or raises
    return created


async def remind_of_silence(conn: Connection, *, id: int, at: datetime) -> None:  # noqa: A002 - as the column is called
    """Its owner was told that it ends soon."""
    await conn.execute(SQL["remind_of_silence"], {"id": id, "at": at})


async def end_silence(conn: Connection, *, id: int, at: datetime, outcome: str) -> Silence | None:  # noqa: A002
    """The silence as it ended; None when it had ended before, or never was."""
    async with conn.cursor(row_factory=class_row(Silence)) as cur:
        await cur.execute(SQL["end_silence"], {"id": id, "at": at, "outcome": outcome})
        return await cur.fetchone()


async def prune_silences(conn: Connection, *, older_than: timedelta) -> int:
    """How many were deleted."""
    return (await conn.execute(SQL["prune_silences"], {"older_than": older_than})).rowcount
