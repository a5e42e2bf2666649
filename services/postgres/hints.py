"""Word that Railway may have done something. The typed calls of `sql/queries/hints.sql`."""

from __future__ import annotations

from services.postgres.pool import Connection
from services.postgres.queries import SQL

CHANNEL = "chatops_hints"  # of LISTEN and NOTIFY; `notify_hint` names it too


async def notify_hint(conn: Connection) -> None:
    """Tell all replicas at the commit."""
    await conn.execute(SQL["notify_hint"])
