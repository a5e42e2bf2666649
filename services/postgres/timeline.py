"""What happened in an incident, line by line. The typed calls of `sql/queries/timeline.sql`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from psycopg.rows import kwargs_row

from services.domain.incidents import IncidentEvent
from services.domain.runs import Person
from services.postgres.pool import Connection
from services.postgres.queries import SQL


async def add_event(
    conn: Connection,
    *,
    incident_id: int,
    kind: str,
    text: str,
    by: Person | None = None,
    happened_at: datetime | None = None,
    channel_id: str | None = None,
    ts: str | None = None,
) -> int | None:
    """The event's id; None for a message (`channel_id`, `ts`) that the timeline has. `happened_at` None: now."""
    parameters = {
        "incident_id": incident_id,
        "happened_at": happened_at,
        "kind": kind,
        "by_user": by.user_id if by else None,
        "by_team": by.team_id if by else None,
        "text": text,
        "channel_id": channel_id,
        "ts": ts,
    }
    row = await (await conn.execute(SQL["add_event"], parameters)).fetchone()
    return None if row is None else int(row[0])


async def list_events(conn: Connection, incident_id: int, *, limit: int) -> list[IncidentEvent]:
    """Oldest first, the first `limit` of them."""
    async with conn.cursor(row_factory=kwargs_row(_to_event)) as cur:
        await cur.execute(SQL["list_events"], {"incident_id": incident_id, "limit": limit})
        return await cur.fetchall()


async def remove_mark(conn: Connection, *, incident_id: int, channel_id: str, ts: str) -> bool:
    """Whether the message was in the timeline."""
    parameters = {"incident_id": incident_id, "channel_id": channel_id, "ts": ts}
    return await (await conn.execute(SQL["remove_mark"], parameters)).fetchone() is not None


def _to_event(*, by_user: str | None, by_team: str | None, **columns: Any) -> IncidentEvent:
    by = None if by_user is None or by_team is None else Person(by_user, by_team)
    return IncidentEvent(by=by, **columns)
