"""Puts one picture into the root message of an incident that is over: the hour before and, with one edit, after it.

While the incident lasts, a phone's screen is left for what there is to do; `history 1h` draws the same picture. Leader
only. The picture comes from recorded history; nothing else of an incident waits for it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.incidents.store import IncidentStore
from bot.incidents.triage import services_of
from bot.leader import Fence
from bot.periodic_tasks import PeriodicTask
from bot.types import Block
from bot.views.history import HOUR_CELLS, HOUR_STEP, hour_blocks
from bot.world import World
from services.clients.postgres import incidents
from services.clients.postgres.history import read_history
from services.clients.postgres.pool import Connection, Database
from services.clients.postgres.queries import read_clock
from services.domain.incidents import Incident, IncidentPicture

HOUR = timedelta(hours=1)
LATE_AT_MOST = timedelta(minutes=15)  # for the last edit; a leader may have been away
LOOKED_AT = 10  # newest incidents
SOON_S, IDLE_S = 30.0, 600.0  # while an incident is young or was over lately, and while none is


class IncidentPictures(PeriodicTask):
    """Draws the picture when an incident is over, and again once the hour after its opening has passed.

    `world` names the services of the operated system.
    """

    name = "incident pictures"

    def __init__(self, database: Database, world: World, incident_store: IncidentStore) -> None:
        super().__init__(incident_store.wake_ups.incidents)
        self._database = database
        self._world = world
        self._incident_store = incident_store

    async def tick(self, fence: Fence) -> float:
        async with self._database.read() as conn:
            now = await read_clock(conn)
            newest = await incidents.list_incidents(conn, limit=LOOKED_AT)
            young = [incident for incident in newest if now - _changed_at(incident) < HOUR + LATE_AT_MOST]
            drawn = {one.id: await incidents.read_picture(conn, incident_id=one.id) for one in young if one.is_over}
        for incident in young:
            if incident.is_over and _is_due(incident, drawn[incident.id], now):
                await self._draw(incident, now, fence)
        return SOON_S if young else IDLE_S

    async def _draw(self, incident: Incident, now: datetime, fence: Fence) -> None:
        async with self._database.transaction() as conn:
            await fence.lock(conn)
            await incidents.lock_incident(conn, incident.id)
            blocks = await self._blocks(conn, incident, now)
            if not blocks:
                return
            await incidents.store_picture(conn, incident_id=incident.id, blocks=blocks, drawn_at=now)
            await self._incident_store.update_message(conn, incident.id)
        self._incident_store.wake_ups.outbox.set()

    async def _blocks(self, conn: Connection, incident: Incident, now: datetime) -> list[Block]:
        """Return the picture's blocks, empty if too little was recorded."""
        history = await read_history(conn, since=incident.opened_at - HOUR, step=HOUR_STEP, cells=HOUR_CELLS)
        system = self._world.system
        return hour_blocks(history, system, services_of(incident, system), now)


def _changed_at(incident: Incident) -> datetime:
    """The latest of the times at which it opened, cleared and was resolved."""
    return max(filter(None, (incident.opened_at, incident.cleared_at, incident.resolved_at)))


def _is_due(incident: Incident, drawn: IncidentPicture | None, now: datetime) -> bool:
    """True if the picture of an incident that is over is missing, or ends too early.

    Too early is before the incident was over, or before the hour after its opening, once that has passed.
    """
    if drawn is None:
        return True
    whole_at, over_at = incident.opened_at + HOUR, incident.cleared_at or incident.resolved_at
    ends_early = now >= whole_at or (over_at is not None and drawn.drawn_at < over_at)
    return drawn.drawn_at < whole_at and ends_early
