"""Incidents: problems that need a person, and the states that they may have (docs/states.md).

The database enforces the same transitions (`sql/migrations/chatops/20251202000500_incidents.sql`); a test compares the
two.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from services.domain.people import Person
from services.domain.todos import Todo


class IncidentState(StrEnum):
    """OPEN: not acknowledged, people are paged. RESOLVED is final; a new alert opens a new incident."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


TRANSITIONS: Mapping[IncidentState, frozenset[IncidentState]] = MappingProxyType(
    {
        IncidentState.OPEN: frozenset({IncidentState.ACKNOWLEDGED, IncidentState.RESOLVED}),
        # Opens again if its owner is inactive for too long.
        IncidentState.ACKNOWLEDGED: frozenset({IncidentState.OPEN, IncidentState.RESOLVED}),
        IncidentState.RESOLVED: frozenset(),
    }
)


BEGAN = "began"  # the kind of event that states when the problem began, by evidence older than the alert


class IncidentSeverity(StrEnum):
    """An incident's severity. SEV1 and SEV2 page until a person acknowledges; SEV3 is posted in the channel only."""

    SEV1 = "sev1"  # customers or money are affected now
    SEV2 = "sev2"  # part of the system does not work
    SEV3 = "sev3"  # it can wait for business hours

    @property
    def pages_people(self) -> bool:
        return self is not IncidentSeverity.SEV3


_CHANGED = re.compile(r"made it (SEV[123])(?: \(it was (SEV[123])\))?")


def changed_severity(text: str) -> tuple[IncidentSeverity | None, IncidentSeverity] | None:
    """The severity before and after, from a timeline's "made it SEV1 (it was SEV3): …"; None for any other text.

    A former version did not write the one before: it is None then.
    """
    found = _CHANGED.match(text)
    if found is None:
        return None
    after, before = found.groups()
    return IncidentSeverity(before.lower()) if before else None, IncidentSeverity(after.lower())


@dataclass(frozen=True)
class NewIncident:
    """An incident to open. `since` None: the problem began now. `chain`: as `Incident.chain`."""

    environment: str
    severity: IncidentSeverity
    title: str
    services: tuple[str, ...]
    opened_by: Person | None
    chain: Mapping[str, Any]
    since: datetime | None = None


@dataclass(frozen=True)
class Incident:
    """A stored incident. Times are the database's, timezone-aware.

    title: plain text, not escaped yet. services: full names; empty if no single service is affected. opened_by: None if
    an alert or a terminal opened it. chain: who is paged and in which order, as of the start. pages: how often people
    were paged. next_level: an index into the chain's levels, modulo their number. due_at: when the leader has to act
    next. active_at: the last activity of a person. cleared_at: when the last of its alerts ended. briefed: how many
    parts of the diagnosis were posted. diagnosis, diagnosed_since, remedy: as in `KnownCause`, None while they are not
    known; a former version put the time into the diagnosis. fingerprint: of the alert that opened it; deployed_at: when
    the suspected deploy was made, as known when the incident opened; neither changes.
    """

    id: int
    state: IncidentState
    environment: str
    severity: IncidentSeverity
    title: str
    services: tuple[str, ...]
    opened_by: Person | None
    since: datetime
    opened_at: datetime
    chain: Mapping[str, Any]
    pages: int
    next_level: int
    due_at: datetime | None
    acknowledged_by: Person | None
    acknowledged_at: datetime | None
    first_acknowledged_at: datetime | None
    active_at: datetime
    reminded_at: datetime | None
    cleared_at: datetime | None
    briefed: int
    resolved_by: Person | None
    resolved_at: datetime | None
    cause: str | None
    diagnosis: str | None = None
    diagnosed_since: datetime | None = None
    remedy: str | None = None
    fingerprint: str | None = None
    deployed_at: datetime | None = None

    @property
    def is_over(self) -> bool:
        """True if it is resolved, or none of its alerts fires any more."""
        return self.state is IncidentState.RESOLVED or self.cleared_at is not None

    @property
    def message_key(self) -> str:
        """The outbox key of the incident's root message."""
        return f"incident:{self.id}"

    def covers(self, services: Collection[str]) -> bool:
        """True if work on these services (full names) belongs to it; an incident without services covers all."""
        return not self.services or set(services) <= set(self.services)


@dataclass(frozen=True)
class JoinedAlert:
    """An alert of an incident. `line`: its current page line, plain, not escaped yet. `message_key`: the outbox key of
    its message."""

    alert_id: int
    incident_id: int
    fingerprint: str
    line: str
    since: datetime
    joined_at: datetime
    cleared_at: datetime | None
    message_key: str = ""


SEEN_WITHIN = timedelta(days=30)  # how far back incidents of the same kind are counted
SIMILAR_LIMIT = 100  # beyond this number the exact count does not matter


@dataclass(frozen=True)
class SimilarIncident:
    """A resolved incident of the same kind. `cause`: in the words of the person who resolved it, not escaped yet.
    `run_id`: the last run on its services that succeeded while it was open, None without one."""

    id: int
    opened_at: datetime
    resolved_at: datetime
    cause: str
    resolved_by: Person
    run_id: int | None


@dataclass(frozen=True)
class PageSent:
    """One round of pages. `number` counts from 1; `level` is an index into the chain's levels."""

    incident_id: int
    number: int
    level: int
    reason: str
    paged_at: datetime


@dataclass(frozen=True)
class IncidentPicture:
    """Charts of the hour before and after an incident, as Slack blocks; events after `drawn_at` are not in it."""

    blocks: Sequence[dict[str, Any]]
    drawn_at: datetime


@dataclass(frozen=True)
class IncidentEvent:
    """One line of the timeline. `by` is None for the bot. `text` is plain text, not escaped yet.

    `channel_id` and `ts` name the message that a person marked; None for everything else. `repeats`: how many further
    lines of the same person were added to it.
    """

    incident_id: int
    happened_at: datetime
    kind: str
    by: Person | None
    text: str
    channel_id: str | None = None
    ts: str | None = None
    repeats: int = 0

    @property
    def words(self) -> str:
        """The text, after the number of lines that it holds if there are several."""
        return repeated_words(self.text, self.repeats)


@dataclass(frozen=True)
class RepeatedLine:
    """A line of a timeline, and how many further lines of the same person were added to it."""

    id: int
    text: str
    repeats: int


def repeated_words(text: str, repeats: int) -> str:
    """ "(12 times) reports: uploads hang"."""
    return f"({repeats + 1} times) {text}" if repeats else text


@dataclass(frozen=True)
class MarkedMessage:
    """A message marked for the timeline. `user_id` is its author; empty if no person wrote it."""

    channel_id: str
    ts: str
    user_id: str
    text: str

    @property
    def written_at(self) -> datetime:
        return datetime.fromtimestamp(float(self.ts), UTC)


def is_root(message_key: str) -> bool:
    """True if this is the outbox key of an incident's root message."""
    return message_key.startswith("incident:") and message_key.count(":") == 1


def find_covering(incidents: Iterable[Incident], services: Collection[str]) -> Incident | None:
    """The unresolved incident that work on these services (full names) belongs to; the oldest of several, or None."""
    fitting = [one for one in incidents if one.state is not IncidentState.RESOLVED and one.covers(services)]
    return min(fitting, key=lambda incident: incident.opened_at, default=None)


def find_same(incidents: Iterable[Incident], services: Collection[str], severity: IncidentSeverity) -> Incident | None:
    """The unresolved incident that already concerns one of these services (full names) and is at least as severe.

    A less severe one pages fewer people, so it is not the same. The oldest of several, None without one.
    """
    fitting = [
        one
        for one in incidents
        if one.state is not IncidentState.RESOLVED
        and set(one.services) & set(services)
        and one.severity.value <= severity.value  # "sev1" comes before "sev2"
    ]
    return min(fitting, key=lambda incident: incident.opened_at, default=None)


@dataclass(frozen=True)
class IncidentRecord:
    """Everything about one incident; `events` oldest first."""

    incident: Incident
    alerts: tuple[JoinedAlert, ...]
    pages: tuple[PageSent, ...]
    events: tuple[IncidentEvent, ...]
    todos: tuple[Todo, ...] = ()
