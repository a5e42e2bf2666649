"""The rate limit of changes that machines request. Typed calls of `sql/queries/machine_limits.sql`."""

from __future__ import annotations

from datetime import timedelta

from services.clients.postgres.pool import Connection
from services.clients.postgres.queries import SQL


async def take_machine_request(conn: Connection, *, machine: str, burst: int, every: timedelta) -> bool:
    """Count a request. True if the machine may request this change.

    The limit is `burst` at once, then one per `every`, over all replicas.
    """
    parameters = {"machine": machine, "burst": burst, "every": every}
    return await (await conn.execute(SQL["take_machine_request"], parameters)).fetchone() is not None
