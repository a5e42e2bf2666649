"""Shift swaps, reminders of changed shifts, and the sources that the schedule is made from.

Typed calls of `sql/queries/oncall_changes.sql`. The caller owns the transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.clients.postgres.pool import Connection
from services.clients.postgres.queries import SQL, fetch_all, fetch_one
from services.domain.shifts import ShiftReminder, Swap, SwapState


async def add_oncall_reminder(
    conn: Connection, *, rotation: str, user_id: str, gains: bool, begins_at: datetime, ends_at: datetime
) -> None:
    """Store a reminder of a changed shift, due 1 day and 1 hour before; none if both times are over.

    `gains`: the person is on call then; otherwise another person is, in their place.
    """
    parameters = {
        "rotation": rotation,
        "user_id": user_id,
        "gains": gains,
        "begins_at": begins_at,
        "ends_at": ends_at,
    }
    await conn.execute(SQL["add_oncall_reminder"], parameters)


async def take_due_oncall_reminders(conn: Connection, *, limit: int) -> list[ShiftReminder]:
    """Take the reminders that are due, at most `limit`; each is returned once per time."""
    return await fetch_all(conn, ShiftReminder, "take_due_oncall_reminders", limit=limit)


async def add_swap(
    conn: Connection,
    *,
    rotation: str,
    user_id: str,
    team_id: str,
    other_user: str,
    begins_at: datetime,
    ends_at: datetime,
    other_begins_at: datetime,
    other_ends_at: datetime,
) -> Swap:
    found = await fetch_one(
        conn,
        _to_swap,
        "add_swap",
        rotation=rotation,
        user_id=user_id,
        team_id=team_id,
        other_user=other_user,
        begins_at=begins_at,
        ends_at=ends_at,
        other_begins_at=other_begins_at,
        other_ends_at=other_ends_at,
    )
    assert found is not None  # noqa: S101 - INSERT … RETURNING gives a row or raises
    return found


async def read_swap(conn: Connection, *, swap_id: int) -> Swap | None:
    """Return the swap; None if there is none with this number."""
    return await fetch_one(conn, _to_swap, "read_swap", swap_id=swap_id)


async def settle_swap(conn: Connection, *, swap_id: int, state: SwapState) -> Swap | None:
    """Accept, decline or withdraw the swap and return it; None if it was settled before."""
    return await fetch_one(conn, _to_swap, "settle_swap", swap_id=swap_id, state=state)


def _to_swap(*, state: str, **columns: object) -> Swap:
    return Swap(state=SwapState(state), **columns)  # type: ignore[arg-type]


async def read_oncall_file(conn: Connection) -> bytes | None:
    """The last valid on-call file; None if none was stored yet."""
    row = await (await conn.execute(SQL["read_oncall_file"])).fetchone()
    return None if row is None else bytes(row[0])


async def store_oncall_file(conn: Connection, *, content: bytes) -> None:
    await conn.execute(SQL["store_oncall_file"], {"content": content})


@dataclass(frozen=True)
class StoredCalendar:
    """A calendar as stored. `content`: the last valid one, None if it was never read.

    `problem`: the problem that was announced in the channel, None if it can be read.
    """

    calendar: str
    content: bytes | None
    problem: str | None


async def list_oncall_calendars(conn: Connection) -> list[StoredCalendar]:
    """List the calendars that are, or were, the source of a rotation."""
    return await fetch_all(conn, StoredCalendar, "list_oncall_calendars")


async def store_oncall_calendar(conn: Connection, *, calendar: str, content: bytes) -> None:
    await conn.execute(SQL["store_oncall_calendar"], {"calendar": calendar, "content": content})


async def store_oncall_calendar_problem(conn: Connection, *, calendar: str, problem: str | None) -> None:
    """Store the announced problem of a calendar; None: it can be read again."""
    await conn.execute(SQL["store_oncall_calendar_problem"], {"calendar": calendar, "problem": problem})


@dataclass(frozen=True)
class OnCallGroup:
    """A user group that follows a rotation. `user_id`: the person who should be in it; `problem`: why they are not."""

    group_id: str
    user_id: str
    problem: str | None
    tried_at: datetime


async def list_oncall_groups(conn: Connection) -> list[OnCallGroup]:
    """List the user groups that follow, or followed, a rotation."""
    return await fetch_all(conn, OnCallGroup, "list_oncall_groups")


async def store_oncall_group(conn: Connection, *, group_id: str, user_id: str, problem: str | None) -> None:
    """Store the result of the last call to Slack that set the group's member."""
    parameters = {"group_id": group_id, "user_id": user_id, "problem": problem}
    await conn.execute(SQL["store_oncall_group"], parameters)


async def store_calendar_feed(conn: Connection, *, user_id: str, rotation: str, token: str, renew: bool) -> str:
    """Return the token of the person's calendar feed, a new one if there was none or with `renew`.

    `rotation`: empty for their own shifts. With `renew` the former token stops working.
    """
    parameters = {"user_id": user_id, "rotation": rotation, "token": token, "renew": renew}
    row = await (await conn.execute(SQL["store_calendar_feed"], parameters)).fetchone()
    assert row is not None  # noqa: S101 - INSERT … RETURNING gives a row or raises
    return str(row[0])


async def read_calendar_feed(conn: Connection, *, token: str) -> tuple[str, str] | None:
    """The person and the rotation (empty: their own shifts) of the token; None for an unknown token."""
    row = await (await conn.execute(SQL["read_calendar_feed"], {"token": token})).fetchone()
    return None if row is None else (str(row[0]), str(row[1]))
