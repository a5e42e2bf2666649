"""Acknowledges an incident for a paged person who requests a change: they work on it, so no one else is paged.

If no one was paged, a change of the incident's service that any responder requests acknowledges it.
"""

from __future__ import annotations

import logging
from collections.abc import Collection

from bot.approvals.access import Allowed
from bot.incidents import acts
from bot.incidents.assignments import is_to_be_taken
from bot.incidents.store import IncidentStore
from bot.oncall.responders import may_respond
from bot.people import People
from services.clients.postgres import incidents
from services.clients.postgres.audit import append_audit
from services.clients.postgres.pool import Database
from services.domain.errors import SourceError
from services.domain.incidents import Incident
from services.domain.people import Person
from services.domain.runs import Run

logger = logging.getLogger(__name__)

TIMEOUT_S = 15.0  # the transaction waits for a page that is being posted


class ImpliedAcknowledgement:
    """Acknowledges in a transaction of its own, so that no request fails because of it; one per process.

    `responders`: Slack ids of users and groups who may manage incidents.
    """

    def __init__(self, database: Database, incident_store: IncidentStore, responders: Collection[str]) -> None:
        self._database = database
        self._incident_store = incident_store
        self.responders = responders

    async def on_request(self, run: Run, person: Person, people: People) -> list[Incident]:
        """Acknowledge the open incidents that this request makes the person's; return those acknowledged."""
        addresses = {person.user_id, *people.groups_of(person.user_id)}
        responds = isinstance(may_respond(person, people, self.responders), Allowed)
        try:
            async with self._database.read() as conn:
                unresolved = await incidents.list_open_incidents(conn)
            mine = [one for one in unresolved if is_to_be_taken(one, run.services, addresses, responds=responds)]
            return [done for one in mine if (done := await self._acknowledge(one.id, run, person))]
        except SourceError as error:
            logger.warning("run %d acknowledged no incident: %s", run.id, error.why)
        except Exception as error:  # the request is stored: a bug here must not lose its answer
            logger.error("run %d acknowledged no incident: %s", run.id, type(error).__name__)  # noqa: TRY400 - may hold data
        return []

    async def _acknowledge(self, incident_id: int, run: Run, person: Person) -> Incident | None:
        """Acknowledge one incident; None if another person did so first."""
        words = f"acknowledged it by requesting run {run.id} ({run.title}); no one else is paged"
        async with self._database.transaction(timeout_s=TIMEOUT_S) as conn:
            incident = await acts.find(conn, incident_id)
            if incident.acknowledged_by is not None:
                return None
            outcome = await acts.acknowledge(self._incident_store, conn, incident, person, words=words)
            if not isinstance(outcome, acts.Done):
                return None
            details = {"incident": incident_id, "run": run.id, "team": person.team_id}
            await append_audit(
                conn, actor=person.user_id, event="incident.acknowledged", run_id=run.id, details=details
            )
        self._incident_store.wake_ups.outbox.set()
        return outcome.incident
