"""Reads who besides the requester says that an incident is an emergency."""

from __future__ import annotations

from bot.approvals.alone import Emergency
from services.domain.drills import is_drill
from services.domain.incidents import Incident
from services.postgres import incident_alerts, timeline
from services.postgres.pool import Connection

ACKNOWLEDGED = "acknowledged"  # as the timeline calls it
_EVENTS = 1000  # of one timeline


async def read_emergency(conn: Connection, incident: Incident) -> Emergency:
    """The incident with its witnesses: its alerts, but for those of a drill, and whoever acknowledged it."""
    alerts = await incident_alerts.list_joined_alerts(conn, incident.id)
    events = await timeline.list_events(conn, incident.id, limit=_EVENTS)
    hands = frozenset(one.by.user_id for one in events if one.kind == ACKNOWLEDGED and one.by)
    return Emergency(incident, by_alert=any(not is_drill(one.fingerprint) for one in alerts), acknowledged_by=hands)
