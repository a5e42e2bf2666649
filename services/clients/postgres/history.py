"""History of the leader's readings, by minute and by hour. Typed calls of `sql/queries/history.sql`."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import partial

from psycopg.types.json import Jsonb

from services.clients.postgres.pool import Connection
from services.clients.postgres.queries import SQL, fetch_all, fetch_one, read_clock
from services.domain.history import History, HistoryRecord, HistoryStep, UsageStep, WorkerStep
from services.domain.usage import Usage

_dump = partial(json.dumps, allow_nan=False)  # by default `json.dumps` writes NaN, which Postgres refuses


async def record_history(conn: Connection, record: HistoryRecord) -> None:
    """Store the record of its minute; an earlier record of that minute stays."""
    workers, usage = record.workers, record.usage
    values = {
        "at": record.at,
        "pending": record.pending,
        "completed": record.completed,
        "failed": record.failed,
        "api_ms": record.api_ms,
        "connections": record.connections,
        "database_gb": record.database_gb,
        "workers": None if workers is None else Jsonb({one: list(known) for one, known in workers.items()}),
        "usage": None if usage is None else Jsonb({name: asdict(used) for name, used in usage.items()}, _dump),
    }
    await conn.execute(SQL["record_history"], values)


async def sum_up_hour(conn: Connection, *, now: datetime) -> datetime | None:
    """Sum up the oldest hour that is over and not summed up yet, and return it; None if there is none."""
    row = await (await conn.execute(SQL["sum_up_hour"], {"now": now})).fetchone()
    return row[0] if row else None


async def read_summed_until(conn: Connection) -> datetime | None:
    """Return the end of the last hour that was summed up."""
    row = await (await conn.execute(SQL["read_summed_until"])).fetchone()
    return row[0] if row else None


async def list_history(
    conn: Connection, *, since: datetime, cut: datetime, until: datetime, step: timedelta
) -> list[HistoryStep]:
    """List the steps of the window, oldest first. The first step begins at `since`.

    Before `cut`, records by hour are read; from there on, by minute.
    """
    return await fetch_all(conn, HistoryStep, "list_history", since=since, cut=cut, until=until, step=step)


async def list_worker_history(
    conn: Connection, *, since: datetime, cut: datetime, until: datetime, step: timedelta
) -> list[WorkerStep]:
    """List the steps, oldest first, with each worker once per step."""
    return await fetch_all(conn, WorkerStep, "list_worker_history", since=since, cut=cut, until=until, step=step)


async def list_usage_history(
    conn: Connection, *, since: datetime, cut: datetime, until: datetime, step: timedelta
) -> list[UsageStep]:
    """List the steps, oldest first, with each service once per step."""
    return await fetch_all(conn, UsageStep, "list_usage_history", since=since, cut=cut, until=until, step=step)


async def read_newest_usage(conn: Connection, *, service: str, window: timedelta) -> Usage | None:
    """Return the newest recorded usage of a service (full name); None if there is none within the window."""
    return await fetch_one(conn, Usage, "read_newest_usage", service=service, window=window)


async def list_deploy_moments(conn: Connection, *, since: datetime, until: datetime) -> list[datetime]:
    """List when deployments began, oldest first."""
    rows = await (await conn.execute(SQL["list_deploy_moments"], {"since": since, "until": until})).fetchall()
    return [row[0] for row in rows]


async def prune_history(conn: Connection, *, older_than: timedelta) -> None:
    """Delete old records."""
    await conn.execute(SQL["prune_history"], {"older_than": older_than})


HOUR = timedelta(hours=1)


async def read_history(conn: Connection, *, since: datetime, step: timedelta, cells: int) -> History:
    """Return the history of `cells` steps from `since`, with the deployments in it.

    Steps of more than 1 hour are made of whole hours: such a window should begin on the hour.
    """
    until = since + step * cells
    summed_until = await read_summed_until(conn) if step > HOUR else None
    cut = min(max(summed_until or since, since), until)
    return History(
        since=since,
        step=step,
        cells=cells,
        steps=await list_history(conn, since=since, cut=cut, until=until, step=step),
        workers=await list_worker_history(conn, since=since, cut=cut, until=until, step=step),
        usage=await list_usage_history(conn, since=since, cut=cut, until=until, step=step),
        deploys=await list_deploy_moments(conn, since=since, until=until),
    )


async def read_newest_history(conn: Connection, *, window: timedelta, cells: int) -> History:
    """Return the history of the window that ends now by the database's clock.

    If a step is longer than 1 hour, the window ends with the current hour.
    """
    until = await read_clock(conn)
    if window / cells > HOUR:
        until = until.replace(minute=0, second=0, microsecond=0) + HOUR
    return await read_history(conn, since=until - window, step=window / cells, cells=cells)
