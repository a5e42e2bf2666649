"""Decides the next action of an incident: page people, remind its owner, reopen, take a pager's answer; pure."""

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
    """Page this level. `number`: of the page in the incident, from 1; `index`: of the level in the chain, from 0."""

    number: int
    index: int
    level: ChainLevel


@dataclass(frozen=True)
class Remind:
    """Ask the owner after no activity for a while. `due_in`: how long to wait for an answer; None: do not wait."""

    due_in: timedelta | None


@dataclass(frozen=True)
class TakeBack:
    """Reopen the incident and page people: the reminder got no answer."""


@dataclass(frozen=True)
class Rest:
    """Do nothing until something changes."""


Action = PageLevel | Remind | TakeBack | Rest


def pages_people(incident: Incident) -> bool:
    """True if the incident is severe enough to page people, and has not cleared."""
    return incident.severity.pages_people and incident.cleared_at is None


def next_page(incident: Incident, chain: Chain) -> PageLevel | None:
    """Return the next level to page; None if the chain has no one."""
    level = chain.level(incident.next_level)
    if level is None:
        return None
    return PageLevel(incident.pages + 1, incident.next_level % len(chain.levels), level)


def due_in(incident: Incident, chain: Chain, now: datetime) -> timedelta | None:
    """Return the time until the next action is due (zero: now); None if none is due without a change.

    A wait that is longer than the chain's longest was stored before the database's clock stepped back. It counts as
    ended, so that no level is paged late by the clock's error.
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
    """Return the action that is due now; None if none is."""
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
    """Return the oldest unresolved incident with the same cause as the alert, else about the same service.

    Alerts of the same fingerprint, the same message or the same outage have the same cause. `alerts`: of these
    incidents. An incident that names several services or none is joined by its cause only, and so is one that pages
    no one: people have to hear of new problems.
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


OLDEST_EVENT = timedelta(hours=1)  # PagerDuty repeats an event for 1 h at most; an older one is a replay
CLOCKS_DIFFER = timedelta(minutes=5)  # the pager's clock and ours, at most


def why_ignored(event: PagerEvent, incident: Incident, history: PagerHistory, now: datetime) -> str | None:
    """Return why a pager's event changes nothing; None if it counts. The caller has checked sender and repetition."""
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
    """Return a stored time, or one just before `now` if it lies ahead.

    A time ahead was stored before the database's clock stepped back; a pager's event of the last minutes is newer.
    """
    return stored if stored <= now else now - CLOCKS_DIFFER


def _why_not_reopened(event: PagerEvent, incident: Incident, history: PagerHistory, now: datetime) -> str | None:
    """A timeout of the pager counts only for owners who acknowledged there; others answer the reminders in Slack."""
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
            return "no person did it"  # our own request, as the pager reports it
        case PagerAction.ACKNOWLEDGED if incident.state is IncidentState.ACKNOWLEDGED:
            return "it is acknowledged already"
        case _:
            return None
