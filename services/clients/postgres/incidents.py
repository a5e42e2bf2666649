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

CHANNEL = "chatops_incidents"  # for LISTEN and NOTIFY; the trigger announce_incident names it too


async def create_incident(conn: Connection, new: NewIncident) -> int:
    """Store a new incident, open and with nothing due yet, and return its id."""
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
    """The incident whose first message, or one of whose pages, this is; None for any other message."""
    return await fetch_one(conn, _to_incident, "find_incident_of_message", channel_id=channel_id, ts=ts)


async def list_open_incidents(conn: Connection) -> list[Incident]:
    """The unresolved incidents, acknowledged or not, oldest first; `find_covering` picks one for services."""
    return await fetch_all(conn, _to_incident, "list_open_incidents")


async def list_incidents(conn: Connection, *, limit: int) -> list[Incident]:
    """The newest incidents in any state, newest first."""
    return await fetch_all(conn, _to_incident, "list_incidents", limit=limit)


async def list_opened_by(conn: Connection, *, user_id: str, window: timedelta) -> list[int]:
    """The ids of the incidents that this person opened by hand within the last `window`, oldest first."""
    cur = await conn.execute(SQL["list_opened_by"], {"user_id": user_id, "window": window})
    return [int(row[0]) for row in await cur.fetchall()]


async def lock_opening(conn: Connection) -> None:
    """Make everyone else who opens an incident by hand wait until this transaction ends."""
    await conn.execute(SQL["lock_opening"])


async def lock_incident(conn: Connection, incident_id: int) -> datetime | None:
    """Lock the incident until this transaction ends. The database's time after any wait; None if there is none."""
    row = await (await conn.execute(SQL["lock_incident"], {"incident_id": incident_id})).fetchone()
    return None if row is None else row[0]


async def acknowledge_incident(conn: Connection, *, incident_id: int, person: Person, due_in: timedelta) -> bool:
    """Make the person its owner, to be reminded after `due_in`, also in place of another; False if it is resolved."""
    parameters = {"incident_id": incident_id, "user_id": person.user_id, "team_id": person.team_id, "due_in": due_in}
    return await _happened(conn, SQL["acknowledge_incident"], parameters)


async def unacknowledge_incident(conn: Connection, *, incident_id: int) -> bool:
    """Open an acknowledged incident again, with its next page due at once; False if it was not acknowledged."""
    return await _happened(conn, SQL["unacknowledge_incident"], {"incident_id": incident_id})


async def resolve_incident(conn: Connection, *, incident_id: int, person: Person, cause: str) -> bool:
    """Resolve the incident; False if it was resolved already."""
    parameters = {"incident_id": incident_id, "user_id": person.user_id, "team_id": person.team_id, "cause": cause}
    return await _happened(conn, SQL["resolve_incident"], parameters)


async def change_severity(conn: Connection, *, incident_id: int, severity: IncidentSeverity) -> bool:
    """Change the severity; False if it is the same already or the incident is resolved."""
    return await _happened(conn, SQL["change_severity"], {"incident_id": incident_id, "severity": severity.value})


async def note_activity(conn: Connection, *, incident_id: int, due_in: timedelta) -> bool:
    """Note that a person did something: an owner is reminded `due_in` from now. False if it is resolved."""
    return await _happened(conn, SQL["note_activity"], {"incident_id": incident_id, "due_in": due_in})


async def note_reminder(conn: Connection, *, incident_id: int, due_in: timedelta | None) -> bool:
    """Note that its owner is reminded now; the next is due after `due_in` (None: nothing). False if it is resolved."""
    return await _happened(conn, SQL["note_reminder"], {"incident_id": incident_id, "due_in": due_in})


async def set_due(conn: Connection, *, incident_id: int, due_in: timedelta | None) -> bool:
    """Have the leader look at it again after `due_in` (None: not by itself). False if it is resolved."""
    return await _happened(conn, SQL["set_due"], {"incident_id": incident_id, "due_in": due_in})


async def set_cleared(conn: Connection, *, incident_id: int, cleared_at: datetime | None) -> bool:
    """Note when the last of its alerts ended; None if one fires again.

    Then paging starts at the first level again, and so does the diagnosis. False if the incident is resolved or the
    same was noted already.
    """
    return await _happened(conn, SQL["set_cleared"], {"incident_id": incident_id, "cleared_at": cleared_at})


async def note_briefed(conn: Connection, *, incident_id: int, part: int, cause: KnownCause | None = None) -> bool:
    """Note that this part (1, 2 …) of the diagnosis is posted; False unless it is the next part and it is not resolved.

    `cause` None keeps the cause that is stored.
    """
    return await _happened(
        conn, SQL["note_briefed"], {"incident_id": incident_id, "part": part, **cause_columns(cause)}
    )


def cause_columns(cause: KnownCause | None) -> dict[str, object]:
    """The parameters that a query which stores this cause takes; each is None without a cause."""
    cause = cause or KnownCause("")
    return {"diagnosis": cause.title or None, "diagnosed_since": cause.since, "remedy": cause.remedy}


async def read_picture(conn: Connection, *, incident_id: int) -> IncidentPicture | None:
    """The picture of its hour as it was drawn last; None if it was not drawn yet."""
    return await fetch_one(conn, IncidentPicture, "read_picture", incident_id=incident_id)


async def store_picture(
    conn: Connection, *, incident_id: int, blocks: Sequence[Mapping[str, Any]], drawn_at: datetime
) -> bool:
    """Store the picture in place of an earlier one; False if there is no such incident."""
    parameters = {"incident_id": incident_id, "blocks": Jsonb([dict(block) for block in blocks]), "drawn_at": drawn_at}
    return await _happened(conn, SQL["store_picture"], parameters)


async def record_page(
    conn: Connection, *, incident_id: int, number: int, level: int, reason: str, due_in: timedelta
) -> bool:
    """Store the `number`-th page; the next is due after `due_in`. Only if this is True may people be paged.

    Raises SourceError, when the transaction ends, unless the incident is open.
    """
    if not await create_page(conn, incident_id=incident_id, number=number, level=level, reason=reason):
        return False
    return await count_page(conn, incident_id=incident_id, number=number, level=level, due_in=due_in)


async def create_page(conn: Connection, *, incident_id: int, number: int, level: int, reason: str) -> bool:
    """Store a page; False if there is one of this number already. `count_page` must follow."""
    parameters = {"incident_id": incident_id, "number": number, "level": level, "reason": reason}
    return await _happened(conn, SQL["create_page"], parameters)


async def count_page(conn: Connection, *, incident_id: int, number: int, level: int, due_in: timedelta) -> bool:
    """Count the stored page; the next is due after `due_in`. False unless its number follows the last counted one."""
    parameters = {"incident_id": incident_id, "number": number, "level": level, "due_in": due_in}
    return await _happened(conn, SQL["count_page"], parameters)


async def list_pages(conn: Connection, incident_id: int) -> list[PageSent]:
    """The incident's pages, oldest first."""
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
    """The incident with its alerts, pages, events and to-dos; None if no incident has this number."""
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
