"""Freezes and locks. Typed calls of `sql/queries/freezes.sql`, `sql/queries/service_locks.sql`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from services.clients.postgres.pool import Connection
from services.clients.postgres.queries import SQL, fetch_all, fetch_row
from services.domain.freezes import Freeze, Lock
from services.domain.services import Service


async def share_freezes(conn: Connection) -> None:
    """Let no freeze be stored until this transaction ends. Read the current freezes only after this call."""
    await conn.execute(SQL["share_freezes"])


async def list_freezes(conn: Connection) -> list[Freeze]:
    """List the freezes that have not ended, also those that begin later."""
    return await fetch_all(conn, _to_freeze, "list_freezes")


async def create_freeze(
    conn: Connection,
    *,
    kind: str,
    service: Service | None,
    owner: str,
    reason: str,
    starts_at: datetime | None,
    ends_at: datetime | None,
    recurrence: Mapping[str, Any] | None,
    announced_for: datetime | None,
) -> Freeze:
    """Create a freeze and return it. `starts_at`: None for now. Waits for runs that are being started."""
    return await fetch_row(
        conn,
        _to_freeze,
        "create_freeze",
        kind=kind,
        service=service.value if service else None,
        owner=owner,
        reason=reason,
        starts_at=starts_at,
        ends_at=ends_at,
        recurrence=Jsonb(dict(recurrence)) if recurrence is not None else None,
        announced_for=announced_for,
    )


async def note_freeze(
    conn: Connection,
    *,
    id: int,  # noqa: A002 - as the column is called
    announced_for: datetime | None,
    reminded_for: datetime | None,
) -> None:
    """Record the windows that were announced last and that the owner was last reminded of."""
    parameters = {"id": id, "announced_for": announced_for, "reminded_for": reminded_for}
    await conn.execute(SQL["note_freeze"], parameters)


async def end_freeze(conn: Connection, *, id: int, outcome: str) -> bool:  # noqa: A002 - as the column is called
    """End the freeze. False if it had ended before, or does not exist."""
    return await (await conn.execute(SQL["end_freeze"], {"id": id, "outcome": outcome})).fetchone() is not None


async def prune_freezes(conn: Connection, *, older_than: timedelta) -> int:
    """Delete old freezes and return how many."""
    return (await conn.execute(SQL["prune_freezes"], {"older_than": older_than})).rowcount


def _to_freeze(*, service: str | None, **columns: Any) -> Freeze:
    return Freeze(service=Service(service) if service else None, **columns)


async def lock_service(
    conn: Connection, *, service: Service, owner: str, reason: str, run_id: int | None = None
) -> None:
    """Lock the service; an existing lock gets the new owner, reason and time."""
    parameters = {"service": service.value, "owner": owner, "reason": reason, "run_id": run_id}
    await conn.execute(SQL["lock_service"], parameters)


async def unlock_service(conn: Connection, *, service: Service) -> bool:
    """Remove the lock. True if there was one."""
    row = await (await conn.execute(SQL["unlock_service"], {"service": service.value})).fetchone()
    return row is not None


async def list_locks(conn: Connection) -> list[Lock]:
    return await fetch_all(conn, _to_lock, "list_locks")


async def take_due_locks(conn: Connection, *, again_after: timedelta) -> list[tuple[Lock, int]]:
    """List the locks that need a reminder now, with the number of reminders, this one included.

    Each is due again after `again_after`.
    """
    return await fetch_all(conn, _to_due, "take_due_locks", again_after=again_after)


def _to_due(*, reminders: int, **columns: Any) -> tuple[Lock, int]:
    return _to_lock(**columns), reminders


def _to_lock(*, service: str, **columns: Any) -> Lock:
    return Lock(service=Service(service), **columns)
