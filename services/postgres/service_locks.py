"""Locks that keep a service from being deployed. The typed calls of `sql/queries/service_locks.sql`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from psycopg.rows import kwargs_row

from services.domain.locks import Lock
from services.domain.services import Service
from services.postgres.pool import Connection
from services.postgres.queries import SQL


async def lock_service(
    conn: Connection, *, service: Service, owner: str, reason: str, run_id: int | None = None
) -> None:
    """Lock it; a lock that is there already gets the new owner, reason and time."""
    parameters = {"service": service.value, "owner": owner, "reason": reason, "run_id": run_id}
    await conn.execute(SQL["lock_service"], parameters)


async def unlock_service(conn: Connection, *, service: Service) -> bool:
    """Whether there was a lock."""
    row = await (await conn.execute(SQL["unlock_service"], {"service": service.value})).fetchone()
    return row is not None


async def list_locks(conn: Connection) -> list[Lock]:
    async with conn.cursor(row_factory=kwargs_row(_to_lock)) as cur:
        await cur.execute(SQL["list_locks"])
        return await cur.fetchall()


async def take_due_locks(conn: Connection, *, again_after: timedelta) -> list[tuple[Lock, int]]:
    """With how many reminders this makes; each is due again after `again_after`."""
    async with conn.cursor(row_factory=kwargs_row(_to_due)) as cur:
        await cur.execute(SQL["take_due_locks"], {"again_after": again_after})
        return await cur.fetchall()


def _to_due(*, reminders: int, **columns: Any) -> tuple[Lock, int]:
    return _to_lock(**columns), reminders


def _to_lock(*, service: str, **columns: Any) -> Lock:
    return Lock(service=Service(service), **columns)
