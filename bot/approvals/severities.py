"""The severity of the open incident of each service, for rules of the policy that ask for it."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from bot.approvals.rules import NOT_READ
from bot.config.policy import Policy, Severities
from services.clients.postgres.incidents import list_open_incidents
from services.clients.postgres.pool import Connection, Database
from services.domain.alerts import is_drill
from services.domain.errors import SourceError, Unavailable
from services.domain.incidents import Incident, IncidentSeverity
from services.domain.runs import Person
from services.domain.services import DECLARED, Service

logger = logging.getLogger(__name__)

TIMEOUT_S = 1.5  # an emergency stop may wait behind it


async def read_severities(
    database: Database, policy: Policy, environment: str, person: Person | None
) -> Severities | Unavailable | None:
    """None where no rule asks for it: then nothing is read."""
    if not policy.asks_severity:
        return None
    try:
        async with database.read(timeout_s=TIMEOUT_S) as conn:
            return severities_of(await list_open_incidents(conn), environment, person)
    except SourceError as error:
        logger.warning("the open incidents were not read for the policy: %s", error.why)
        return Unavailable("database", error.why)


async def severities_within(
    conn: Connection, policy: Policy, environment: str, person: Person
) -> Severities | Unavailable:
    """The same within a transaction."""
    if not policy.asks_severity:
        return NOT_READ
    return severities_of(await list_open_incidents(conn), environment, person)


def severities_of(incidents: Iterable[Incident], environment: str, person: Person | None = None) -> Severities:
    """The most severe open incident of each service; under None, of them all, for a change that touches no service.

    Neither a drill counts, nor an incident that rests on this person's word alone.
    """
    found: dict[Service | None, IncidentSeverity] = {}
    for one in incidents:
        if one.environment != environment or _is_drill(one) or _is_own_word(one, person):
            continue
        covered = [service for service in DECLARED if one.covers([service.value])]
        for part in (None, *covered):
            found[part] = min(found.get(part, one.severity), one.severity)
    return found


def _is_drill(incident: Incident) -> bool:
    return incident.fingerprint is not None and is_drill(incident.fingerprint)


def _is_own_word(incident: Incident, person: Person | None) -> bool:
    """The person opened it, and no other one acknowledged it."""
    opener, responder = incident.opened_by, incident.acknowledged_by
    if person is None or opener is None or opener.user_id != person.user_id:
        return False
    return responder is None or responder.user_id == person.user_id
