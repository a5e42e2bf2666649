"""What Railway showed over time. The typed calls of `sql/queries/observed.sql`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from psycopg.rows import kwargs_row

from services.domain.deployments import ReplicaChange
from services.domain.services import Service
from services.postgres.pool import Connection
from services.postgres.queries import SQL


async def note_replicas(conn: Connection, replicas: Mapping[Service, int]) -> None:
    """How many replicas each service is configured to have now."""
    parameters = {"services": [service.value for service in replicas], "replicas": list(replicas.values())}
    await conn.execute(SQL["note_replicas"], parameters)


async def list_replica_changes(conn: Connection, *, within: timedelta, limit: int) -> list[ReplicaChange]:
    """Newest first."""
    async with conn.cursor(row_factory=kwargs_row(_to_change)) as cur:
        await cur.execute(SQL["list_replica_changes"], {"within": within, "limit": limit})
        return await cur.fetchall()


async def prune_observed_replicas(conn: Connection, *, older_than: timedelta) -> int:
    """How many were deleted; the count that each service had then stays."""
    return (await conn.execute(SQL["prune_observed_replicas"], {"older_than": older_than})).rowcount


def _to_change(*, service: str, **columns: object) -> ReplicaChange:
    return ReplicaChange(service=Service(service), **columns)  # type: ignore[arg-type]
