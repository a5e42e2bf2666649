"""Alerts as parts of their incidents. Typed calls of `sql/queries/incident_alerts.sql`.

The caller owns the transaction.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from services.clients.postgres.pool import Connection
from services.clients.postgres.queries import SQL, fetch_all, fetch_one
from services.domain.incidents import JoinedAlert


async def join_alert(
    conn: Connection,
    *,
    alert_id: int,
    incident_id: int,
    line: str,
    message_key: str = "",
) -> bool:
    """Make an alert part of this incident, as firing, and of no other any more. False if there is no such alert."""
    parameters = {
        "alert_id": alert_id,
        "incident_id": incident_id,
        "line": line,
        "message_key": message_key,
    }
    return await (await conn.execute(SQL["join_alert"], parameters)).fetchone() is not None


async def read_joined_alert(conn: Connection, alert_id: int) -> JoinedAlert | None:
    """Return the alert as part of its incident; None if it is part of none."""
    return await fetch_one(conn, JoinedAlert, "read_joined_alert", alert_id=alert_id)


async def list_joined_alerts(conn: Connection, incident_id: int) -> list[JoinedAlert]:
    """List the alerts of an incident, in the order in which they joined."""
    return await fetch_all(conn, JoinedAlert, "list_joined_alerts", incident_id=incident_id)


async def list_alerts_of_open_incidents(conn: Connection) -> list[JoinedAlert]:
    """List the alerts of all unresolved incidents, cleared alerts too."""
    return await fetch_all(conn, JoinedAlert, "list_alerts_of_open_incidents")


async def change_alert_line(conn: Connection, *, alert_id: int, line: str) -> int | None:
    """Store the alert's new line; return its incident's id. None if it is part of none, or had this line already."""
    return await _incident(conn, SQL["change_alert_line"], {"alert_id": alert_id, "line": line})


async def clear_alert(conn: Connection, *, alert_id: int, at: datetime, line: str) -> int | None:
    """Mark the alert as over; return its incident's id. None if it is part of none, or was over already."""
    return await _incident(conn, SQL["clear_alert"], {"alert_id": alert_id, "at": at, "line": line})


async def _incident(conn: Connection, sql: str, parameters: dict[str, Any]) -> int | None:
    row = await (await conn.execute(sql, parameters)).fetchone()
    return None if row is None else int(row[0])
