"""Puts one picture into the diagnosis of an incident that is over: the hour before it, and with one edit the one after.

Until then the thread is for what there is to do, on a phone; `history 1h` draws the same to a person who looks for it.

Leader only. The picture comes from what was recorded anyway; nothing else of an incident waits for it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.incidents.store import diagnosis_key
from bot.incidents.triage import PARTS, services_of
from bot.leader import Fence
from bot.periodic_tasks import PeriodicTask
from bot.views.history import HOUR_CELLS, HOUR_STEP, has_hour, hour_blocks, with_hour
from bot.wake_ups import WakeUps
from bot.world import World
from services.clients.postgres import incidents, messages
from services.clients.postgres.history import read_history
from services.clients.postgres.pool import Connection, Database
from services.clients.postgres.queries import read_clock
from services.domain.incidents import Incident

HOUR = timedelta(hours=1)
LATE_AT_MOST = timedelta(minutes=15)  # for the last edit; a leader may have been away
LOOKED_AT = 10  # newest incidents
SOON_S, IDLE_S = 30.0, 600.0  # while an incident is young or was over lately, and while none is


class IncidentPictures(PeriodicTask):
    """`world` tells the services of the operated system."""

    name = "incident pictures"

    def __init__(self, database: Database, world: World, wake_ups: WakeUps) -> None:
        super().__init__(wake_ups.incidents)
        self._database = database
        self._world = world
        self._wake_ups = wake_ups

    async def tick(self, fence: Fence) -> float:
        async with self._database.read() as conn:
            now = await read_clock(conn)
            newest = await incidents.list_incidents(conn, limit=LOOKED_AT)
        young = [incident for incident in newest if now - _changed_at(incident) < HOUR + LATE_AT_MOST]
        for incident in young:
            if incident.briefed == len(PARTS) and _is_over(incident, now):
                await self._draw(incident, now, fence)
        return SOON_S if young else IDLE_S

    async def _draw(self, incident: Incident, now: datetime, fence: Fence) -> None:
        async with self._database.transaction() as conn:
            await fence.lock(conn)
            if await self._is_changed(conn, incident, now):
                self._wake_ups.outbox.set()

    async def _is_changed(self, conn: Connection, incident: Incident, now: datetime) -> bool:
        """Whether the diagnosis shows another picture now: the first one, and the whole one after an hour."""
        key = diagnosis_key(incident)
        content = await messages.read_message_content(conn, key=key)
        is_whole = now - incident.opened_at >= HOUR
        if content is None or (has_hour(content[1]) and not is_whole):
            return False
        since = incident.opened_at - HOUR
        history = await read_history(conn, since=since, step=HOUR_STEP, cells=HOUR_CELLS)
        system = self._world.system
        hour = hour_blocks(history, system, services_of(incident, system), now)
        return bool(hour) and await messages.replace_message(
            conn, key=key, text=content[0], blocks=with_hour(content[1], hour)
        )


def _changed_at(incident: Incident) -> datetime:
    """When it opened, or was over: what clears it takes an earlier picture out of its message."""
    return max(filter(None, (incident.opened_at, incident.cleared_at, incident.resolved_at)))


def _is_over(incident: Incident, now: datetime) -> bool:
    """Whether nothing is left to do in its thread, or it takes too long to wait for that."""
    return incident.cleared_at is not None or incident.resolved_at is not None or now - incident.opened_at >= HOUR
