"""Earlier incidents of the same kind. Typed calls of `sql/queries/similar.sql`."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from services.clients.postgres.incidents import cause_columns
from services.clients.postgres.pool import Connection
from services.clients.postgres.queries import SQL, fetch_all
from services.domain.alerts import KnownCause
from services.domain.incidents import SimilarIncident
from services.domain.people import Person


async def note_first_alert(
    conn: Connection,
    *,
    incident_id: int,
    fingerprint: str,
    deployed_at: datetime | None = None,
    cause: KnownCause | None = None,
) -> None:
    """Store the alert that opened the incident, the suspected deployment, and the cause if it is known already.

    A later call changes nothing.
    """
    values = {
        "incident_id": incident_id,
        "fingerprint": fingerprint,
        "deployed_at": deployed_at,
        **cause_columns(cause),
    }
    await conn.execute(SQL["note_first_alert"], values)


async def list_similar_incidents(
    conn: Connection, *, incident_id: int, window: timedelta, limit: int
) -> list[SimilarIncident]:
    """List similar incidents within `window` before this one, newest first; none if it was opened by hand."""
    values = {"incident_id": incident_id, "window": window, "limit": limit}
    return await fetch_all(conn, _to_similar, "list_similar_incidents", **values)


def _to_similar(*, resolved_by_user: str, resolved_by_team: str, **columns: Any) -> SimilarIncident:
    return SimilarIncident(resolved_by=Person(resolved_by_user, resolved_by_team), **columns)
