"""Rehearsals. The typed calls of `sql/queries/drills.sql`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from psycopg.rows import class_row, kwargs_row
from psycopg.types.json import Jsonb

from services.domain.drills import Drill, DrillTraces
from services.domain.runs import Person
from services.postgres.pool import Connection
from services.postgres.queries import SQL


async def begin_drill(conn: Connection, *, person: Person, lead: timedelta, stale_after: timedelta) -> Drill | None:
    """A made-up worker whose beat goes stale after `lead`; None while another drill is under way."""
    parameters = {"user_id": person.user_id, "team_id": person.team_id, "lead": lead, "stale_after": stale_after}
    async with conn.cursor(row_factory=kwargs_row(_to_drill)) as cur:
        await cur.execute(SQL["begin_drill"], parameters)
        return await cur.fetchone()


async def read_open_drill(conn: Connection) -> Drill | None:
    """The one that is under way."""
    async with conn.cursor(row_factory=kwargs_row(_to_drill)) as cur:
        await cur.execute(SQL["read_open_drill"])
        return await cur.fetchone()


async def read_last_drill(conn: Connection) -> Drill | None:
    """The newest of all."""
    async with conn.cursor(row_factory=kwargs_row(_to_drill)) as cur:
        await cur.execute(SQL["read_last_drill"])
        return await cur.fetchone()


async def list_watched_drills(conn: Connection) -> list[Drill]:
    """The one under way, and those that ended in the last ten minutes."""
    async with conn.cursor(row_factory=kwargs_row(_to_drill)) as cur:
        await cur.execute(SQL["list_watched_drills"])
        return await cur.fetchall()


async def read_drill_traces(conn: Connection, *, fingerprint: str) -> DrillTraces | None:
    """What it has left behind so far; None before it was seen, and once its alert is over."""
    async with conn.cursor(row_factory=class_row(DrillTraces)) as cur:
        await cur.execute(SQL["read_drill_traces"], {"fingerprint": fingerprint})
        return await cur.fetchone()


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
