"""The next action of an incident that is due, for every combination of state, severity and clearing."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import product

import pytest

from bot.incidents.decide import (
    CLOCKS_DIFFER,
    PageLevel,
    Remind,
    Rest,
    TakeBack,
    decide,
    find_joined,
    next_page,
    pages_people,
    why_ignored,
)
from services.domain.alerts import AlertChange, AlertEvent, Severity
from services.domain.answers import PagerAction, PagerEvent, PagerHistory, PagerUser
from services.domain.escalation_chain import Chain
from services.domain.incidents import Incident, IncidentSeverity, IncidentState
from services.domain.services import Service
from tests.unit.bot.incidents.builders import ANN, CHAIN, LINE, NOW, acknowledged, alert, incident, resolved

SECOND = timedelta(seconds=1)
WAIT = CHAIN.unacknowledge_after


def test_escalation_pages_the_next_level_exactly_when_due() -> None:
    assert decide(incident(), CHAIN, NOW - SECOND) is None
    assert decide(incident(), CHAIN, NOW) == PageLevel(2, 1, CHAIN.levels[1])
    assert decide(incident(due_at=None), CHAIN, NOW) is None


def test_a_wait_that_is_longer_than_any_was_made_so_by_the_clock_and_is_over() -> None:
    longest, reminder = CHAIN.levels[1].wait, max(CHAIN.remind_after, CHAIN.unacknowledge_after)

    assert decide(incident(due_at=NOW + longest), CHAIN, NOW) is None
    assert isinstance(decide(incident(due_at=NOW + longest + SECOND), CHAIN, NOW), PageLevel)
    assert decide(acknowledged(due_at=NOW + reminder), CHAIN, NOW) is None
    assert isinstance(decide(acknowledged(due_at=NOW + reminder + SECOND), CHAIN, NOW), Remind)


def test_pager_event_counts_where_the_clock_stepped_back_after_the_times_it_is_compared_with() -> None:
    """If an acknowledgement counted as older than its incident until the clock catches up, paging would go on."""
    hour = timedelta(hours=1)

    def why(action: PagerAction, before: timedelta, found: Incident, reopened_at: datetime | None = None) -> str | None:
        by = PagerUser("PANN", "Ann")
        event = PagerEvent("01F", action, "incident-1", NOW - before, by)
        return why_ignored(event, found, PagerHistory(None, None, reopened_at), NOW)

    acknowledge, timeout = PagerAction.ACKNOWLEDGED, PagerAction.UNACKNOWLEDGED
    opened = incident(opened_at=NOW + hour)
    assert why(acknowledge, CLOCKS_DIFFER, opened) is None
    assert why(acknowledge, CLOCKS_DIFFER + SECOND, opened) == "it is older than the incident"
    before = incident(opened_at=NOW - hour)
    assert why(acknowledge, SECOND, before, NOW + hour) is None
    assert why(acknowledge, CLOCKS_DIFFER, before, NOW + hour) == "the incident was reopened after it"
    assert why(acknowledge, SECOND, before, NOW - SECOND) == "the incident was reopened after it"
    answered = acknowledged(opened_at=NOW - hour, acknowledged_at=NOW + hour)
    assert why(timeout, SECOND, answered) is None
    assert why(timeout, CLOCKS_DIFFER + SECOND, answered) == "it was acknowledged again after it"


EVERYTHING = list(product(IncidentState, IncidentSeverity, [False, True], [False, True]))


@pytest.mark.parametrize(("state", "severity", "is_over", "reminded"), EVERYTHING)
def test_every_combination_has_its_move(
    state: IncidentState, severity: IncidentSeverity, *, is_over: bool, reminded: bool
) -> None:
    """It pages only while it is open, SEV1 or SEV2, and not cleared; a resolved one has no next action."""
    begun = {IncidentState.OPEN: incident, IncidentState.ACKNOWLEDGED: acknowledged, IncidentState.RESOLVED: resolved}
    one = begun[state](
        severity=severity,
        due_at=NOW,
        cleared_at=NOW if is_over else None,
        reminded_at=NOW if reminded else None,
    )
    urgent = severity is not IncidentSeverity.SEV3 and not is_over

    expected: object
    match state, urgent, reminded:
        case IncidentState.RESOLVED, _, _:
            expected = None
        case IncidentState.OPEN, True, _:
            expected = PageLevel(2, 1, CHAIN.levels[1])
        case IncidentState.ACKNOWLEDGED, True, True:
            expected = TakeBack()
        case IncidentState.ACKNOWLEDGED, True, False:
            expected = Remind(WAIT)
        case _, _, False:
            expected = Remind(None)
        case _:
            expected = Rest()
    assert decide(one, CHAIN, NOW) == expected


def test_levels_are_paged_again_after_the_last() -> None:
    calls = [next_page(incident(pages=n, next_level=n), CHAIN) for n in range(4)]

    assert [(call.number, call.index) for call in calls if call] == [(1, 0), (2, 1), (3, 0), (4, 1)]


def test_without_anyone_to_call_it_rests() -> None:
    assert decide(incident(), Chain(), NOW) == Rest()


# Days with a simulated clock: `apply` changes the incident as the database's functions change its row.


def apply(one: Incident, action: object, now: datetime) -> Incident:
    match action:
        case PageLevel(number, index, level):
            return replace(one, pages=number, next_level=index + 1, due_at=now + level.wait)
        case Remind(due_in):
            return replace(one, reminded_at=now, due_at=now + due_in if due_in else None)
        case TakeBack():
            opened = replace(
                one, state=IncidentState.OPEN, acknowledged_by=None, acknowledged_at=None, reminded_at=None
            )
            return replace(opened, due_at=now)
        case _:
            return replace(one, due_at=None)


def live(one: Incident, until: datetime, *, acknowledge_at: datetime | None = None) -> list[tuple[int, str]]:
    """Each action as (minutes after the opening, its name), by a clock that jumps from deadline to deadline."""
    done: list[tuple[int, str]] = []
    while True:
        if acknowledge_at and (one.due_at is None or one.due_at > acknowledge_at):
            one = replace(
                acknowledged(**{name: getattr(one, name) for name in ("pages", "next_level", "severity")}),
                due_at=acknowledge_at + CHAIN.remind_after,
            )
            acknowledge_at = None
        if one.due_at is None or one.due_at > until:
            return done
        now = one.due_at
        action = decide(one, CHAIN, now)
        name = f"call {action.index}" if isinstance(action, PageLevel) else type(action).__name__
        done.append((int((now - NOW).total_seconds() // 60), name))
        one = apply(one, action, now)


def test_each_level_is_paged_after_its_own_wait_until_a_person_answers() -> None:
    opened = incident(pages=0, next_level=0)

    assert live(opened, NOW + timedelta(minutes=31)) == [
        (0, "call 0"),
        (5, "call 1"),
        (15, "call 0"),
        (20, "call 1"),
        (30, "call 0"),
    ]


def test_a_silent_owner_is_reminded_before_the_next_level_is_paged() -> None:
    opened = incident(pages=0, next_level=0)

    assert live(opened, NOW + timedelta(minutes=50), acknowledge_at=NOW + timedelta(minutes=2)) == [
        (0, "call 0"),
        (32, "Remind"),
        (42, "TakeBack"),
        (42, "call 1"),
    ]


def test_an_incident_that_pages_no_one_has_one_reminder() -> None:
    quiet = incident(pages=0, next_level=0, severity=IncidentSeverity.SEV3)

    assert live(quiet, NOW + timedelta(days=3)) == [(0, "Remind")]


def test_a_week_of_silence_never_stops_paging() -> None:
    calls = live(incident(pages=0, next_level=0), NOW + timedelta(days=7))

    assert len(calls) == 2 * (7 * 24 * 60 // 15) + 1


# The incident that an alert joins


def joined(fingerprint: str, service: Service | None, *others: Incident, message_key: str = "alert:9") -> int | None:
    event = AlertEvent(9, fingerprint, AlertChange.FIRED, Severity.PAGE, service, "x", LINE, NOW, message_key)
    found = find_joined(event, others, [alert(message_key="alert:1")])
    return found.id if found else None


@pytest.mark.parametrize(
    ("fingerprint", "service", "number"),
    [
        ("heartbeats.ingest", None, 7),  # the cause of alert 1, which is in incident 7
        ("queue.backlog", Service.INGEST, 7),
        ("queue.backlog", Service.API, None),
        ("database.down", None, None),
    ],
)
def test_an_alert_joins_what_has_its_cause_or_its_service(
    fingerprint: str, service: Service | None, number: int | None
) -> None:
    assert joined(fingerprint, service, incident()) == number


def test_alerts_of_one_message_have_one_cause() -> None:
    assert joined("heartbeats.enforcement", Service.ENFORCEMENT, incident(), message_key="alert:1") == 7


def test_an_incident_of_several_services_is_joined_by_its_cause_only() -> None:
    both = incident(id=8, services=(Service.INGEST, Service.API))

    assert joined("queue.backlog", Service.INGEST, both) is None
    assert joined("queue.backlog", Service.INGEST, both, incident()) == 7


def test_alert_joins_the_incident_of_its_cause_before_the_oldest_of_its_service() -> None:
    older, newer = incident(id=5, services=(Service.INGEST,)), incident()

    assert joined("heartbeats.ingest", Service.INGEST, older, newer) == 7
    assert joined("queue.backlog", Service.INGEST, older, newer) == 5


def test_people_are_paged_for_severe_incidents_that_are_not_cleared() -> None:
    assert pages_people(incident())
    assert pages_people(acknowledged(acknowledged_by=ANN))
    assert not pages_people(incident(cleared_at=NOW))
    assert not pages_people(incident(severity=IncidentSeverity.SEV3))


def test_an_incident_that_pages_no_one_is_joined_by_its_cause_only() -> None:
    minor = incident(severity=IncidentSeverity.SEV3)

    assert joined("queue.backlog", Service.INGEST, minor) is None
    assert joined("queue.backlog", Service.INGEST, incident(severity=IncidentSeverity.SEV2)) == 7
    assert joined("heartbeats.ingest", Service.INGEST, minor) == 7
    assert joined("crash_loop.ingest", Service.INGEST, minor) == 7  # the same outage as heartbeats.ingest
