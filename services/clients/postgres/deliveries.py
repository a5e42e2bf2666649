"""Which replica does the work of one delivery from Slack.

The typed calls of `sql/queries/deliveries.sql`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from services.clients.postgres.pool import Connection
from services.clients.postgres.queries import SQL, fetch_one


@dataclass(frozen=True)
class DeliveryState:
    """Another replica's delivery: finished, or claimed for `busy_for_s` seconds more."""

    finished: bool
    busy_for_s: float


async def claim_delivery(conn: Connection, *, key: str, owner: str, duration: timedelta) -> bool:
    """Whether the work is ours to do now."""
    cur = await conn.execute(SQL["claim_delivery"], {"key": key, "owner": owner, "duration": duration})
    row = await cur.fetchone()
    return row is not None and bool(row[0])


async def read_delivery(conn: Connection, *, key: str) -> DeliveryState | None:
    """None when no replica ever took it."""
    return await fetch_one(conn, DeliveryState, "read_delivery", key=key)


async def finish_delivery(conn: Connection, *, key: str, owner: str) -> None:
    """From now on a redelivery does nothing."""
    await conn.execute(SQL["finish_delivery"], {"key": key, "owner": owner})


async def release_delivery(conn: Connection, *, key: str, owner: str) -> None:
    """Leave the work to a redelivery."""
    await conn.execute(SQL["release_delivery"], {"key": key, "owner": owner})


async def note_written(conn: Connection, *, delivery: str) -> bool:
    """Whether this transaction is the first to write what the delivery asks for."""
    cur = await conn.execute(SQL["note_written"], {"delivery": delivery})
    return await cur.fetchone() is not None


async def is_written(conn: Connection, *, delivery: str) -> bool:
    """Whether a transaction that has committed wrote what the delivery asks for."""
    row = await (await conn.execute(SQL["is_written"], {"delivery": delivery})).fetchone()
    return row is not None and bool(row[0])


async def prune_deliveries(conn: Connection, *, older_than: timedelta) -> int:
    """How many were deleted."""
    cur = await conn.execute(SQL["prune_deliveries"], {"older_than": older_than})
    return cur.rowcount
