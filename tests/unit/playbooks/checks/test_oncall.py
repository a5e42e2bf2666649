"""The checks of the on-call schedule: gaps, repeated people, and levels that page in Slack only (muted at night)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from playbooks.checks.oncall import AHEAD, SOON, Facts, Targets, check, check_calendars, check_targets
from playbooks.model import Finding, Status
from services.domain.calendar_slots import CalendarState, Unnamed
from services.domain.channels import Channel
from services.domain.errors import Unavailable
from services.domain.oncall import Level, OnCallPerson, Override, Schedule
from services.domain.people import Person
from services.domain.rotations import Rotation

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ANN = OnCallPerson("ann", "U1", webhook="ann")
BEN = OnCallPerson("ben", "U2", email="ben")
CEM = OnCallPerson("cem", "U3")
ROTATION = Rotation("primary", ("ann", "ben"), 7, date(2026, 11, 2), time(12), ZoneInfo("UTC"))
ALL, WAIT = frozenset(Channel), timedelta(minutes=5)
LEVEL = Level(("primary",), ALL, WAIT)
SCHEDULE = Schedule({"ann": ANN, "ben": BEN, "cem": CEM}, {"primary": ROTATION}, (LEVEL,))
TARGETS = Targets(webhooks=["ann", "default"], emails=["ben"])
AWAY = Unavailable("database", "connection refused")


def ending(on: date) -> Schedule:
    return replace(SCHEDULE, rotations={"primary": replace(ROTATION, until=on)})


def gap(schedule: Schedule, overrides: list[Override] | Unavailable) -> Finding:
    (finding,) = check(Facts(schedule, overrides, NOW))
    return finding


def test_a_schedule_without_gaps_is_fine_even_when_overrides_are_not_known() -> None:
    assert gap(SCHEDULE, []).status is Status.OK
    assert gap(SCHEDULE, AWAY).status is Status.OK


@pytest.mark.parametrize(
    ("ahead", "status"), [(SOON - timedelta(days=1), Status.FAIL), (SOON, Status.WARN), (AHEAD, Status.OK)]
)
def test_a_gap_is_reported_two_weeks_ahead_and_is_urgent_three_days_ahead(ahead: timedelta, status: Status) -> None:
    assert gap(ending((NOW + ahead).date()), []).status is status


def test_a_gap_reports_when_it_begins_and_how_long_it_lasts() -> None:
    coming = gap(ending(date(2026, 11, 24)), [])

    assert "level 1 (primary)" in coming.title
    assert coming.title.endswith(" from 24 Nov 12:00 UTC until 7 Dec 12:00 UTC")
    assert "now until 7 Dec" in gap(ending(date(2026, 11, 20)), []).title


def test_a_person_who_stands_in_fills_a_gap() -> None:
    standing_in = Override(1, "primary", "U9", NOW, NOW + AHEAD, Person("U1", "T1"), NOW)

    assert gap(ending(date(2026, 11, 20)), [standing_in]).status is Status.OK


SECOND = Level(("ben",), ALL, WAIT)


def test_two_levels_that_page_the_same_person_are_a_warning_with_the_time_that_is_lost() -> None:
    both = replace(SCHEDULE, levels=(Level(("ann",), ALL, WAIT), SECOND, Level(("cem",), ALL, WAIT)))
    both = replace(both, rotations={"second": replace(ROTATION, people=("ben",))})
    both = replace(both, levels=(both.levels[0], replace(SECOND, calls=("second",)), both.levels[2]))
    standing_in = Override(1, "second", "U1", NOW, NOW + AHEAD, Person("U1", "T1"), NOW)

    alike, apart = check(Facts(both, [standing_in], NOW)), check(Facts(both, [], NOW))

    assert [(one.check, one.status) for one in apart] == [("oncall.schedule", Status.OK)]
    assert [(one.check, one.status) for one in alike][1:] == [("oncall.repeated.2", Status.WARN)]
    assert alike[1].title.startswith("levels 1 and 2 both page ann")
    assert alike[1].title.endswith("10 min")


def test_a_level_with_a_group_or_a_target_of_its_own_repeats_no_one() -> None:
    for second in (Level(("ann", "S0GROUP"), ALL, WAIT), replace(SECOND, calls=("ann",), webhook="default")):
        levels = replace(SCHEDULE, levels=(Level(("ann",), ALL, WAIT), second))
        assert [one.check for one in check(Facts(levels, [], NOW))] == ["oncall.schedule"]


def test_a_gap_that_an_unread_override_may_fill_is_unknown() -> None:
    finding = gap(ending(date(2026, 11, 24)), AWAY)

    assert (finding.status, finding.detail) == (Status.UNKNOWN, "overrides cannot be read: connection refused")


def test_without_a_file_there_is_nothing_to_check_and_a_broken_one_is_unknown() -> None:
    assert check(Facts(None, [], NOW)) == []
    assert gap(Unavailable("on-call file", "line 3"), []).status is Status.UNKNOWN  # type: ignore[arg-type]


def test_oncall_reports_people_gone_from_slack_per_level() -> None:
    levels = (LEVEL, Level(("cem", "ann", "S0GROUP"), ALL, WAIT))
    absent = {"U1": "is deactivated in Slack", "S0GROUP": "has no members in Slack", "U9": "is deactivated in Slack"}

    found = [one for one in check(Facts(replace(SCHEDULE, levels=levels), [], NOW, absent)) if "absent" in one.check]

    assert [finding.title for finding in found] == [
        "level 1 pages ann, who is deactivated in Slack",
        "level 2 pages ann, who is deactivated in Slack",
        "level 2 pages a user group, which has no members in Slack",
    ]
    assert {finding.status for finding in found} == {Status.FAIL}
    assert "remove S0GROUP from the on-call file" in found[-1].detail


def test_oncall_is_unknown_when_slack_does_not_answer() -> None:
    found = check(Facts(SCHEDULE, [], NOW, Unavailable("Slack", "no answer")))

    assert [(finding.check, finding.status) for finding in found][1:] == [("oncall.absent", Status.UNKNOWN)]


def unreachable(level: Level) -> list[tuple[str, Status]]:
    found = check_targets(replace(SCHEDULE, levels=(level,)), TARGETS)
    return [(finding.title, finding.status) for finding in found]


@pytest.mark.parametrize(
    "level",
    [
        LEVEL,
        Level(("cem", "ann"), ALL, WAIT),
        Level(("cem",), ALL, WAIT, webhook="default"),
        Level(("S0GROUP",), ALL, WAIT, accepts_slack_only=True),
        Level(("primary", "S0GROUP"), ALL, WAIT),
    ],
)
def test_a_level_with_a_pager_or_marked_slack_only_is_fine(level: Level) -> None:
    assert [status for _, status in unreachable(level)] == [Status.OK]


@pytest.mark.parametrize(
    ("level", "whom"),
    [
        (Level(("cem",), ALL, WAIT), "cem"),
        (Level(("primary",), ALL - {Channel.EMAIL}, WAIT), "ben"),
        (Level(("primary",), frozenset({Channel.MENTION}), WAIT), "ann, ben"),
        (Level(("S0GROUP",), ALL, WAIT), "S0GROUP"),
    ],
)
def test_a_level_with_only_slack_fails_and_names_its_people(level: Level, whom: str) -> None:
    assert unreachable(level) == [(f"level 1 reaches {whom} in Slack only", Status.FAIL)]


def test_a_target_without_an_address_is_refused() -> None:
    found = check_targets(SCHEDULE, Targets(webhooks=["ann"]))

    assert [finding.check for finding in found] == ["oncall.target.email.ben"]


def test_a_calendar_that_cannot_be_read_and_events_that_name_no_one_are_findings() -> None:
    def found(**changes: object) -> list[tuple[Status, str]]:
        state = replace(CalendarState("primary", "team", ()), **changes)  # type: ignore[arg-type]
        return [(one.status, one.title) for one in check_calendars([state], NOW)]

    soon, later = (Unnamed("Carl", NOW + days, "names no one of the on-call file") for days in (AHEAD / 2, AHEAD))
    assert found() == [(Status.OK, "the calendar of primary can be read")]
    assert found(problem="refused (404)") == [
        (Status.WARN, "the calendar of primary can't be read: the last good one is in force")
    ]
    never = "the calendar of primary was never read: it puts no one on call"
    assert found(slots=None) == [(Status.UNKNOWN, never)]
    assert found(slots=None, problem="refused (404)") == [(Status.FAIL, never)]
    assert found(unnamed=(soon, later)) == [(Status.WARN, "1 event in the calendar of primary put no one on call")]
    assert found(unnamed=(later,)) == [(Status.OK, "the calendar of primary can be read")]
