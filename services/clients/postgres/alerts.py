"""Alerts, silences and drills.

The typed calls of `sql/queries/alerts.sql`, `sql/queries/drills.sql`, `sql/queries/silences.sql`.
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
    """Those that are open, and those resolved less than `again_within` ago: of each fingerprint the newest."""
    return await fetch_all(conn, _to_alert, "list_alerts", now=now, again_within=again_within)


async def list_alerts_of_message(conn: Connection, message_key: str) -> list[Alert]:
    """In the order in which they were seen."""
    return await fetch_all(conn, _to_alert, "list_alerts_of_message", message_key=message_key)


async def read_alert(conn: Connection, id: int) -> Alert | None:  # noqa: A002 - as the column is called
    return await fetch_one(conn, _to_alert, "read_alert", id=id)


async def open_alert(conn: Connection, alert: Alert) -> int:
    """The new row's id. Its message is stored first and named by `store_alert`."""
    row = await (await conn.execute(SQL["open_alert"], _parameters(alert))).fetchone()
    assert row is not None  # noqa: S101 - INSERT … RETURNING gives a row or raises
    return int(row[0])


async def store_alert(conn: Connection, alert: Alert) -> None:
    """Its row becomes this; `alert.id` shows which."""
    await conn.execute(SQL["store_alert"], _parameters(alert))


async def forget_alert(conn: Connection, id: int) -> None:  # noqa: A002
    """It cleared before people were notified."""
    await conn.execute(SQL["forget_alert"], {"id": id})


async def note_alert_decision(
    conn: Connection, *, at: datetime, fingerprint: str, alert_id: int | None, decision: str, reason: str
) -> int:
    """The number of the decision."""
    parameters = {"at": at, "fingerprint": fingerprint, "alert_id": alert_id, "decision": decision, "reason": reason}
    row = await (await conn.execute(SQL["note_alert_decision"], parameters)).fetchone()
    assert row is not None  # noqa: S101 - INSERT … RETURNING gives a row or raises
    return int(row[0])


async def list_alert_decisions(conn: Connection, fingerprint: str, *, limit: int) -> list[AlertDecision]:
    """Newest first."""
    return await fetch_all(conn, AlertDecision, "list_alert_decisions", fingerprint=fingerprint, limit=limit)


async def note_evaluation(conn: Connection, *, now: datetime, gap: timedelta, aftermath: timedelta) -> datetime | None:
    """Until when a pause of the evaluation may have effects; None when every evaluation came within `gap`."""
    parameters = {"now": now, "gap": gap, "aftermath": aftermath}
    row = await (await conn.execute(SQL["note_evaluation"], parameters)).fetchone()
    return row[0] if row else None


async def list_working_runs(conn: Connection) -> list[tuple[int, frozenset[Service]]]:
    """(run id, the services that it has taken), oldest first."""
    rows = await (await conn.execute(SQL["list_working_runs"])).fetchall()
    return [(run_id, frozenset(map(Service, services))) for run_id, services in rows]


async def prune_alert_decisions(conn: Connection, *, older_than: timedelta) -> int:
    """How many were deleted."""
    return (await conn.execute(SQL["prune_alert_decisions"], {"older_than": older_than})).rowcount


async def prune_alerts(conn: Connection, *, older_than: timedelta) -> int:
    """How many were deleted."""
    return (await conn.execute(SQL["prune_alerts"], {"older_than": older_than})).rowcount


def _parameters(alert: Alert) -> Mapping[str, Any]:
    service = alert.service.value if alert.service else None
    return asdict(alert) | {"state": alert.state.value, "severity": alert.severity.value, "service": service}


def _to_alert(*, state: str, severity: str, service: str | None, **columns: Any) -> Alert:
    named = Service(service) if service else None
    return Alert(state=AlertState(state), severity=Severity(severity), service=named, **columns)


async def begin_drill(conn: Connection, *, person: Person, lead: timedelta, stale_after: timedelta) -> Drill | None:
    """A made-up worker whose beat goes stale after `lead`; None while another drill is under way."""
    parameters = {"user_id": person.user_id, "team_id": person.team_id, "lead": lead, "stale_after": stale_after}
    return await fetch_one(conn, _to_drill, "begin_drill", **parameters)


async def read_open_drill(conn: Connection) -> Drill | None:
    """The one that is under way."""
    return await fetch_one(conn, _to_drill, "read_open_drill")


async def read_last_drill(conn: Connection) -> Drill | None:
    """The newest of all."""
    return await fetch_one(conn, _to_drill, "read_last_drill")


async def list_watched_drills(conn: Connection) -> list[Drill]:
    """The one under way, and those that ended in the last ten minutes."""
    return await fetch_all(conn, _to_drill, "list_watched_drills")


async def read_drill_traces(conn: Connection, *, fingerprint: str) -> DrillTraces | None:
    """What it has left behind so far; None before it was seen, and once its alert is over."""
    return await fetch_one(conn, DrillTraces, "read_drill_traces", fingerprint=fingerprint)


async def end_drill(conn: Connection, *, id: int, report: Mapping[str, Any]) -> bool:  # noqa: A002 - the column's name
    """It is over, with what came of it. False when it was over already."""
    cur = await conn.execute(SQL["end_drill"], {"id": id, "report": Jsonb(dict(report))})
    return await cur.fetchone() is not None


async def prune_drills(conn: Connection, *, older_than: timedelta) -> int:
    """How many were deleted."""
    cur = await conn.execute(SQL["prune_drills"], {"older_than": older_than})
    return cur.rowcount


def _to_drill(*, asked_by_user: str, asked_by_team: str, **columns: Any) -> Drill:
    return Drill(asked_by=Person(asked_by_user, asked_by_team), **columns)


async def list_silences(conn: Connection) -> list[Silence]:
    """Those that have not ended, the next to end first."""
    return await fetch_all(conn, Silence, "list_silences")


async def create_silence(
    conn: Connection, *, what: str, owner: str, reason: str, lasts: timedelta, in_advance: bool
) -> Silence:
    """The new silence. `in_advance`: nothing of the kind is open."""
    parameters = {"what": what, "owner": owner, "reason": reason, "lasts": lasts, "in_advance": in_advance}
    return await fetch_row(conn, Silence, "create_silence", **parameters)


async def remind_of_silence(conn: Connection, *, id: int, at: datetime) -> None:  # noqa: A002 - as the column is called
    """Its owner was notified that it ends soon."""
    await conn.execute(SQL["remind_of_silence"], {"id": id, "at": at})


async def end_silence(conn: Connection, *, id: int, at: datetime, outcome: str) -> Silence | None:  # noqa: A002
    """The silence as it ended; None when it had ended before, or never was."""
    return await fetch_one(conn, Silence, "end_silence", id=id, at=at, outcome=outcome)


async def prune_silences(conn: Connection, *, older_than: timedelta) -> int:
    """How many were deleted."""
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
    """`begins_at`, `ends_at`: of its next window."""
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
    """Those whose windows come, the next one first."""
    return await fetch_all(conn, _to_planned, "list_planned_silences")


async def move_planned_silence(
    conn: Connection,
    *,
    id: int,  # noqa: A002 - as the column is called
    begins_at: datetime,
    ends_at: datetime,
) -> None:
    """To its next window."""
    await conn.execute(SQL["move_planned_silence"], {"id": id, "begins_at": begins_at, "ends_at": ends_at})


async def remind_of_planned_silence(conn: Connection, *, id: int) -> None:  # noqa: A002
    """Its owner was reminded of its next window."""
    await conn.execute(SQL["remind_of_planned_silence"], {"id": id})


async def keep_planned_silence(conn: Connection, *, id: int) -> None:  # noqa: A002
    """It has begun, and when it comes again can't be read: see `PlannedSilence.is_kept`."""
    await conn.execute(SQL["keep_planned_silence"], {"id": id})


async def end_planned_silence(conn: Connection, *, id: int) -> PlannedSilence | None:  # noqa: A002
    """It as it was; None when it is over, or never was."""
    return await fetch_one(conn, _to_planned, "end_planned_silence", id=id)


async def prune_planned_silences(conn: Connection, *, older_than: timedelta) -> int:
    """How many were deleted."""
    return (await conn.execute(SQL["prune_planned_silences"], {"older_than": older_than})).rowcount


def _to_planned(*, recurrence: Mapping[str, Any] | None, **columns: Any) -> PlannedSilence:
    """One whose recurrence this version can't read begins at the time that is stored."""
    decoded = decode_recurrence(recurrence) if recurrence is not None else None
    return PlannedSilence(recurrence=decoded, is_unreadable=recurrence is not None and decoded is None, **columns)
