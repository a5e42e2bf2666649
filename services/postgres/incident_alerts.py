"""Which alerts belong to which incident. The typed calls of `sql/queries/incident_alerts.sql`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from services.domain.incidents import JoinedAlert
from services.postgres.pool import Connection
from services.postgres.queries import SQL


async def join_alert(
    conn: Connection,
    *,
    alert_id: int,
    incident_id: int,
    line: str,
    message_key: str = "",
    deployed_at: datetime | None = None,
) -> bool:
    """It belongs to this incident now, and fires. False: there is no such alert."""
    parameters = {
        "alert_id": alert_id,
        "incident_id": incident_id,
        "line": line,
        "message_key": message_key,
        "deployed_at": deployed_at,
    }
    return await (await conn.execute(SQL["join_alert"], parameters)).fetchone() is not None


async def read_joined_alert(conn: Connection, alert_id: int) -> JoinedAlert | None:
    """None: it belongs to no incident."""
    async with conn.cursor(row_factory=class_row(JoinedAlert)) as cur:
        await cur.execute(SQL["read_joined_alert"], {"alert_id": alert_id})
        return await cur.fetchone()


async def list_joined_alerts(conn: Connection, incident_id: int) -> list[JoinedAlert]:
    """In the order in which they joined."""
    return await _list(conn, SQL["list_joined_alerts"], {"incident_id": incident_id})


async def list_alerts_of_open_incidents(conn: Connection) -> list[JoinedAlert]:
    """Of all incidents that nobody resolved yet, also those that are over."""
    return await _list(conn, SQL["list_alerts_of_open_incidents"], {})


async def change_alert_line(conn: Connection, *, alert_id: int, line: str) -> int | None:
    """The incident in which it says something else now; None when it is in none, or said so already."""
    return await _incident(conn, SQL["change_alert_line"], {"alert_id": alert_id, "line": line})


async def clear_alert(conn: Connection, *, alert_id: int, at: datetime, line: str) -> int | None:
    """The incident in which it was firing; None when it was in none, or was over already."""
    return await _incident(conn, SQL["clear_alert"], {"alert_id": alert_id, "at": at, "line": line})


async def _list(conn: Connection, sql: str, parameters: dict[str, Any]) -> list[JoinedAlert]:
    async with conn.cursor(row_factory=class_row(JoinedAlert)) as cur:
        await cur.execute(sql, parameters)
        return await cur.fetchall()


async def _incident(conn: Connection, sql: str, parameters: dict[str, Any]) -> int | None:
    row = await (await conn.execute(sql, parameters)).fetchone()
    return None if row is None else int(row[0])
