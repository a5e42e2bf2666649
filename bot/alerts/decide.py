"""Which alerts open, fire, change or end, given what the checks found and what is open already; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from playbooks._contract import Finding, Status
from playbooks.checks import heartbeats
from services.domain.alerts import AlertState, OpenAlert
from services.domain.errors import Unavailable
from services.domain.services import WorkerType


@dataclass(frozen=True)
class Open:
    """Trouble that may pass by itself: nobody is told yet."""

    finding: Finding


@dataclass(frozen=True)
class Fire:
    """People are told. `alert` is None when the trouble is new."""

    finding: Finding
    alert: OpenAlert | None


@dataclass(frozen=True)
class Update:
    """Still firing, in other words than the message has."""

    finding: Finding
    alert: OpenAlert


@dataclass(frozen=True)
class Resolve:
    """It is over, and people know of it."""

    finding: Finding
    alert: OpenAlert


@dataclass(frozen=True)
class Drop:
    """It passed before anybody was told."""

    alert: OpenAlert


Transition = Open | Fire | Update | Resolve | Drop


def decide(
    facts: heartbeats.Facts, open_alerts: Sequence[OpenAlert], *, database_was_away: bool = False
) -> list[Transition]:
    """What changes now. An unknown finding changes nothing: a missing fact is neither trouble nor its end.

    A beat that just went stale fires at once. Fewer workers than expected without one (a deploy, a scale up) may be on
    their way: that fires once it has lasted as long as a beat may be old. So does silence right after the database was
    away, because nobody could beat then.
    """
    known = {alert.fingerprint: alert for alert in open_alerts}
    transitions = []
    for finding, worker_type in zip(heartbeats.check(_at_least_one(facts)), WorkerType, strict=True):
        fell_silent = not database_was_away and _just_went_stale(facts, worker_type)
        transition = _decide_one(facts, finding, known.get(finding.check), fell_silent=fell_silent)
        if transition is not None:
            transitions.append(transition)
    return transitions


def next_look(facts: heartbeats.Facts, open_alerts: Sequence[OpenAlert]) -> datetime | None:
    """When something may change by the passing of time alone; None when nothing beats and nothing is pending."""
    pending = [alert.since + facts.stale_after for alert in open_alerts if alert.state is AlertState.PENDING]
    beat = heartbeats.next_deadline(facts)
    return min([*pending, *([beat] if beat else [])], default=None)


def _at_least_one(facts: heartbeats.Facts) -> heartbeats.Facts:
    """While nobody ever said how many should run, one of each type that beat lately is the least."""
    if isinstance(facts.heartbeats, Unavailable):
        return facts
    seen = {beat.worker_type for beat in facts.heartbeats if not beat.is_stopped}
    expected = {
        worker_type: 1 if isinstance(count, Unavailable) and worker_type in seen else count
        for worker_type, count in facts.expected.items()
    }
    return heartbeats.Facts(
        facts.as_of, facts.heartbeats, expected, facts.stale_after, facts.expected_age, facts.all_visible
    )


def _decide_one(
    facts: heartbeats.Facts, finding: Finding, alert: OpenAlert | None, *, fell_silent: bool
) -> Transition | None:
    if finding.status is Status.OK:
        return _end(finding, alert)
    if finding.status is not Status.FAIL:
        return None
    if alert is not None and alert.state is AlertState.FIRING:
        return Update(finding, alert) if finding.title != alert.summary else None
    if fell_silent or (alert and facts.as_of >= alert.since + facts.stale_after):
        return Fire(finding, alert)
    return None if alert else Open(finding)


def _end(finding: Finding, alert: OpenAlert | None) -> Transition | None:
    if alert is None:
        return None
    return Resolve(finding, alert) if alert.state is AlertState.FIRING else Drop(alert)


def _just_went_stale(facts: heartbeats.Facts, worker_type: WorkerType) -> bool:
    """Whether a worker of this type fell silent within the last `stale_after`; an older one explains nothing new."""
    if isinstance(facts.heartbeats, Unavailable):
        return False
    own = [beat for beat in facts.heartbeats if beat.worker_type == worker_type and not beat.is_stopped]
    ages = [facts.as_of - beat.stale_at(facts.stale_after) for beat in own]
    return any(timedelta() < age <= facts.stale_after for age in ages)
