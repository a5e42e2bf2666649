"""Leases: things that only one replica may do at a time. The typed calls of `sql/queries/leases.sql`."""

from __future__ import annotations

from datetime import timedelta

from services.postgres.pool import Connection
from services.postgres.queries import SQL


async def take_lease(conn: Connection, *, name: str, owner: str, duration: timedelta) -> int | None:
    """The lease's epoch when it is now ours, new or renewed; None when another owner holds it."""
    cur = await conn.execute(SQL["take_lease"], {"name": name, "owner": owner, "duration": duration})
    row = await cur.fetchone()
    return int(row[0]) if row else None


async def lock_lease(conn: Connection, *, name: str, owner: str, epoch: int) -> bool:
    """Whether the lease is ours; if so it cannot change hands before this transaction ends."""
    cur = await conn.execute(SQL["lock_lease"], {"name": name, "owner": owner, "epoch": epoch})
    return await cur.fetchone() is not None


async def prune_run_leases(conn: Connection, *, older_than: timedelta) -> int:
    """How many leases of ended runs were deleted."""
    cur = await conn.execute(SQL["prune_run_leases"], {"older_than": older_than})
    return cur.rowcount


async def release_lease(conn: Connection, *, name: str, owner: str, epoch: int) -> None:
    """Give it up, so that a successor need not wait. Nothing happens when it is not ours any more."""
    await conn.execute(SQL["release_lease"], {"name": name, "owner": owner, "epoch": epoch})
