"""When people are told, and when it is over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bot.alerts.decide import Drop, Fire, Open, Resolve, Transition, Update, decide, next_look
from playbooks.checks.heartbeats import Facts
from services.domain.alerts import AlertState, OpenAlert
from services.domain.errors import Unavailable
from services.domain.heartbeats import Heartbeat
from services.domain.services import WorkerType

NOW = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
STALE = timedelta(seconds=300)
SILENT = Unavailable("Railway", "no answer")


def beat(age_s: float, *, status: str = "running", worker_id: str = "i1") -> Heartbeat:
    return Heartbeat(worker_id, WorkerType.INGEST, status, NOW - timedelta(seconds=age_s))


def facts(*beats: Heartbeat, expected: int | Unavailable = 1) -> Facts:
    return Facts(NOW, beats, {WorkerType.INGEST: expected, WorkerType.ENFORCEMENT: 0}, STALE)


def alert(
    state: AlertState = AlertState.FIRING, *, since_s: float = 60, summary: str = "ingest 0 of 1 beating"
) -> OpenAlert:
    since = NOW - timedelta(seconds=since_s)
    return OpenAlert(7, "heartbeats.ingest", state, since, since, summary, "alert:7")


def kinds(transitions: list[Transition]) -> list[type]:
    return [type(transition) for transition in transitions]


def test_beat_that_just_went_stale_fires() -> None:
    assert kinds(decide(facts(beat(300.1)), [])) == [Fire]


def test_beat_at_its_limit_still_counts() -> None:
    assert decide(facts(beat(300)), []) == []


def test_stale_beat_of_a_replaced_worker_alerts_nobody() -> None:
    assert decide(facts(beat(301), beat(1, worker_id="i2")), []) == []


def test_orderly_stopped_worker_is_only_pending() -> None:
    assert kinds(decide(facts(beat(5, status="stopped")), [])) == [Open]


def test_scale_down_to_nothing_alerts_nobody() -> None:
    assert decide(facts(beat(301), expected=0), []) == []


def test_scale_up_is_pending_although_an_old_row_is_stale() -> None:
    assert kinds(decide(facts(beat(1), beat(7200, worker_id="old"), expected=2), [])) == [Open]


@pytest.mark.parametrize(("since_s", "expected"), [(299, []), (300, [Fire])])
def test_pending_fires_when_it_has_lasted(since_s: float, expected: list[type]) -> None:
    assert kinds(decide(facts(), [alert(AlertState.PENDING, since_s=since_s)])) == expected


def test_pending_that_passes_is_dropped() -> None:
    assert kinds(decide(facts(beat(1)), [alert(AlertState.PENDING)])) == [Drop]


def test_firing_is_said_once() -> None:
    assert decide(facts(beat(400)), [alert()]) == []


def test_firing_changes_with_the_numbers() -> None:
    assert kinds(decide(facts(beat(400), expected=2), [alert()])) == [Update]


def test_firing_resolves_when_enough_beat() -> None:
    assert kinds(decide(facts(beat(1)), [alert()])) == [Resolve]


def test_unknown_heartbeats_change_nothing() -> None:
    unknown = Facts(NOW, Unavailable("database", "no answer"), {WorkerType.INGEST: 1}, STALE)

    assert decide(unknown, [alert()]) == []


def test_silence_after_the_database_was_away_is_only_pending() -> None:
    assert kinds(decide(facts(beat(301)), [], database_was_away=True)) == [Open]
    pending = alert(AlertState.PENDING, since_s=300)
    assert kinds(decide(facts(beat(601)), [pending], database_was_away=True)) == [Fire]


def test_rows_that_may_be_hidden_alert_nobody() -> None:
    hidden = Facts(NOW, (beat(301),), {WorkerType.INGEST: 1, WorkerType.ENFORCEMENT: 0}, STALE, all_visible=False)

    assert decide(hidden, []) == []


def test_without_railway_one_worker_of_a_type_that_beat_is_the_least() -> None:
    assert kinds(decide(facts(beat(301), expected=SILENT), [])) == [Fire]
    assert decide(facts(beat(1), expected=SILENT), []) == []
    assert decide(facts(expected=SILENT), []) == []


def test_next_look_is_the_next_deadline() -> None:
    assert next_look(facts(beat(100), beat(10, worker_id="i2")), []) == NOW + timedelta(seconds=200)


def test_next_look_minds_what_is_pending() -> None:
    pending = alert(AlertState.PENDING, since_s=290)

    assert next_look(facts(beat(1)), [pending]) == NOW + timedelta(seconds=10)


def test_nothing_beating_and_nothing_pending_sets_no_time() -> None:
    assert next_look(facts(), [alert()]) is None
