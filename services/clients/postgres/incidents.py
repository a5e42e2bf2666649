"""Incidents and their pages. Typed calls of `sql/queries/incidents.sql`.

The caller owns the transaction. Every change is compare-and-set and returns whether it happened; nothing brings
a resolved incident back. Lock the incident first where a change rests on what was read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from services.clients.postgres.incident_alerts import list_joined_alerts
from services.clients.postgres.pool import Connection
from services.clients.postgres.queries import SQL, fetch_all, fetch_one
from services.clients.postgres.timeline import list_events
from services.clients.postgres.todos import list_todos_of_incident
from services.domain.alerts import KnownCause
from services.domain.incidents import (
    Incident,
    IncidentPicture,
    IncidentRecord,
    IncidentSeverity,
    IncidentState,
    NewIncident,
    PageSent,
)
from services.domain.people import Person
from services.domain.todos import MOST as MOST_TODOS

CHANNEL = "chatops_incidents"  # of LISTEN and NOTIFY; the trigger announce_incident names it too


async def create_incident(conn: Connection, new: NewIncident) -> int:
    """The new incident's id. It is open, and nothing is due yet."""
    by = new.opened_by
    parameters = {
        "environment": new.environment,
        "severity": new.severity.value,
        "title": new.title,
        "services": list(new.services),
        "opened_by_user": by.user_id if by else None,
        "opened_by_team": by.team_id if by else None,
        "since": new.since,
        "chain": Jsonb(dict(new.chain)),
    }
    row = await (await conn.execute(SQL["create_incident"], parameters)).fetchone()
    assert row is not None  # noqa: S101 - INSERT … RETURNING gives a row or raises
    return int(row[0])


async def read_incident(conn: Connection, incident_id: int) -> Incident | None:
    return await fetch_one(conn, _to_incident, "read_incident", incident_id=incident_id)


async def find_incident_of_message(conn: Connection, *, channel_id: str, ts: str) -> Incident | None:
    """The incident whose root message this is, or one of its pages; None for any other message."""
    return await fetch_one(conn, _to_incident, "find_incident_of_message", channel_id=channel_id, ts=ts)


async def list_open_incidents(conn: Connection) -> list[Incident]:
    """The unresolved ones, acknowledged or not, oldest first; `find_covering` picks one for services."""
    return await fetch_all(conn, _to_incident, "list_open_incidents")


async def list_incidents(conn: Connection, *, limit: int) -> list[Incident]:
    """Newest first."""
    return await fetch_all(conn, _to_incident, "list_incidents", limit=limit)


async def list_opened_by(conn: Connection, *, user_id: str, window: timedelta) -> list[int]:
    """The ids of those that this person opened by hand within the window, oldest first."""
    cur = await conn.execute(SQL["list_opened_by"], {"user_id": user_id, "window": window})
    return [int(row[0]) for row in await cur.fetchall()]


async def lock_opening(conn: Connection) -> None:
    """Incidents opened by hand wait until this transaction ends."""
    await conn.execute(SQL["lock_opening"])


async def lock_incident(conn: Connection, incident_id: int) -> datetime | None:
    """Keep it as it is until this transaction ends; the database's time then. None: there is no such incident."""
    row = await (await conn.execute(SQL["lock_incident"], {"incident_id": incident_id})).fetchone()
    return None if row is None else row[0]


async def acknowledge_incident(conn: Connection, *, incident_id: int, person: Person, due_in: timedelta) -> bool:
    """Whether it is the person's now; False when it is resolved. `due_in`: until they are reminded of it."""
    parameters = {"incident_id": incident_id, "user_id": person.user_id, "team_id": person.team_id, "due_in": due_in}
    return await _happened(conn, SQL["acknowledge_incident"], parameters)


async def unacknowledge_incident(conn: Connection, *, incident_id: int) -> bool:
    """Whether it was acknowledged and is open now; people are due to be called at once."""
    return await _happened(conn, SQL["unacknowledge_incident"], {"incident_id": incident_id})


async def resolve_incident(conn: Connection, *, incident_id: int, person: Person, cause: str) -> bool:
    """Whether this ended it; False when it had ended before."""
    parameters = {"incident_id": incident_id, "user_id": person.user_id, "team_id": person.team_id, "cause": cause}
    return await _happened(conn, SQL["resolve_incident"], parameters)


async def change_severity(conn: Connection, *, incident_id: int, severity: IncidentSeverity) -> bool:
    """Whether it had another severity, and had not ended."""
    return await _happened(conn, SQL["change_severity"], {"incident_id": incident_id, "severity": severity.value})


async def note_activity(conn: Connection, *, incident_id: int, due_in: timedelta) -> bool:
    """A person was active in it; its owner is reminded after `due_in`. False when it has ended."""
    return await _happened(conn, SQL["note_activity"], {"incident_id": incident_id, "due_in": due_in})


async def note_reminder(conn: Connection, *, incident_id: int, due_in: timedelta | None) -> bool:
    """A reminder is being sent; something else is due after `due_in`, or nothing. False when it has ended."""
    return await _happened(conn, SQL["note_reminder"], {"incident_id": incident_id, "due_in": due_in})


async def set_due(conn: Connection, *, incident_id: int, due_in: timedelta | None) -> bool:
    """The leader looks at it again after `due_in`, or not by itself. False when it has ended."""
    return await _happened(conn, SQL["set_due"], {"incident_id": incident_id, "due_in": due_in})


async def set_cleared(conn: Connection, *, incident_id: int, cleared_at: datetime | None) -> bool:
    """Whether this is news: the last of its alerts ended at that time, or (None) one fires again."""
    return await _happened(conn, SQL["set_cleared"], {"incident_id": incident_id, "cleared_at": cleared_at})


async def note_briefed(conn: Connection, *, incident_id: int, part: int, cause: KnownCause | None = None) -> bool:
    """Whether this part (1, 2 …) of the diagnosis was the next one, and the incident has not ended.

    `cause` None leaves what is there.
    """
    return await _happened(
        conn, SQL["note_briefed"], {"incident_id": incident_id, "part": part, **cause_columns(cause)}
    )


def cause_columns(cause: KnownCause | None) -> dict[str, object]:
    """The parameters of a query that stores it."""
    cause = cause or KnownCause("")
    return {"diagnosis": cause.title or None, "diagnosed_since": cause.since, "remedy": cause.remedy}


async def read_picture(conn: Connection, *, incident_id: int) -> IncidentPicture | None:
    """None: not drawn yet."""
    return await fetch_one(conn, IncidentPicture, "read_picture", incident_id=incident_id)


async def store_picture(
    conn: Connection, *, incident_id: int, blocks: Sequence[Mapping[str, Any]], drawn_at: datetime
) -> bool:
    """In place of an earlier one."""
    parameters = {"incident_id": incident_id, "blocks": Jsonb([dict(block) for block in blocks]), "drawn_at": drawn_at}
    return await _happened(conn, SQL["store_picture"], parameters)


async def record_page(
    conn: Connection, *, incident_id: int, number: int, level: int, reason: str, due_in: timedelta
) -> bool:
    """Whether people may be called for the `number`-th time: it is written, and the next time is due after `due_in`.

    Raises SourceError, when the transaction ends, unless the incident is open.
    """
    if not await create_page(conn, incident_id=incident_id, number=number, level=level, reason=reason):
        return False
    return await count_page(conn, incident_id=incident_id, number=number, level=level, due_in=due_in)


async def create_page(conn: Connection, *, incident_id: int, number: int, level: int, reason: str) -> bool:
    """Whether there was no page of this number yet. `count_page` has to follow."""
    parameters = {"incident_id": incident_id, "number": number, "level": level, "reason": reason}
    return await _happened(conn, SQL["create_page"], parameters)


async def count_page(conn: Connection, *, incident_id: int, number: int, level: int, due_in: timedelta) -> bool:
    """Whether the page of this number is the one after those that were counted."""
    parameters = {"incident_id": incident_id, "number": number, "level": level, "due_in": due_in}
    return await _happened(conn, SQL["count_page"], parameters)


async def list_pages(conn: Connection, incident_id: int) -> list[PageSent]:
    """Oldest first."""
    return await fetch_all(conn, PageSent, "list_pages", incident_id=incident_id)


async def _happened(conn: Connection, sql: str, parameters: Mapping[str, Any]) -> bool:
    return await (await conn.execute(sql, parameters)).fetchone() is not None


def _to_incident(
    *,
    state: str,
    severity: str,
    services: list[str],
    opened_by_user: str | None,
    opened_by_team: str | None,
    acknowledged_by_user: str | None,
    acknowledged_by_team: str | None,
    resolved_by_user: str | None,
    resolved_by_team: str | None,
    **columns: Any,
) -> Incident:
    return Incident(
        state=IncidentState(state),
        severity=IncidentSeverity(severity),
        services=tuple(services),
        opened_by=_person(opened_by_user, opened_by_team),
        acknowledged_by=_person(acknowledged_by_user, acknowledged_by_team),
        resolved_by=_person(resolved_by_user, resolved_by_team),
        **columns,
    )


def _person(user_id: str | None, team_id: str | None) -> Person | None:
    return None if user_id is None or team_id is None else Person(user_id, team_id)


MOST_EVENTS = 500  # of one incident; people write some dozens


async def read_incident_record(conn: Connection, incident_id: int) -> IncidentRecord | None:
    """Everything about one incident; None when there is none of this number."""
    incident = await read_incident(conn, incident_id)
    if incident is None:
        return None
    return IncidentRecord(
        incident=incident,
        alerts=tuple(await list_joined_alerts(conn, incident_id)),
        pages=tuple(await list_pages(conn, incident_id)),
        events=tuple(await list_events(conn, incident_id, limit=MOST_EVENTS)),
        todos=tuple(await list_todos_of_incident(conn, incident_id=incident_id, limit=MOST_TODOS)),
    )
