"""What the leader read, minute by minute. The typed calls of `sql/queries/history.sql`."""

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

_dump = partial(json.dumps, allow_nan=False)  # `json.dumps` would write what Postgres does not take


async def record_history(conn: Connection, record: HistoryRecord) -> None:
    """Store it for its minute; what is stored of that minute stays."""
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
    """The hour that was summed up, the oldest that was not; None once all that are over are."""
    row = await (await conn.execute(SQL["sum_up_hour"], {"now": now})).fetchone()
    return row[0] if row else None


async def read_summed_until(conn: Connection) -> datetime | None:
    """The end of the last hour that was summed up."""
    row = await (await conn.execute(SQL["read_summed_until"])).fetchone()
    return row[0] if row else None


async def list_history(
    conn: Connection, *, since: datetime, cut: datetime, until: datetime, step: timedelta
) -> list[HistoryStep]:
    """Oldest first. `step`: the first one begins at `since`. `cut`: hours are read before, minutes from there on."""
    return await fetch_all(conn, HistoryStep, "list_history", since=since, cut=cut, until=until, step=step)


async def list_worker_history(
    conn: Connection, *, since: datetime, cut: datetime, until: datetime, step: timedelta
) -> list[WorkerStep]:
    """Oldest first, each worker once per step."""
    return await fetch_all(conn, WorkerStep, "list_worker_history", since=since, cut=cut, until=until, step=step)


async def list_usage_history(
    conn: Connection, *, since: datetime, cut: datetime, until: datetime, step: timedelta
) -> list[UsageStep]:
    """Oldest first, each service once per step."""
    return await fetch_all(conn, UsageStep, "list_usage_history", since=since, cut=cut, until=until, step=step)


async def read_newest_usage(conn: Connection, *, service: str, window: timedelta) -> Usage | None:
    """`service`: its full name. None when nothing was recorded of it within the window."""
    return await fetch_one(conn, Usage, "read_newest_usage", service=service, window=window)


async def list_deploy_moments(conn: Connection, *, since: datetime, until: datetime) -> list[datetime]:
    """Oldest first."""
    rows = await (await conn.execute(SQL["list_deploy_moments"], {"since": since, "until": until})).fetchall()
    return [row[0] for row in rows]


async def prune_history(conn: Connection, *, older_than: timedelta) -> None:
    """Delete what is older."""
    await conn.execute(SQL["prune_history"], {"older_than": older_than})


HOUR = timedelta(hours=1)


async def read_history(conn: Connection, *, since: datetime, step: timedelta, cells: int) -> History:
    """The window from `since`, with the deployments in it. Steps of more than an hour are made of whole hours: those
    should begin on one."""
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
    """The window that ends now by the database's clock, or with this hour, where a step is longer than an hour."""
    until = await read_clock(conn)
    if window / cells > HOUR:
        until = until.replace(minute=0, second=0, microsecond=0) + HOUR
    return await read_history(conn, since=until - window, step=window / cells, cells=cells)
