"""Claims of deliveries from Slack, so that one replica does the work of each.

Typed calls of `sql/queries/deliveries.sql`.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta

from psycopg.types.json import Jsonb

from services.clients.postgres.pool import Connection
from services.clients.postgres.queries import SQL, fetch_one
from services.domain.deliveries import Asked, DeliveryState, Interrupted


async def claim_delivery(
    conn: Connection, *, key: str, owner: str, duration: timedelta, asked: Asked | None = None
) -> bool:
    """Claim a delivery. True if this replica is to do the work now.

    `asked`: the request that the bot reports to its author if the work is interrupted.
    """
    request = Jsonb(asdict(asked)) if asked else None
    parameters = {"key": key, "owner": owner, "duration": duration, "request": request}
    cur = await conn.execute(SQL["claim_delivery"], parameters)
    row = await cur.fetchone()
    return row is not None and bool(row[0])


async def read_delivery(conn: Connection, *, key: str) -> DeliveryState | None:
    """Return the state of the delivery; None if no replica ever claimed it."""
    return await fetch_one(conn, DeliveryState, "read_delivery", key=key)


async def renew_delivery(conn: Connection, *, key: str, owner: str, duration: timedelta) -> None:
    """Extend the claim by `duration` from now."""
    await conn.execute(SQL["renew_delivery"], {"key": key, "owner": owner, "duration": duration})


async def list_interrupted(conn: Connection, *, limit: int) -> list[str]:
    """List the keys of requests that no replica works on any more, oldest first."""
    return [row[0] for row in await (await conn.execute(SQL["list_interrupted"], {"limit": limit})).fetchall()]


async def take_interrupted(conn: Connection, *, key: str) -> Interrupted | None:
    """Take an interrupted request once, so that a redelivery does nothing from now on.

    None if a replica works on it again, or it was taken already.
    """
    return await fetch_one(conn, Interrupted, "take_interrupted", key=key)


async def finish_delivery(conn: Connection, *, key: str, owner: str) -> None:
    """Mark the work as done, so that a redelivery does nothing."""
    await conn.execute(SQL["finish_delivery"], {"key": key, "owner": owner})


async def release_delivery(conn: Connection, *, key: str, owner: str) -> None:
    """Give up the claim, so that a redelivery can do the work."""
    await conn.execute(SQL["release_delivery"], {"key": key, "owner": owner})


async def note_written(conn: Connection, *, delivery: str) -> bool:
    """Record that this transaction writes what the delivery asks for. True if no other transaction did before."""
    cur = await conn.execute(SQL["note_written"], {"delivery": delivery})
    return await cur.fetchone() is not None


async def is_written(conn: Connection, *, delivery: str) -> bool:
    """True if a committed transaction wrote what the delivery asks for."""
    row = await (await conn.execute(SQL["is_written"], {"delivery": delivery})).fetchone()
    return row is not None and bool(row[0])


async def prune_deliveries(conn: Connection, *, older_than: timedelta) -> int:
    """Delete old deliveries and return how many."""
    cur = await conn.execute(SQL["prune_deliveries"], {"older_than": older_than})
    return cur.rowcount
