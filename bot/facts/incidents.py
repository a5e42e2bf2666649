"""Reads incidents: which are open, the latest, and everything about one."""

from __future__ import annotations

from dataclasses import dataclass

from bot.facts._world import World
from services.domain.errors import Unavailable
from services.domain.incidents import Incident, IncidentEvent, JoinedAlert, PageSent
from services.postgres import incident_alerts, incidents, timeline
from services.postgres.pool import Connection

MOST_EVENTS = 500  # of one incident; people write some dozens


@dataclass(frozen=True)
class IncidentRecord:
    """Everything about one incident; `events` oldest first."""

    incident: Incident
    alerts: tuple[JoinedAlert, ...]
    pages: tuple[PageSent, ...]
    events: tuple[IncidentEvent, ...]


async def read_open_incidents(world: World) -> list[Incident] | Unavailable:
    """Those that nobody resolved yet, oldest first."""
    return await world.read(incidents.list_open_incidents)


async def read_incidents(world: World, *, limit: int) -> list[Incident] | Unavailable:
    """Newest first."""
    return await world.read(lambda conn: incidents.list_incidents(conn, limit=limit))


async def read_incident_record(world: World, incident_id: int) -> IncidentRecord | Unavailable | None:
    """None when there is no incident of this number."""
    return await world.read(lambda conn: _read(conn, incident_id))


async def _read(conn: Connection, incident_id: int) -> IncidentRecord | None:
    incident = await incidents.read_incident(conn, incident_id)
    if incident is None:
        return None
    return IncidentRecord(
        incident=incident,
        alerts=tuple(await incident_alerts.list_joined_alerts(conn, incident_id)),
        pages=tuple(await incidents.list_pages(conn, incident_id)),
        events=tuple(await timeline.list_events(conn, incident_id, limit=MOST_EVENTS)),
    )
