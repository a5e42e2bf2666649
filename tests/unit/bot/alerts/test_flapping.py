"""A flapping alert: few notices, one page at most, and the last notice tells the final state."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.domain.alerts import AlertState
from tests.unit.bot.alerts.builders import ANNOUNCING, NOW, fine, signal
from tests.unit.bot.alerts.following import Following, firing

HOUR = timedelta(hours=1)


def follow(changes: list[tuple[float, bool]], *, wait_s: float = 0, look_s: float = 20) -> tuple[Following, datetime]:
    """Evaluate every `look_s` seconds; return the alerts and the time after it. `changes`: `(seconds, is bad)`."""
    following, now = Following(), NOW
    for lasts_s, is_bad in changes:
        for _ in range(max(int(lasts_s / look_s), 1)):
            following.evaluate(now, [signal(wait_s=wait_s) if is_bad else fine(wait_s=wait_s)])
            now += timedelta(seconds=look_s)
    return following, now


@pytest.mark.parametrize("period_s", [36, 60, 120, 300, 900])
@pytest.mark.parametrize("wait_s", [0, 60])
def test_flaps_of_an_hour_are_three_messages_and_one_page_at_most(period_s: int, wait_s: float) -> None:
    flaps = [(period_s / 2, True), (period_s / 2, False)] * (3600 // period_s)

    following, _ = follow(flaps, wait_s=wait_s, look_s=9)

    assert len(following.reported) <= 3
    assert len(following.pages()) <= 1


def test_a_hundred_flaps_an_hour_go_on_firing_and_end_when_they_end() -> None:
    following, now = follow([(18, True), (18, False)] * 100, look_s=9)
    assert firing(following) == {"heartbeats.ingest"}

    for _ in range(int(ANNOUNCING.quiet_s / 20) + 2):
        following.evaluate(now, [fine()])
        now += timedelta(seconds=20)

    assert firing(following) == set()
    assert [one.words for one in following.reported] == [
        "ingest is down (0 of 1)",
        "Firing again: ingest is down (0 of 1)",
    ]


@pytest.mark.parametrize(("apart_s", "is_flap"), [(ANNOUNCING.quiet_s, True), (ANNOUNCING.quiet_s + 20, False)])
def test_two_kills_far_apart_are_no_flap(apart_s: float, is_flap: bool) -> None:
    following, now = follow([(60, True), (apart_s, False), (60, True)])

    following.evaluate(now, [fine()])

    one = following.alerts["heartbeats.ingest"]
    assert one.fires == 2
    assert (one.state is AlertState.FIRING and one.fine_since == now) is is_flap
    assert (one.state is AlertState.RESOLVED) is not is_flap


STRETCHES = st.lists(st.tuples(st.floats(min_value=1, max_value=4000), st.booleans()), min_size=1, max_size=60)


@given(STRETCHES, st.sampled_from([0.0, 60.0, 300.0]))
def test_no_hour_has_more_than_three_messages(changes: list[tuple[float, bool]], wait_s: float) -> None:
    following, _ = follow(changes, wait_s=wait_s)

    times = [one.at for one in following.reported if not one.words.startswith("Still firing: ")]
    for first in times:
        assert sum(first <= at < first + HOUR for at in times) <= 3


@given(STRETCHES, st.sampled_from([0.0, 60.0, 300.0]))
def test_lasting_problem_fires_and_lasting_recovery_resolves(changes: list[tuple[float, bool]], wait_s: float) -> None:
    bad, _ = follow([*changes, (wait_s + 40, True)], wait_s=wait_s)
    good, _ = follow([*changes, (ANNOUNCING.quiet_s + 40, False)], wait_s=wait_s)

    assert firing(bad) == {"heartbeats.ingest"}
    assert firing(good) == set()


@given(STRETCHES, st.sampled_from([0.0, 60.0, 300.0]))
def test_every_transition_is_allowed_by_the_state_machine(changes: list[tuple[float, bool]], wait_s: float) -> None:
    following, _ = follow(changes, wait_s=wait_s)

    for move in following.moves:
        before = move.before.state if move.before else None
        after = move.after.state if move.after else None
        assert (before, after) in ALLOWED
        if move.after is not None and move.after.state is AlertState.FIRING:
            assert move.after.fires >= 1
            assert move.after.fired_at is not None
        if move.change is not None:
            assert move.after is not None


PENDING, FIRING, RESOLVED = AlertState.PENDING, AlertState.FIRING, AlertState.RESOLVED
ALLOWED = {
    (None, PENDING),
    (None, FIRING),
    (PENDING, PENDING),
    (PENDING, FIRING),
    (PENDING, None),
    (PENDING, RESOLVED),
    (FIRING, FIRING),
    (FIRING, RESOLVED),
    (RESOLVED, PENDING),
    (RESOLVED, FIRING),
}
