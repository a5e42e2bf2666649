"""Alerts, silences and drills.

Typed calls of `sql/queries/alerts.sql`, `sql/queries/drills.sql`, `sql/queries/silences.sql`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from services.clients.postgres.pool import Connection
from services.clients.postgres.queries import SQL, fetch_all, fetch_one, fetch_row
from services.domain.alerts import (
    Alert,
    AlertDecision,
    AlertState,
    Drill,
    DrillTraces,
    PlannedSilence,
    Severity,
    Silence,
)
from services.domain.people import Person
from services.domain.services import Service
from services.domain.windows import Recurrence, decode_recurrence, encode_recurrence


async def list_alerts(conn: Connection, *, now: datetime, again_within: timedelta) -> list[Alert]:
    """List the newest alert per fingerprint, of those that are open or were resolved within `again_within`."""
    return await fetch_all(conn, _to_alert, "list_alerts", now=now, again_within=again_within)


async def list_alerts_of_message(conn: Connection, message_key: str) -> list[Alert]:
    """List the alerts that share this message, in the order in which they were found."""
    return await fetch_all(conn, _to_alert, "list_alerts_of_message", message_key=message_key)


async def read_alert(conn: Connection, id: int) -> Alert | None:  # noqa: A002 - as the column is called
    return await fetch_one(conn, _to_alert, "read_alert", id=id)


async def open_alert(conn: Connection, alert: Alert) -> int:
    """Store a new alert and return its id. `store_alert` adds its message's key later."""
    row = await (await conn.execute(SQL["open_alert"], _parameters(alert))).fetchone()
    assert row is not None  # noqa: S101 - INSERT … RETURNING gives a row or raises
    return int(row[0])


async def store_alert(conn: Connection, alert: Alert) -> None:
    """Update the row with the id `alert.id`."""
    await conn.execute(SQL["store_alert"], _parameters(alert))


async def forget_alert(conn: Connection, id: int) -> None:  # noqa: A002
    """Delete an alert that cleared before it was announced."""
    await conn.execute(SQL["forget_alert"], {"id": id})


async def note_alert_decision(
    conn: Connection, *, at: datetime, fingerprint: str, alert_id: int | None, decision: str, reason: str
) -> int:
    """Record the decision on an alert and return the decision's number."""
    parameters = {"at": at, "fingerprint": fingerprint, "alert_id": alert_id, "decision": decision, "reason": reason}
    row = await (await conn.execute(SQL["note_alert_decision"], parameters)).fetchone()
    assert row is not None  # noqa: S101 - INSERT … RETURNING gives a row or raises
    return int(row[0])


async def list_alert_decisions(conn: Connection, fingerprint: str, *, limit: int) -> list[AlertDecision]:
    """List the decisions on this fingerprint, newest first."""
    return await fetch_all(conn, AlertDecision, "list_alert_decisions", fingerprint=fingerprint, limit=limit)


async def note_evaluation(conn: Connection, *, now: datetime, gap: timedelta, aftermath: timedelta) -> datetime | None:
    """Record an evaluation; return until when the last pause of the evaluation may have effects.

    Effects last for `aftermath` after a pause of more than `gap`. None if there was no such pause yet.
    """
    parameters = {"now": now, "gap": gap, "aftermath": aftermath}
    row = await (await conn.execute(SQL["note_evaluation"], parameters)).fetchone()
    return row[0] if row else None


async def list_working_runs(conn: Connection) -> list[tuple[int, frozenset[Service]]]:
    """List the runs in progress as (run id, the services of its plan), oldest first."""
    rows = await (await conn.execute(SQL["list_working_runs"])).fetchall()
    return [(run_id, frozenset(map(Service, services))) for run_id, services in rows]


async def prune_alert_decisions(conn: Connection, *, older_than: timedelta) -> int:
    """Delete old decisions and return how many."""
    return (await conn.execute(SQL["prune_alert_decisions"], {"older_than": older_than})).rowcount


async def prune_alerts(conn: Connection, *, older_than: timedelta) -> int:
    """Delete alerts that were resolved long ago and belong to no incident; return how many."""
    return (await conn.execute(SQL["prune_alerts"], {"older_than": older_than})).rowcount


def _parameters(alert: Alert) -> Mapping[str, Any]:
    service = alert.service.value if alert.service else None
    return asdict(alert) | {"state": alert.state.value, "severity": alert.severity.value, "service": service}


def _to_alert(*, state: str, severity: str, service: str | None, **columns: Any) -> Alert:
    named = Service(service) if service else None
    return Alert(state=AlertState(state), severity=Severity(severity), service=named, **columns)


async def begin_drill(conn: Connection, *, person: Person, lead: timedelta, stale_after: timedelta) -> Drill | None:
    """Start a drill: a simulated worker whose heartbeat goes stale after `lead`. None during another drill."""
    parameters = {"user_id": person.user_id, "team_id": person.team_id, "lead": lead, "stale_after": stale_after}
    return await fetch_one(conn, _to_drill, "begin_drill", **parameters)


async def read_open_drill(conn: Connection) -> Drill | None:
    """Return the drill that is in progress, or None."""
    return await fetch_one(conn, _to_drill, "read_open_drill")


async def read_last_drill(conn: Connection) -> Drill | None:
    """Return the newest drill, in progress or not."""
    return await fetch_one(conn, _to_drill, "read_last_drill")


async def list_watched_drills(conn: Connection) -> list[Drill]:
    """List the drill in progress and those that ended in the last 10 minutes, whose alerts may still have to end."""
    return await fetch_all(conn, _to_drill, "list_watched_drills")


async def read_drill_traces(conn: Connection, *, fingerprint: str) -> DrillTraces | None:
    """Return what the drill has caused so far; None before its alert was found, and once the alert is resolved."""
    return await fetch_one(conn, DrillTraces, "read_drill_traces", fingerprint=fingerprint)


async def end_drill(conn: Connection, *, id: int, report: Mapping[str, Any]) -> bool:  # noqa: A002 - the column's name
    """Store the end of a drill with its report. False if it had ended already."""
    cur = await conn.execute(SQL["end_drill"], {"id": id, "report": Jsonb(dict(report))})
    return await cur.fetchone() is not None


async def prune_drills(conn: Connection, *, older_than: timedelta) -> int:
    """Delete old drills and return how many."""
    cur = await conn.execute(SQL["prune_drills"], {"older_than": older_than})
    return cur.rowcount


def _to_drill(*, asked_by_user: str, asked_by_team: str, **columns: Any) -> Drill:
    return Drill(asked_by=Person(asked_by_user, asked_by_team), **columns)


async def list_silences(conn: Connection) -> list[Silence]:
    """List the silences that have not ended, the next to end first."""
    return await fetch_all(conn, Silence, "list_silences")


async def create_silence(
    conn: Connection, *, what: str, owner: str, reason: str, lasts: timedelta, in_advance: bool
) -> Silence:
    """Create a silence and return it. `in_advance`: no alert that it covers is open yet."""
    parameters = {"what": what, "owner": owner, "reason": reason, "lasts": lasts, "in_advance": in_advance}
    return await fetch_row(conn, Silence, "create_silence", **parameters)


async def remind_of_silence(conn: Connection, *, id: int, at: datetime) -> None:  # noqa: A002 - as the column is called
    """Record that the owner was notified of the silence's approaching end."""
    await conn.execute(SQL["remind_of_silence"], {"id": id, "at": at})


async def end_silence(conn: Connection, *, id: int, at: datetime, outcome: str) -> Silence | None:  # noqa: A002
    """End the silence and return it; None if it had ended before, or does not exist."""
    return await fetch_one(conn, Silence, "end_silence", id=id, at=at, outcome=outcome)


async def prune_silences(conn: Connection, *, older_than: timedelta) -> int:
    """Delete old silences and return how many."""
    return (await conn.execute(SQL["prune_silences"], {"older_than": older_than})).rowcount


async def create_planned_silence(
    conn: Connection,
    *,
    what: str,
    owner: str,
    reason: str,
    begins_at: datetime,
    ends_at: datetime,
    recurrence: Recurrence | None,
) -> PlannedSilence:
    """Create a planned silence and return it. `begins_at`, `ends_at`: its next window."""
    parameters = {
        "what": what,
        "owner": owner,
        "reason": reason,
        "begins_at": begins_at,
        "ends_at": ends_at,
        "recurrence": Jsonb(encode_recurrence(recurrence)) if recurrence else None,
    }
    return await fetch_row(conn, _to_planned, "create_planned_silence", **parameters)


async def list_planned_silences(conn: Connection) -> list[PlannedSilence]:
    """List the planned silences with a window to come, the next window first."""
    return await fetch_all(conn, _to_planned, "list_planned_silences")


async def move_planned_silence(
    conn: Connection,
    *,
    id: int,  # noqa: A002 - as the column is called
    begins_at: datetime,
    ends_at: datetime,
) -> None:
    """Set the planned silence's next window."""
    await conn.execute(SQL["move_planned_silence"], {"id": id, "begins_at": begins_at, "ends_at": ends_at})


async def remind_of_planned_silence(conn: Connection, *, id: int) -> None:  # noqa: A002
    """Record that the owner was reminded of the next window."""
    await conn.execute(SQL["remind_of_planned_silence"], {"id": id})


async def keep_planned_silence(conn: Connection, *, id: int) -> None:  # noqa: A002
    """Record that the window has begun, but its recurrence can't be read: see `PlannedSilence.is_kept`."""
    await conn.execute(SQL["keep_planned_silence"], {"id": id})


async def end_planned_silence(conn: Connection, *, id: int) -> PlannedSilence | None:  # noqa: A002
    """End the planned silence and return it as it was; None if it had ended before, or does not exist."""
    return await fetch_one(conn, _to_planned, "end_planned_silence", id=id)


async def prune_planned_silences(conn: Connection, *, older_than: timedelta) -> int:
    """Delete old planned silences and return how many."""
    return (await conn.execute(SQL["prune_planned_silences"], {"older_than": older_than})).rowcount


def _to_planned(*, recurrence: Mapping[str, Any] | None, **columns: Any) -> PlannedSilence:
    """Build a planned silence; if this version can't read its recurrence, it begins at the stored time."""
    decoded = decode_recurrence(recurrence) if recurrence is not None else None
    return PlannedSilence(recurrence=decoded, is_unreadable=recurrence is not None and decoded is None, **columns)
