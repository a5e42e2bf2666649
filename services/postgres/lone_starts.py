"""Changes that somebody may start alone. The typed calls of `sql/queries/lone_starts.sql`."""

from __future__ import annotations

from datetime import datetime, timedelta

from psycopg.rows import class_row

from services.domain.lone_starts import LoneStart
from services.postgres.pool import Connection
from services.postgres.queries import SQL


async def call_approvers(conn: Connection, *, run_id: int, incident_id: int, silence: timedelta) -> None:
    """In the transaction that files the request and stores the calls."""
    parameters = {"run_id": run_id, "incident_id": incident_id, "silence": silence}
    await conn.execute(SQL["call_approvers"], parameters)


async def read_lone_start(conn: Connection, run_id: int) -> LoneStart | None:
    """None for a request that nobody may start alone."""
    async with conn.cursor(row_factory=class_row(LoneStart)) as cur:
        await cur.execute(SQL["read_lone_start"], {"run_id": run_id})
        return await cur.fetchone()


async def begin_countdown(conn: Connection, *, run_id: int, reason: str, countdown: timedelta) -> datetime | None:
    """When it ends; None when one runs already, or the approvers still have time."""
    parameters = {"run_id": run_id, "reason": reason, "countdown": countdown}
    row = await (await conn.execute(SQL["begin_countdown"], parameters)).fetchone()
    return row[0] if row else None


async def end_countdown(conn: Connection, run_id: int) -> None:
    """As if it had never begun."""
    await conn.execute(SQL["end_countdown"], {"run_id": run_id})


async def note_offer(conn: Connection, run_id: int) -> None:
    """The run's message has the button from now on."""
    await conn.execute(SQL["note_offer"], {"run_id": run_id})


async def list_waiting_lone_starts(conn: Connection) -> list[LoneStart]:
    """Those whose button has still to be shown, or whose countdown runs, of requests that still wait."""
    async with conn.cursor(row_factory=class_row(LoneStart)) as cur:
        await cur.execute(SQL["list_waiting_lone_starts"])
        return await cur.fetchall()
