"""Pages people when they are due, and reopens incidents whose owner does not respond. Runs on the leader only.

The task sleeps until the next incident is due, or until one changes; each step is stored before anything is sent.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from bot.incidents import paging
from bot.incidents.decide import PageLevel, Remind, Rest, TakeBack, decide, due_in
from bot.incidents.store import IncidentStore
from bot.leader import Fence
from bot.periodic_tasks import PeriodicTask
from bot.views.incident_buttons import is_calm
from services.clients.postgres import incident_alerts, incidents
from services.clients.postgres.pool import Connection, Database
from services.clients.postgres.queries import read_clock
from services.domain.escalation_chain import decode_chain
from services.domain.text import dated_time

logger = logging.getLogger(__name__)

CHECK_AGAIN_AFTER = timedelta(seconds=30)  # delay of a page while the alerts are fine and only watched
TIMEOUT_S = 15.0  # the transaction waits for a page that is being posted


class Escalation(PeriodicTask):
    """Pages the next level, reminds the owner, or unassigns an owner who does not respond."""

    name = "escalation"
    late_after_s = 90.0  # three polls while nothing is due

    def __init__(self, database: Database, incident_store: IncidentStore) -> None:
        super().__init__(incident_store.wake_ups.incidents)
        self._database = database
        self._incident_store = incident_store
        self._wake_ups = incident_store.wake_ups

    async def tick(self, fence: Fence) -> float:
        """Do what is due; return the seconds until the next tick. Raises SourceError while the database is away."""
        async with self._database.read() as conn:
            unresolved = await incidents.list_open_incidents(conn)
            if not unresolved:
                return self._wake_ups.poll_s
            now = await read_clock(conn)
        found = {one.id: due_in(one, decode_chain(one.chain), now) for one in unresolved}
        waits = {number: wait.total_seconds() for number, wait in found.items() if wait is not None}
        due = [number for number, wait_s in waits.items() if wait_s <= 0]
        for number in due:
            async with self._database.transaction(timeout_s=TIMEOUT_S) as conn:
                await fence.lock(conn)
                await self._step(conn, number)
            self._wake_ups.outbox.set()
        return 0.0 if due else min([*waits.values(), self._wake_ups.poll_s])

    async def _step(self, conn: Connection, number: int) -> None:
        """Decide again under the lock and act: the incident may have been acknowledged since it was read."""
        now = await incidents.lock_incident(conn, number)
        incident = await incidents.read_incident(conn, number)
        if now is None or incident is None:
            return
        action = decide(incident, decode_chain(incident.chain), now)
        logger.info("incident %d: %s", number, type(action).__name__)
        match action:
            case PageLevel() if incident.pages and is_calm(await incident_alerts.list_joined_alerts(conn, number)):
                # People were paged for it; no page reports that it is fine. If it fires again, the next page goes out.
                await incidents.set_due(conn, incident_id=number, due_in=CHECK_AGAIN_AFTER)
            case PageLevel():
                reason = "not acknowledged yet" if incident.pages else "it was opened"
                await paging.page_level(self._incident_store, conn, incident, action, reason)
            case Remind(answer_in):
                await incidents.note_reminder(conn, incident_id=number, due_in=answer_in)
                await paging.remind(self._incident_store, conn, incident, silent_since=incident.active_at, now=now)
            case TakeBack():
                why = f"no activity since {dated_time(incident.active_at, now)}"
                await paging.take_back(self._incident_store, conn, incident, why)
            case Rest():
                await incidents.set_due(conn, incident_id=number, due_in=None)
            case None:
                return
