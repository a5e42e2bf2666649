"""Overrides of the on-call schedule, and the lock under which the schedule changes.

Typed calls of `sql/queries/oncall.sql`. The caller owns the transaction.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from services.clients.postgres.pool import Connection
from services.clients.postgres.queries import SQL, fetch_all, fetch_one
from services.domain.oncall import Override
from services.domain.people import Person


async def add_override(
    conn: Connection, *, rotation: str, user_id: str, begins_at: datetime, ends_at: datetime, by: Person
) -> int:
    """Store an override; return its id."""
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
    """List the overrides that hold now or later; of two for the same time the later in the list counts."""
    return await fetch_all(conn, _to_override, "list_overrides")


async def list_overrides_since(conn: Connection, *, since: datetime) -> list[Override]:
    """List the overrides that end after `since`: questions about past shifts need them."""
    return await fetch_all(conn, _to_override, "list_overrides_since", since=since)


async def lock_oncall(conn: Connection) -> None:
    """Let other changes of the schedule wait until this transaction ends."""
    await conn.execute(SQL["lock_oncall"])


async def end_overrides(conn: Connection, *, rotation: str, now: datetime) -> list[int]:
    """End the overrides of a rotation that hold now; return their ids. Later ones stay."""
    rows = await (await conn.execute(SQL["end_overrides"], {"rotation": rotation, "now": now})).fetchall()
    return [int(number) for (number,) in rows]


async def end_override(conn: Connection, *, override_id: int, now: datetime) -> Override | None:
    """End one override, before it begins too; return it as it ended. None if it does not hold now or later."""
    return await fetch_one(conn, _to_override, "end_override", override_id=override_id, now=now)


async def confirm_override(conn: Connection, *, override_id: int, user_id: str) -> Override | None:
    """Confirm the person's override, once or again; return it. None if it has ended or is another person's."""
    return await fetch_one(conn, _to_override, "confirm_override", override_id=override_id, user_id=user_id)


def _to_override(*, by_user: str, by_team: str, **columns: Any) -> Override:
    return Override(by=Person(by_user, by_team), **columns)
