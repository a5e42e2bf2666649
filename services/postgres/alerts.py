"""Alerts, why people were told or not, and when somebody looked. The typed calls of `sql/queries/alerts.sql`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from psycopg.rows import class_row, kwargs_row

from services.domain.alerts import Alert, AlertDecision, AlertState, Severity
from services.domain.services import Service
from services.postgres.pool import Connection
from services.postgres.queries import SQL


async def list_alerts(conn: Connection, *, now: datetime, again_within: timedelta) -> list[Alert]:
    """Those that are open, and those resolved less than `again_within` ago: of each fingerprint the newest."""
    async with conn.cursor(row_factory=kwargs_row(_to_alert)) as cur:
        await cur.execute(SQL["list_alerts"], {"now": now, "again_within": again_within})
        return await cur.fetchall()


async def list_alerts_of_message(conn: Connection, message_key: str) -> list[Alert]:
    """In the order in which they were seen."""
    async with conn.cursor(row_factory=kwargs_row(_to_alert)) as cur:
        await cur.execute(SQL["list_alerts_of_message"], {"message_key": message_key})
        return await cur.fetchall()


async def read_alert(conn: Connection, id: int) -> Alert | None:  # noqa: A002 - as the column is called
    async with conn.cursor(row_factory=kwargs_row(_to_alert)) as cur:
        await cur.execute(SQL["read_alert"], {"id": id})
        return await cur.fetchone()


async def open_alert(conn: Connection, alert: Alert) -> int:
    """The new row's id. Its message is stored first and named by `store_alert`."""
    row = await (await conn.execute(SQL["open_alert"], _parameters(alert))).fetchone()
    assert row is not None  # noqa: S101 - INSERT … RETURNING gives a row or raises
    return int(row[0])


async def store_alert(conn: Connection, alert: Alert) -> None:
    """Its row becomes this; `alert.id` says which."""
    await conn.execute(SQL["store_alert"], _parameters(alert))


async def forget_alert(conn: Connection, id: int) -> None:  # noqa: A002
    """It passed before anybody was told."""
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
    async with conn.cursor(row_factory=class_row(AlertDecision)) as cur:
        await cur.execute(SQL["list_alert_decisions"], {"fingerprint": fingerprint, "limit": limit})
        return await cur.fetchall()


async def note_look(conn: Connection, *, now: datetime, gap: timedelta, aftermath: timedelta) -> datetime | None:
    """Until when the effects of nobody looking may last; None when somebody always looked within `gap`."""
    parameters = {"now": now, "gap": gap, "aftermath": aftermath}
    row = await (await conn.execute(SQL["note_look"], parameters)).fetchone()
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
