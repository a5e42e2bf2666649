"""What an incident does next: page people, remind its owner, reopen, or take a pager's answer; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.domain.alerts import AlertEvent, is_same_outage
from services.domain.answers import PagerAction, PagerEvent, PagerHistory
from services.domain.escalation_chain import Chain, ChainLevel
from services.domain.incidents import Incident, IncidentState, JoinedAlert


@dataclass(frozen=True)
class PageLevel:
    """Page this level, the `number`-th page (1, 2 …) of the incident; `index`: of the level in the chain, from 0."""

    number: int
    index: int
    level: ChainLevel


@dataclass(frozen=True)
class Remind:
    """No activity for a while: ask its owner. `due_in` is how long to wait for an answer, if at all."""

    due_in: timedelta | None


@dataclass(frozen=True)
class TakeBack:
    """The reminder got no answer: it is open again, and people are paged."""


@dataclass(frozen=True)
class Rest:
    """There is nothing to wait for until something changes."""


Action = PageLevel | Remind | TakeBack | Rest


def pages_people(incident: Incident) -> bool:
    """Whether it pages people: it is severe enough, and has not cleared."""
    return incident.severity.pages_people and incident.cleared_at is None


def next_page(incident: Incident, chain: Chain) -> PageLevel | None:
    """Whom to page next; None when the chain has no one."""
    level = chain.level(incident.next_level)
    if level is None:
        return None
    return PageLevel(incident.pages + 1, incident.next_level % len(chain.levels), level)


def due_in(incident: Incident, chain: Chain, now: datetime) -> timedelta | None:
    """How long until something is due (zero: now); None when nothing is by itself.

    A wait that is longer than any was stored before the database's clock stepped back. It has ended: no one waits for
    the next level for as long as the clock was wrong.
    """
    if incident.due_at is None:
        return None
    left = incident.due_at - now
    return timedelta() if left > _longest_wait(incident, chain) else max(left, timedelta())


def _longest_wait(incident: Incident, chain: Chain) -> timedelta:
    if incident.state is IncidentState.OPEN and pages_people(incident):
        return max((level.wait for level in chain.levels), default=chain.remind_after)
    return max(chain.remind_after, chain.unacknowledge_after)


def decide(incident: Incident, chain: Chain, now: datetime) -> Action | None:
    """None: nothing is due yet."""
    if incident.state is IncidentState.RESOLVED or due_in(incident, chain, now) != timedelta():
        return None
    if incident.state is IncidentState.OPEN and pages_people(incident):
        return next_page(incident, chain) or Rest()
    if incident.reminded_at is None:
        waits = incident.state is IncidentState.ACKNOWLEDGED and pages_people(incident)
        return Remind(chain.unacknowledge_after if waits else None)
    if incident.state is IncidentState.ACKNOWLEDGED and pages_people(incident):
        return TakeBack()
    return Rest()


def find_joined(event: AlertEvent, incidents: Sequence[Incident], alerts: Sequence[JoinedAlert]) -> Incident | None:
    """The unresolved incident to which an alert belongs: of the same cause, else about the same service; the oldest.

    Alerts of the same fingerprint, the same message or the same outage have the same cause. `alerts`: of these
    incidents. An incident that names several services or none is joined by its cause only, and so is one that pages
    no one: people have to hear of what is new.
    """
    same_cause = {
        alert.incident_id
        for alert in alerts
        if alert.fingerprint == event.fingerprint
        or alert.message_key == event.message_key
        or is_same_outage(event.fingerprint, [alert.fingerprint])
    }
    by_cause = [one for one in incidents if one.id in same_cause]
    by_service = [
        one
        for one in incidents
        if event.service is not None and one.services == (event.service.value,) and one.severity.pages_people
    ]
    return next(iter([*by_cause, *by_service]), None)


OLDEST_EVENT = timedelta(hours=1)  # PagerDuty repeats an event for as long as that at most, and a replay is older
CLOCKS_DIFFER = timedelta(minutes=5)  # the pager's clock and ours, at most


def why_ignored(event: PagerEvent, incident: Incident, history: PagerHistory, now: datetime) -> str | None:
    """Why a pager's event changes nothing; None when it counts. Its sender is known, and it was not received before."""
    if incident.state is IncidentState.RESOLVED:
        return "the incident is resolved"
    if not now - OLDEST_EVENT <= event.at <= now + CLOCKS_DIFFER:
        return "it is older than an hour" if event.at < now else "it is from the future"
    if event.at < min(incident.opened_at, now) - CLOCKS_DIFFER:
        return "it is older than the incident"
    if history.newest_at is not None and event.at < history.newest_at:
        return "a newer event came first"
    if event.action is PagerAction.UNACKNOWLEDGED:
        return _why_not_reopened(event, incident, history, now)
    if history.reopened_at is not None and event.at <= _at_the_latest(history.reopened_at, now):
        return "the incident was reopened after it"
    return _why_not_answered(event, incident)


def _at_the_latest(stored: datetime, now: datetime) -> datetime:
    """When it was. A time that lies ahead was stored before the database's clock stepped back: what a
    pager reports of the last minutes counts as newer."""
    return stored if stored <= now else now - CLOCKS_DIFFER


def _why_not_reopened(event: PagerEvent, incident: Incident, history: PagerHistory, now: datetime) -> str | None:
    """A timeout of the pager counts for those who acknowledged there: who works in Slack answers reminders here."""
    owner = incident.acknowledged_by
    if owner is None or incident.acknowledged_at is None:
        return "no one is assigned"
    if event.at < _at_the_latest(incident.acknowledged_at, now):
        return "it was acknowledged again after it"
    return None if event.by is not None or owner.user_id == history.owner else "its assignee works in Slack"


def _why_not_answered(event: PagerEvent, incident: Incident) -> str | None:
    match event.action:
        case PagerAction.REASSIGNED:
            return "it names no person" if event.assignee is None else None
        case _ if event.by is None:
            return "no person did it"  # our own call, as the pager reports it
        case PagerAction.ACKNOWLEDGED if incident.state is IncidentState.ACKNOWLEDGED:
            return "it is acknowledged already"
        case _:
            return None
