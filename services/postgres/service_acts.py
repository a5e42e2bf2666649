"""What runs of ours did to services. The typed calls of `sql/queries/service_acts.sql`."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg.rows import kwargs_row

from services.domain.runs import Person
from services.domain.service_acts import ServiceAct
from services.domain.services import Service
from services.postgres.pool import Connection
from services.postgres.queries import SQL


async def list_service_acts(conn: Connection, *, services: Sequence[Service], limit: int) -> list[ServiceAct]:
    """At most `limit` of each service, newest first."""
    parameters = {"services": [service.value for service in services], "limit": limit}
    async with conn.cursor(row_factory=kwargs_row(_to_act)) as cur:
        await cur.execute(SQL["list_service_acts"], parameters)
        return await cur.fetchall()


def _to_act(*, service: str, by_user: str, by_team: str, **columns: object) -> ServiceAct:
    return ServiceAct(Service(service), by=Person(by_user, by_team), **columns)  # type: ignore[arg-type]
