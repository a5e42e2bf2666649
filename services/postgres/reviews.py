"""Reviews of what nobody approved. The typed calls of `sql/queries/reviews.sql`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from psycopg.rows import kwargs_row

from services.domain.reviews import Review
from services.domain.runs import Person
from services.postgres.pool import Connection
from services.postgres.queries import SQL


async def ask_for_review(conn: Connection, *, run_id: int, acted_by: Person, remind_after: timedelta) -> None:
    """In the transaction that lets the run start."""
    parameters = {"run_id": run_id, "user_id": acted_by.user_id, "team_id": acted_by.team_id}
    await conn.execute(SQL["ask_for_review"], parameters | {"remind_after": remind_after})


async def read_review(conn: Connection, run_id: int) -> Review | None:
    """None for a run that was approved."""
    async with conn.cursor(row_factory=kwargs_row(_to_review)) as cur:
        await cur.execute(SQL["read_review"], {"run_id": run_id})
        return await cur.fetchone()


async def list_open_reviews(conn: Connection) -> list[Review]:
    """Oldest first."""
    async with conn.cursor(row_factory=kwargs_row(_to_review)) as cur:
        await cur.execute(SQL["list_open_reviews"])
        return await cur.fetchall()


async def close_review(conn: Connection, *, run_id: int, person: Person, note: str) -> bool:
    """Whether it was open, and is closed now by this person."""
    parameters = {"run_id": run_id, "user_id": person.user_id, "team_id": person.team_id, "note": note}
    return await (await conn.execute(SQL["close_review"], parameters)).fetchone() is not None


async def take_due_reviews(conn: Connection, *, again_after: timedelta) -> list[tuple[int, int]]:
    """(run, how many reminders with this one) of those to remind people of; each is due again after `again_after`."""
    cur = await conn.execute(SQL["take_due_reviews"], {"again_after": again_after})
    return await cur.fetchall()


def _to_review(
    *,
    acted_by_user: str,
    acted_by_team: str,
    reviewed_by_user: str | None,
    reviewed_by_team: str | None,
    **columns: Any,
) -> Review:
    reviewed_by = Person(reviewed_by_user, reviewed_by_team) if reviewed_by_user and reviewed_by_team else None
    return Review(acted_by=Person(acted_by_user, acted_by_team), reviewed_by=reviewed_by, **columns)
