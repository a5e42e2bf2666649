"""What Slack delivered and who took it. The typed calls of `sql/queries/deliveries.sql`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from psycopg.rows import class_row

from services.postgres.pool import Connection
from services.postgres.queries import SQL


@dataclass(frozen=True)
class DeliveryState:
    """Somebody else's delivery: finished, or claimed for `busy_for_s` seconds more."""

    finished: bool
    busy_for_s: float


async def claim_delivery(conn: Connection, *, key: str, owner: str, duration: timedelta) -> bool:
    """Whether the work is ours to do now."""
    cur = await conn.execute(SQL["claim_delivery"], {"key": key, "owner": owner, "duration": duration})
    row = await cur.fetchone()
    return row is not None and bool(row[0])


async def read_delivery(conn: Connection, *, key: str) -> DeliveryState | None:
    """None when nobody ever took it."""
    async with conn.cursor(row_factory=class_row(DeliveryState)) as cur:
        await cur.execute(SQL["read_delivery"], {"key": key})
        return await cur.fetchone()


async def finish_delivery(conn: Connection, *, key: str, owner: str) -> None:
    """From now on a redelivery does nothing."""
    await conn.execute(SQL["finish_delivery"], {"key": key, "owner": owner})


async def release_delivery(conn: Connection, *, key: str, owner: str) -> None:
    """Leave the work to a redelivery."""
    await conn.execute(SQL["release_delivery"], {"key": key, "owner": owner})


async def prune_deliveries(conn: Connection, *, older_than: timedelta) -> int:
    """How many were deleted."""
    cur = await conn.execute(SQL["prune_deliveries"], {"older_than": older_than})
    return cur.rowcount
