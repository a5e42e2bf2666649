"""Which replica does the work of one delivery from Slack.

The typed calls of `sql/queries/deliveries.sql`.
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
    """Whether the work is ours to do now. `asked`: what the bot reports to its author if it is interrupted."""
    request = Jsonb(asdict(asked)) if asked else None
    parameters = {"key": key, "owner": owner, "duration": duration, "request": request}
    cur = await conn.execute(SQL["claim_delivery"], parameters)
    row = await cur.fetchone()
    return row is not None and bool(row[0])


async def read_delivery(conn: Connection, *, key: str) -> DeliveryState | None:
    """None when no replica ever took it."""
    return await fetch_one(conn, DeliveryState, "read_delivery", key=key)


async def renew_delivery(conn: Connection, *, key: str, owner: str, duration: timedelta) -> None:
    """The work continues for so long."""
    await conn.execute(SQL["renew_delivery"], {"key": key, "owner": owner, "duration": duration})


async def list_interrupted(conn: Connection, *, limit: int) -> list[str]:
    """The keys of what people asked for and no replica works on any more, oldest first."""
    return [row[0] for row in await (await conn.execute(SQL["list_interrupted"], {"limit": limit})).fetchall()]


async def take_interrupted(conn: Connection, *, key: str) -> Interrupted | None:
    """It, once: from now on a redelivery does nothing. None when a replica works on it again, or it was taken."""
    return await fetch_one(conn, Interrupted, "take_interrupted", key=key)


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
