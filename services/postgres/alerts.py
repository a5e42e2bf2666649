"""Episodes of trouble and whether people were told. The typed calls of `sql/queries/alerts.sql`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from psycopg.rows import kwargs_row

from services.domain.alerts import AlertState, OpenAlert
from services.postgres.pool import Connection
from services.postgres.queries import SQL


async def list_open_alerts(conn: Connection) -> list[OpenAlert]:
    """What is pending or firing, oldest first."""
    async with conn.cursor(row_factory=kwargs_row(_to_alert)) as cur:
        await cur.execute(SQL["list_open_alerts"])
        return await cur.fetchall()


async def open_alert(conn: Connection, *, fingerprint: str, since: datetime, summary: str) -> int:
    """The new alert's id."""
    parameters = {"fingerprint": fingerprint, "since": since, "summary": summary}
    cur = await conn.execute(SQL["open_alert"], parameters)
    row = await cur.fetchone()
    assert row is not None  # noqa: S101 - INSERT … RETURNING gives a row or raises
    return int(row[0])


async def fire_alert(conn: Connection, *, id: int, at: datetime, summary: str, message_key: str) -> None:  # noqa: A002
    """People are told by the message of this key."""
    parameters = {"id": id, "at": at, "summary": summary, "message_key": message_key}
    await conn.execute(SQL["fire_alert"], parameters)


async def resolve_alert(conn: Connection, *, id: int, at: datetime, summary: str) -> None:  # noqa: A002
    """It is over."""
    await conn.execute(SQL["resolve_alert"], {"id": id, "at": at, "summary": summary})


async def drop_alert(conn: Connection, *, id: int) -> None:  # noqa: A002
    """It passed before anybody was told."""
    await conn.execute(SQL["drop_alert"], {"id": id})


def _to_alert(*, state: str, **columns: Any) -> OpenAlert:
    return OpenAlert(state=AlertState(state), **columns)
