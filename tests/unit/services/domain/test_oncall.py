"""The on-call schedule: the person on call at every moment, through clock changes too."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.domain.channels import Channel
from services.domain.escalation_chain import Chain, ChainLevel, Target, decode_chain, encode_chain
from services.domain.oncall import Gap, Level, OnCallPerson, Override, Schedule, gaps, make_chain, on_call
from services.domain.people import Person
from services.domain.rotations import Hours, Rotation, next_handover, shift_of

BERLIN, NEW_YORK, APIA = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York"), ZoneInfo("Pacific/Apia")
WEEKLY = Rotation("primary", ("ann", "ben", "cem"), 7, date(2026, 1, 5), time(9), BERLIN)
DAILY = replace(WEEKLY, days=1)
FIRST = datetime(2026, 1, 5, 9, tzinfo=BERLIN)
SECOND = timedelta(seconds=1)
ANN = OnCallPerson("ann", "U1", webhook="ann", email="ann")
BEN = OnCallPerson("ben", "U2")
CEM = OnCallPerson("cem", "U3")
EVERYBODY = {"ann": ANN, "ben": BEN, "cem": CEM}
ALL = frozenset(Channel)
WAIT = timedelta(minutes=5)


def schedule(*levels: Level, **rotations: Rotation) -> Schedule:
    return Schedule(EVERYBODY, rotations or {"primary": WEEKLY}, levels or (Level(("primary",), ALL, WAIT),))


def override(begins: datetime, ends: datetime, user: str = "U3", rotation: str = "primary") -> Override:
    return Override(1, rotation, user, begins, ends, Person("U1", "T1"), begins)


def test_turns_follow_each_other_and_begin_again() -> None:
    weeks = [shift_of(WEEKLY, FIRST + timedelta(weeks=n)) for n in range(4)]

    assert weeks == ["ann", "ben", "cem", "ann"]


def test_a_turn_ends_at_the_very_handover() -> None:
    handover = FIRST + timedelta(weeks=1)

    assert [shift_of(WEEKLY, handover - SECOND), shift_of(WEEKLY, handover)] == ["ann", "ben"]


def test_no_one_has_a_turn_before_the_first_and_from_the_last_day_on() -> None:
    ends = replace(WEEKLY, until=date(2026, 1, 20))
    last = datetime(2026, 1, 20, 9, tzinfo=BERLIN)

    assert shift_of(ends, FIRST - SECOND) is None
    assert [shift_of(ends, last - SECOND), shift_of(ends, last)] == ["cem", None]


def test_a_handover_stays_at_its_hour_when_clocks_change() -> None:
    """Berlin puts its clocks forward on 29 March 2026: from then on 09:00 is 1 h earlier in UTC."""
    before, after = datetime(2026, 3, 23, 8, tzinfo=UTC), datetime(2026, 3, 30, 7, tzinfo=UTC)

    assert next_handover(WEEKLY, before - SECOND) == before
    assert next_handover(WEEKLY, before) == after


def test_an_hour_that_is_twice_hands_over_once() -> None:
    """In New York 01:30 comes twice on 1 November 2026."""
    nightly = Rotation("primary", ("ann", "ben"), 1, date(2026, 10, 31), time(1, 30), NEW_YORK)
    first = datetime(2026, 11, 1, 1, 30, tzinfo=NEW_YORK).astimezone(UTC)
    turns = [shift_of(nightly, first + timedelta(minutes=minutes)) for minutes in range(-30, 120, 10)]

    assert turns == ["ann"] * 3 + ["ben"] * 12


def test_an_hour_that_is_left_out_hands_over_all_the_same() -> None:
    """In New York there is no 02:30 on 8 March 2026."""
    nightly = Rotation("primary", ("ann", "ben"), 1, date(2026, 3, 7), time(2, 30), NEW_YORK)
    jump = datetime(2026, 3, 8, 3, tzinfo=NEW_YORK).astimezone(UTC)

    assert shift_of(nightly, jump - timedelta(minutes=1)) == "ann"
    assert shift_of(nightly, jump + timedelta(minutes=30)) == "ben"


def following_handover(rotation: Rotation, at: datetime) -> datetime:
    found = next_handover(rotation, at)
    assert found is not None
    return found


@given(
    zone=st.sampled_from([BERLIN, NEW_YORK, APIA, ZoneInfo("UTC"), ZoneInfo("Australia/Lord_Howe")]),
    starts=st.dates(date(2024, 1, 1), date(2027, 1, 1)),
    handover=st.times(),
    days=st.sampled_from([1, 7]),
    later=st.timedeltas(timedelta(), timedelta(days=800)),
)
def test_a_person_always_has_the_turn_and_turns_are_as_long_as_they_should_be(
    zone: ZoneInfo, starts: date, handover: time, days: int, later: timedelta
) -> None:
    rotation = Rotation("primary", ("ann", "ben", "cem"), days, starts, handover.replace(fold=0), zone)
    at = datetime.combine(starts, handover, tzinfo=zone).astimezone(UTC) + later
    handovers = [following_handover(rotation, at)]
    for _ in range(3):
        handovers.append(following_handover(rotation, handovers[-1]))

    turns = [shift_of(rotation, at), *(shift_of(rotation, moment) for moment in handovers)]

    assert None not in turns
    assert all(earlier != following for earlier, following in pairwise(turns))
    assert all(abs(b - a - timedelta(days=days)) <= timedelta(hours=1) for a, b in pairwise(handovers))
    assert at < handovers[0] <= at + timedelta(days=days, hours=1)


@pytest.mark.parametrize(
    ("hours", "on_duty"),
    [
        (Hours(time(8), time(20)), {8: True, 19: True, 20: False, 3: False, 7: False}),
        (Hours(time(20), time(8)), {20: True, 23: True, 3: True, 7: True, 8: False, 19: False}),
    ],
)
def test_hours_are_of_the_rotations_own_clock_and_may_go_over_midnight(hours: Hours, on_duty: dict[int, bool]) -> None:
    rotation = replace(DAILY, hours=hours)

    found = {hour: shift_of(rotation, datetime(2026, 7, 8, hour, tzinfo=BERLIN)) is not None for hour in on_duty}

    assert found == on_duty


# The people who are paged


def test_a_person_stands_in_from_the_first_moment_until_before_the_last() -> None:
    begins, ends = FIRST + timedelta(hours=1), FIRST + timedelta(hours=3)
    level = Level(("primary",), ALL, WAIT)

    def who(at: datetime) -> list[str]:
        return [person.name for person in on_call(schedule(), level, at, [override(begins, ends)])]

    assert [who(begins - SECOND), who(begins), who(ends - SECOND), who(ends)] == [["ann"], ["cem"], ["cem"], ["ann"]]


def test_newer_override_counts() -> None:
    standing_in = [override(FIRST, FIRST + WAIT, "U2"), override(FIRST, FIRST + WAIT, "U3")]

    (person,) = on_call(schedule(), Level(("primary",), ALL, WAIT), FIRST, standing_in)

    assert person == CEM


def test_override_by_a_person_outside_the_file_is_paged_in_slack() -> None:
    chain = make_chain(schedule(), FIRST, [override(FIRST, FIRST + WAIT, "U9")])

    assert chain.levels[0].targets == (Target(Channel.MENTION, "U9", "U9"), Target(Channel.DIRECT, "U9", "U9"))


def test_a_person_named_twice_in_a_level_is_paged_once() -> None:
    level = Level(("primary", "ann"), ALL, WAIT)

    assert on_call(schedule(level), level, FIRST, []) == [ANN]


def test_people_are_reported_by_the_means_of_the_level_that_they_have() -> None:
    quiet = Level(("primary",), frozenset({Channel.MENTION, Channel.EMAIL}), WAIT)

    chain = make_chain(schedule(quiet, Level(("ben", "S0GROUP"), ALL, 2 * WAIT, webhook="default")), FIRST, [])

    assert chain.levels == (
        ChainLevel("primary", (Target(Channel.MENTION, "U1", "ann"), Target(Channel.EMAIL, "ann", "ann")), WAIT),
        ChainLevel(
            "ben, S0GROUP",
            (
                Target(Channel.MENTION, "U2", "ben"),
                Target(Channel.DIRECT, "U2", "ben"),
                Target(Channel.MENTION, "S0GROUP", "S0GROUP"),
                Target(Channel.WEBHOOK, "default", "default"),
            ),
            2 * WAIT,
        ),
    )


def test_a_level_without_anyone_is_passed_over_and_reported() -> None:
    chain = make_chain(schedule(Level(("primary",), ALL, WAIT), Level(("ben",), ALL, WAIT)), FIRST - SECOND, [])

    assert [level.name for level in chain.levels] == ["ben"]
    assert chain.notes == ("level 1 (primary) has no one on call",)


def absent(slack_id: str) -> str | None:
    return {"U1": "is deactivated in Slack", "S0GONE": "has no members in Slack"}.get(slack_id)


def test_chain_skips_people_gone_from_slack_on_every_channel_and_says_so() -> None:
    level = Level(("ann", "ben", "S0GONE"), ALL, WAIT)

    chain = make_chain(schedule(level), FIRST, [], lambda slack_id: f"@{slack_id}", absent)

    assert {target.who for target in chain.levels[0].targets} == {"ben"}
    assert chain.levels[0].skipped == ("ann is deactivated in Slack", "@S0GONE has no members in Slack")
    assert decode_chain(encode_chain(chain)) == chain


def test_a_level_on_which_everyone_is_gone_is_passed_over_and_reports_why() -> None:
    chain = make_chain(schedule(Level(("ann",), ALL, WAIT), Level(("ben",), ALL, WAIT)), FIRST, [], str, absent)

    assert [level.name for level in chain.levels] == ["ben"]
    assert chain.notes == ("level 1 (ann) has no one on call: ann is deactivated in Slack",)


def test_a_chain_of_a_former_version_is_read() -> None:
    stored = encode_chain(make_chain(schedule(Level(("ben",), ALL, WAIT)), FIRST, []))
    del stored["levels"][0]["skipped"]

    assert decode_chain(stored).levels[0].skipped == ()


def test_an_empty_chain_pages_no_one_and_stops_no_other_incident() -> None:
    assert decode_chain({}) == Chain()


def test_the_levels_begin_again_after_the_last() -> None:
    chain = make_chain(schedule(Level(("ann",), ALL, WAIT), Level(("ben",), ALL, WAIT)), FIRST, [])
    names = [level.name for number in range(4) if (level := chain.level(number))]

    assert names == ["ann", "ben", "ann", "ben"]
    assert Chain().level(0) is None


def test_a_chain_is_stored_and_read_as_it_was() -> None:
    chain = make_chain(schedule(Level(("primary",), ALL, WAIT), Level(("ben",), ALL, WAIT)), FIRST - SECOND, [])

    assert decode_chain(encode_chain(chain)) == chain


# Times when no one is paged


def test_gaps_are_empty_when_turns_follow_each_other() -> None:
    assert gaps(schedule(), FIRST, FIRST + timedelta(days=60), []) == []


def test_a_rotation_that_begins_later_or_ends_leaves_a_gap() -> None:
    ending = replace(WEEKLY, until=date(2026, 1, 20))
    begins, ends = FIRST - timedelta(days=2), FIRST + timedelta(days=30)

    assert gaps(schedule(primary=ending), begins, ends, []) == [
        Gap(0, begins, FIRST),
        Gap(0, datetime(2026, 1, 20, 9, tzinfo=BERLIN), ends),
    ]


def test_two_rotations_that_share_the_day_leave_no_gap_and_one_alone_does() -> None:
    day, night = (replace(DAILY, hours=hours) for hours in (Hours(time(8), time(20)), Hours(time(20), time(8))))
    both = schedule(Level(("day", "night"), ALL, WAIT), day=day, night=night)
    ends = FIRST + timedelta(days=100)  # across a clock change

    assert gaps(both, FIRST, ends, []) == []
    assert len(gaps(schedule(Level(("day",), ALL, WAIT), day=day), FIRST, FIRST + timedelta(days=3), [])) == 3


def test_an_override_fills_a_gap() -> None:
    begins = FIRST - timedelta(hours=2)

    assert gaps(schedule(), begins, FIRST, [override(begins, FIRST)]) == []
    assert gaps(schedule(), begins, FIRST, [override(begins, FIRST - SECOND)]) == [Gap(0, FIRST - SECOND, FIRST)]


@pytest.mark.parametrize("level", [Level(("S0GROUP",), ALL, WAIT), Level((), ALL, WAIT, webhook="default")])
def test_a_level_that_calls_a_group_or_a_pager_is_never_empty(level: Level) -> None:
    assert gaps(schedule(level), FIRST - timedelta(days=9), FIRST, []) == []
