"""Reads the open incidents with their confirmations, and their severities for policy rules that ask for one."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from bot.approvals.emergencies import ALERT, Confirmation, Emergency
from bot.approvals.rules import NOT_READ
from bot.config.policy import Policy, Severities
from services.clients.postgres.incident_alerts import list_alerts_of_open_incidents
from services.clients.postgres.incidents import list_open_incidents
from services.clients.postgres.pool import Connection, Database
from services.clients.postgres.timeline import list_confirming_events
from services.domain.alerts import is_drill
from services.domain.errors import SourceError, Unavailable
from services.domain.incidents import Incident, IncidentEvent, IncidentSeverity, changed_severity
from services.domain.people import Person
from services.domain.services import DECLARED, Service

logger = logging.getLogger(__name__)

TIMEOUT_S = 1.5  # an emergency stop may wait behind it


async def read_severities(
    database: Database, policy: Policy, verb: str, environment: str, person: Person | None
) -> Severities | Unavailable | None:
    """Read the severities of the open incidents; None, and nothing is read, if no rule about the verb asks for them."""
    if not policy.asks_severity(verb, environment):
        return None
    try:
        async with database.read(timeout_s=TIMEOUT_S) as conn:
            return severities_of(await read_emergencies(conn), environment, person)
    except SourceError as error:
        logger.warning("the open incidents were not read for the policy: %s", error.why)
        return Unavailable("database", error.why)


async def severities_within(
    conn: Connection, policy: Policy, verb: str, environment: str, person: Person
) -> Severities | Unavailable:
    """Like `read_severities`, but within a transaction; `NOT_READ` if no rule asks for them."""
    if not policy.asks_severity(verb, environment):
        return NOT_READ
    return severities_of(await read_emergencies(conn), environment, person)


async def read_emergencies(conn: Connection) -> list[Emergency]:
    """Return the unresolved incidents, oldest first, each with its confirmations."""
    incidents = await list_open_incidents(conn)
    alerts = await list_alerts_of_open_incidents(conn)
    events = await list_confirming_events(conn)
    found = [(one.incident_id, one.joined_at, Confirmation(ALERT)) for one in alerts if not is_drill(one.fingerprint)]
    found += [(one.incident_id, one.happened_at, _confirmation(one, one.by)) for one in events if one.by]
    found.sort(key=lambda one: one[1])
    return [Emergency(one, [by for incident_id, _, by in found if incident_id == one.id]) for one in incidents]


def _confirmation(event: IncidentEvent, by: Person) -> Confirmation:
    before, after = changed_severity(event.text) or (None, None)
    return Confirmation(by.user_id, after, before)


def severities_of(emergencies: Iterable[Emergency], environment: str, person: Person | None = None) -> Severities:
    """Severity of the most severe open incident of each service; under None, of all of them, for a change that touches
    no service. Drills do not count. `confirmed` leaves out what only `person` reports."""
    counted = [one for one in emergencies if one.incident.environment == environment and not one.is_drill]
    stated = [(one.incident, one.incident.severity) for one in counted]
    confirmed = [(one.incident, one.severity_for(person)) for one in counted] if person else stated
    return Severities(_most_severe(stated), _most_severe(confirmed))


def _most_severe(
    found: Iterable[tuple[Incident, IncidentSeverity | None]],
) -> dict[Service | None, IncidentSeverity]:
    worst: dict[Service | None, IncidentSeverity] = {}
    for incident, severity in found:
        if severity is None:
            continue
        covered = [service for service in DECLARED if incident.covers([service.value])]
        for part in (None, *covered):
            worst[part] = min(worst.get(part, severity), severity)
    return worst
