"""Incidents, their alerts, timelines and on-call overrides.

The typed calls of `sql/queries/incident_alerts.sql`, `sql/queries/incidents.sql`, `sql/queries/oncall.sql`,
`sql/queries/timeline.sql`.

The caller owns the transaction. Every change is compare-and-set and returns whether it happened; nothing brings
a resolved incident back. Lock the incident first where a change rests on what was read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from services.clients.postgres.pool import Connection
from services.clients.postgres.queries import SQL, fetch_all, fetch_one
from services.clients.postgres.todos import list_todos_of_incident
from services.domain.alerts import KnownCause
from services.domain.incidents import (
    Incident,
    IncidentEvent,
    IncidentPicture,
    IncidentRecord,
    IncidentSeverity,
    IncidentState,
    JoinedAlert,
    NewIncident,
    PageSent,
    RepeatedLine,
)
from services.domain.oncall import Override
from services.domain.people import Person
from services.domain.todos import MOST as MOST_TODOS


async def join_alert(
    conn: Connection,
    *,
    alert_id: int,
    incident_id: int,
    line: str,
    message_key: str = "",
) -> bool:
    """It belongs to this incident now, and fires. False: there is no such alert."""
    parameters = {
        "alert_id": alert_id,
        "incident_id": incident_id,
        "line": line,
        "message_key": message_key,
    }
    return await (await conn.execute(SQL["join_alert"], parameters)).fetchone() is not None


async def read_joined_alert(conn: Connection, alert_id: int) -> JoinedAlert | None:
    """None: it belongs to no incident."""
    return await fetch_one(conn, JoinedAlert, "read_joined_alert", alert_id=alert_id)


async def list_joined_alerts(conn: Connection, incident_id: int) -> list[JoinedAlert]:
    """In the order in which they joined."""
    return await fetch_all(conn, JoinedAlert, "list_joined_alerts", incident_id=incident_id)


async def list_alerts_of_open_incidents(conn: Connection) -> list[JoinedAlert]:
    """Of all unresolved incidents, also those whose alerts have cleared."""
    return await fetch_all(conn, JoinedAlert, "list_alerts_of_open_incidents")


async def change_alert_line(conn: Connection, *, alert_id: int, line: str) -> int | None:
    """The incident in which it says something else now; None when it is in none, or reported it already."""
    return await _incident(conn, SQL["change_alert_line"], {"alert_id": alert_id, "line": line})


async def clear_alert(conn: Connection, *, alert_id: int, at: datetime, line: str) -> int | None:
    """The incident in which it was firing; None when it was in none, or was over already."""
    return await _incident(conn, SQL["clear_alert"], {"alert_id": alert_id, "at": at, "line": line})


async def _incident(conn: Connection, sql: str, parameters: dict[str, Any]) -> int | None:
    row = await (await conn.execute(sql, parameters)).fetchone()
    return None if row is None else int(row[0])


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


async def add_override(
    conn: Connection, *, rotation: str, user_id: str, begins_at: datetime, ends_at: datetime, by: Person
) -> int:
    """The new override's id."""
    parameters = {
        "rotation": rotation,
        "user_id": user_id,
        "begins_at": begins_at,
        "ends_at": ends_at,
        "by_user": by.user_id,
        "by_team": by.team_id,
    }
    row = await (await conn.execute(SQL["add_override"], parameters)).fetchone()
    assert row is not None  # noqa: S101 - INSERT … RETURNING gives a row or raises
    return int(row[0])


async def list_overrides(conn: Connection) -> list[Override]:
    """Those that hold now or later; of two for the same time the later in the list counts."""
    return await fetch_all(conn, _to_override, "list_overrides")


async def list_overrides_since(conn: Connection, *, since: datetime) -> list[Override]:
    """Those that ended after `since` too: questions about past shifts need them."""
    return await fetch_all(conn, _to_override, "list_overrides_since", since=since)


async def lock_oncall(conn: Connection) -> None:
    """Other changes of who is on call wait until this transaction ends."""
    await conn.execute(SQL["lock_oncall"])


async def end_overrides(conn: Connection, *, rotation: str, now: datetime) -> list[int]:
    """The ids of those that held until now."""
    rows = await (await conn.execute(SQL["end_overrides"], {"rotation": rotation, "now": now})).fetchall()
    return [int(number) for (number,) in rows]


async def end_override(conn: Connection, *, override_id: int, now: datetime) -> Override | None:
    """The override as it ended; None when none of this number holds now or later."""
    return await fetch_one(conn, _to_override, "end_override", override_id=override_id, now=now)


async def confirm_override(conn: Connection, *, override_id: int, user_id: str) -> Override | None:
    """The override, confirmed now or before; None when it has ended, or belongs to another person."""
    return await fetch_one(conn, _to_override, "confirm_override", override_id=override_id, user_id=user_id)


def _to_override(*, by_user: str, by_team: str, **columns: Any) -> Override:
    return Override(by=Person(by_user, by_team), **columns)


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


async def list_own_lines(
    conn: Connection, *, incident_id: int, kind: str, person: Person, window: timedelta
) -> list[RepeatedLine]:
    """What this person wrote of this kind within the window, newest first."""
    parameters = {"incident_id": incident_id, "kind": kind, "user_id": person.user_id, "window": window}
    return await fetch_all(conn, RepeatedLine, "list_own_lines", **parameters)


async def repeat_line(conn: Connection, *, event_id: int, added: str) -> int:
    """The line has this at its end, and holds one more; how many further ones it holds."""
    row = await (await conn.execute(SQL["repeat_line"], {"id": event_id, "added": added})).fetchone()
    assert row is not None  # noqa: S101 - seen in the same transaction
    return int(row[0])


async def list_events(conn: Connection, incident_id: int, *, limit: int) -> list[IncidentEvent]:
    """Oldest first, the first `limit` of them."""
    return await fetch_all(conn, _to_event, "list_events", incident_id=incident_id, limit=limit)


async def list_confirming_events(conn: Connection) -> list[IncidentEvent]:
    """By which people confirm unresolved incidents, or change how severe they are; oldest first."""
    return await fetch_all(conn, _to_event, "list_confirming_events")


async def remove_mark(conn: Connection, *, incident_id: int, channel_id: str, ts: str) -> bool:
    """Whether the message was in the timeline."""
    parameters = {"incident_id": incident_id, "channel_id": channel_id, "ts": ts}
    return await (await conn.execute(SQL["remove_mark"], parameters)).fetchone() is not None


def _to_event(*, by_user: str | None, by_team: str | None, **columns: Any) -> IncidentEvent:
    by = None if by_user is None or by_team is None else Person(by_user, by_team)
    return IncidentEvent(by=by, **columns)


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
