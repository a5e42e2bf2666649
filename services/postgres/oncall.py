"""Who stands in for whom. The typed calls of `sql/queries/oncall.sql`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from psycopg.rows import kwargs_row

from services.domain.oncall import Override
from services.domain.runs import Person
from services.postgres.pool import Connection
from services.postgres.queries import SQL


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
    async with conn.cursor(row_factory=kwargs_row(_to_override)) as cur:
        await cur.execute(SQL["list_overrides"])
        return await cur.fetchall()


async def end_overrides(conn: Connection, *, rotation: str) -> int:
    """How many were ended, or taken back before they began."""
    return (await conn.execute(SQL["end_overrides"], {"rotation": rotation})).rowcount


async def confirm_override(conn: Connection, *, override_id: int, user_id: str) -> Override | None:
    """The override, confirmed now or before; None when it is over, or somebody else's."""
    async with conn.cursor(row_factory=kwargs_row(_to_override)) as cur:
        await cur.execute(SQL["confirm_override"], {"override_id": override_id, "user_id": user_id})
        return await cur.fetchone()


def _to_override(*, by_user: str, by_team: str, **columns: Any) -> Override:
    return Override(by=Person(by_user, by_team), **columns)
