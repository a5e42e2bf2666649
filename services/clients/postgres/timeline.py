"""The timelines of incidents. Typed calls of `sql/queries/timeline.sql`. The caller owns the transaction."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from services.clients.postgres.pool import Connection
from services.clients.postgres.queries import SQL, fetch_all
from services.domain.incidents import IncidentEvent, RepeatedLine
from services.domain.people import Person


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
    """Store an event; return its id, None for a stored message (`channel_id`, `ts`). `happened_at`: None is now."""
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


async def list_own_lines(
    conn: Connection, *, incident_id: int, kind: str, person: Person, window: timedelta
) -> list[RepeatedLine]:
    """List the person's lines of this kind within the window and since the last change of severity, newest first."""
    parameters = {"incident_id": incident_id, "kind": kind, "user_id": person.user_id, "window": window}
    return await fetch_all(conn, RepeatedLine, "list_own_lines", **parameters)


async def repeat_line(conn: Connection, *, event_id: int, added: str) -> int:
    """Append `added` to the line and count one repetition; return how many repetitions the line holds."""
    row = await (await conn.execute(SQL["repeat_line"], {"id": event_id, "added": added})).fetchone()
    assert row is not None  # noqa: S101 - seen in the same transaction
    return int(row[0])


async def list_events(conn: Connection, incident_id: int, *, limit: int) -> list[IncidentEvent]:
    """List the first `limit` events of an incident, oldest first."""
    return await fetch_all(conn, _to_event, "list_events", incident_id=incident_id, limit=limit)


async def list_confirming_events(conn: Connection) -> list[IncidentEvent]:
    """List the events by which people confirm unresolved incidents or change their severity, oldest first."""
    return await fetch_all(conn, _to_event, "list_confirming_events")


async def remove_mark(conn: Connection, *, incident_id: int, channel_id: str, ts: str) -> bool:
    """Take a marked message out of the timeline. False if it was not in it."""
    parameters = {"incident_id": incident_id, "channel_id": channel_id, "ts": ts}
    return await (await conn.execute(SQL["remove_mark"], parameters)).fetchone() is not None


def _to_event(*, by_user: str | None, by_team: str | None, **columns: Any) -> IncidentEvent:
    by = None if by_user is None or by_team is None else Person(by_user, by_team)
    return IncidentEvent(by=by, **columns)
