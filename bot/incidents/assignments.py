"""Assignments: an incident that requires something of one person right now; pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum

from services.domain.escalation_chain import decode_chain
from services.domain.incidents import Incident, IncidentState


class Asked(StrEnum):
    """Requests to a person about an incident, the most urgent first."""

    ACKNOWLEDGE = "acknowledge"  # they are being paged
    WORK = "work"  # they acknowledged it, and it is not over
    RESOLVE = "resolve"  # they acknowledged it, and its alerts have ended


@dataclass(frozen=True)
class Assignment:
    """An incident, and the request to the person."""

    incident: Incident
    asked: Asked


def assignments_of(user_id: str, groups: Collection[str], incidents: Iterable[Incident]) -> list[Assignment]:
    """List a user's assignments among unresolved incidents, most urgent first. `groups`: the user's Slack groups."""
    found = [Assignment(one, asked) for one in incidents if (asked := _asked(one, user_id, {user_id, *groups}))]
    return sorted(found, key=lambda assignment: list(Asked).index(assignment.asked))


def is_to_be_taken(
    incident: Incident, services: Collection[str], addresses: Collection[str], *, responds: bool
) -> bool:
    """True if work on these services (full names) acknowledges an open incident for the person with these Slack ids.

    An incident that paged people counts for those people; one that paged no one counts for each responder.
    """
    if incident.state is not IncidentState.OPEN or incident.cleared_at is not None or not incident.covers(services):
        return False
    if incident.pages:
        return _is_paged(incident, addresses)
    return responds and bool(incident.services)


def _asked(incident: Incident, user_id: str, addresses: Collection[str]) -> Asked | None:
    if incident.state is IncidentState.ACKNOWLEDGED:
        if incident.acknowledged_by is None or incident.acknowledged_by.user_id != user_id:
            return None
        return Asked.WORK if incident.cleared_at is None else Asked.RESOLVE
    if incident.state is not IncidentState.OPEN or incident.cleared_at is not None:
        return None
    return Asked.ACKNOWLEDGE if _is_paged(incident, addresses) else None


def _is_paged(incident: Incident, addresses: Collection[str]) -> bool:
    """True if a level that was paged so far reaches one of these addresses."""
    levels = decode_chain(incident.chain).levels
    called = min(incident.pages, len(levels))
    paged = [levels[(incident.next_level - back) % len(levels)] for back in range(1, called + 1)]
    return any(target.address in addresses for level in paged for target in level.targets)
