"""Leases: rights that only one replica can hold at a time. Typed calls of `sql/queries/leases.sql`."""

from __future__ import annotations

from datetime import datetime, timedelta

from services.clients.postgres.pool import Connection
from services.clients.postgres.queries import SQL

LEADER = "leader"  # the name of the lease that the leader holds


async def take_lease(
    conn: Connection, *, name: str, owner: str, duration: timedelta, longest: timedelta | None = None
) -> int | None:
    """Take or renew the lease and return its epoch; None if another owner holds it.

    A renewal never shortens it. `longest`: the longest duration for which this lease is ever taken (`duration` by
    default); a stored lease that is longer, because the database's clock stepped back, is cut to it.
    """
    parameters = {"name": name, "owner": owner, "duration": duration, "longest": longest or duration}
    row = await (await conn.execute(SQL["take_lease"], parameters)).fetchone()
    return None if row is None or row[0] is None else int(row[0])


async def shorten_lease(conn: Connection, *, name: str, owner: str, epoch: int, duration: timedelta) -> None:
    """Shorten the lease to at most `duration` from now. Does nothing if it is not ours any more."""
    parameters = {"name": name, "owner": owner, "epoch": epoch, "duration": duration}
    await conn.execute(SQL["shorten_lease"], parameters)


async def lock_lease(conn: Connection, *, name: str, owner: str, epoch: int) -> datetime | None:
    """If the lease is ours, keep it ours until this transaction ends, and return the database's time now.

    None if it is not ours any more.
    """
    cur = await conn.execute(SQL["lock_lease"], {"name": name, "owner": owner, "epoch": epoch})
    row = await cur.fetchone()
    if row is None:
        return None
    assert isinstance(row[0], datetime)  # noqa: S101 - its column's type
    return row[0]


async def read_idle_time(conn: Connection, *, name: str) -> timedelta | None:
    """Return how long the lease has been free: negative while it is held, None if it was never taken."""
    row = await (await conn.execute(SQL["read_idle_time"], {"name": name})).fetchone()
    if row is None:
        return None
    assert isinstance(row[0], timedelta)  # noqa: S101 - its column's type
    return row[0]


async def prune_run_leases(conn: Connection, *, older_than: timedelta) -> int:
    """Delete the leases of ended runs and return how many."""
    cur = await conn.execute(SQL["prune_run_leases"], {"older_than": older_than})
    return cur.rowcount


async def release_lease(conn: Connection, *, name: str, owner: str, epoch: int) -> None:
    """Give the lease up, so that a successor need not wait. Does nothing if it is not ours any more."""
    await conn.execute(SQL["release_lease"], {"name": name, "owner": owner, "epoch": epoch})
