"""The decisions about alerts: when one is announced, announced again, held and resolved."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.alerts.state import decide, next_moment
from bot.alerts.suppression import WorkingRun
from playbooks.model import Status
from services.domain.alerts import AlertChange, AlertState, Severity
from services.domain.services import Service
from tests.unit.bot.alerts.builders import ANNOUNCING, NOW, ago, alert, around, fine, only, signal, silence

PENDING, FIRING, RESOLVED = AlertState.PENDING, AlertState.FIRING, AlertState.RESOLVED
DATABASE: dict[str, Any] = {"fingerprint": "database", "rule": "database", "service": None, "id": 3}


def test_problem_that_need_not_last_is_reported_at_once() -> None:
    move = only(decide([signal()], [], around()))

    assert (move.before, move.change, move.again, move.notice) == (None, AlertChange.FIRED, False, "")
    assert (move.alert.state, move.alert.fires, move.alert.fired_at) == (FIRING, 1, NOW)


def test_problem_that_may_pass_is_only_remembered() -> None:
    move = only(decide([signal(wait_s=60)], [], around()))

    assert (move.alert.state, move.change, move.reason) == (PENDING, None, "fires if it lasts 60 s")


@pytest.mark.parametrize(("since_s", "is_reported"), [(59, False), (60, True)])
def test_an_alert_is_announced_once_it_has_lasted(since_s: float, is_reported: bool) -> None:
    moves = decide([signal(wait_s=60)], [alert(PENDING, since_s=since_s)], around())

    assert [move.change for move in moves] == [AlertChange.FIRED] * is_reported


def test_pending_alert_is_forgotten_when_it_passes() -> None:
    move = only(decide([fine()], [alert(PENDING)], around()))

    assert (move.after, move.change, move.decision) == (None, None, "passed")


def test_a_firing_alert_is_announced_once() -> None:
    assert decide([signal()], [alert()], around()) == []


def test_unknown_rule_result_changes_no_alert() -> None:
    unknown = signal(Status.UNKNOWN)

    assert decide([unknown], [], around()) == []
    assert decide([unknown], [alert()], around()) == []
    assert decide([unknown], [alert(PENDING)], around()) == []


def test_an_alert_clears_when_its_finding_is_fine() -> None:
    move = only(decide([fine()], [alert()], around()))

    assert (move.alert.state, move.alert.resolved_at, move.change) == (RESOLVED, NOW, AlertChange.RESOLVED)


def test_changed_title_edits_the_message_at_most_every_edit_interval() -> None:
    worse = signal(title="ingest is down (0 of 2)")

    assert only(decide([worse], [alert(since_s=ANNOUNCING.edit_every_s)], around())).change is AlertChange.CHANGED
    assert decide([worse], [alert(since_s=ANNOUNCING.edit_every_s - 1)], around()) == []


def test_a_notification_that_becomes_a_page_is_reported_aloud() -> None:
    move = only(decide([signal()], [alert(severity=Severity.NOTIFY)], around()))

    assert (move.change, move.alert.severity) == (AlertChange.FIRED, Severity.PAGE)
    assert move.notice.startswith("This is a page now")


def test_a_page_stays_one_until_it_is_over() -> None:
    assert decide([signal(severity=Severity.NOTIFY)], [alert()], around()) == []


@pytest.mark.parametrize("severity", list(Severity))
def test_an_alert_that_keeps_firing_is_announced_again_after_a_while(severity: Severity) -> None:
    after_s = ANNOUNCING.repeat_after(severity).total_seconds()
    firing = alert(since_s=after_s, severity=severity)

    assert decide([signal(severity=severity)], [replace(firing, told_at=ago(after_s - 1))], around()) == []
    assert only(decide([signal(severity=severity)], [firing], around())).notice.startswith("Still firing: ")


# Firing again


def test_an_alert_that_fires_again_soon_continues_in_its_message() -> None:
    over = alert(RESOLVED, since_s=600, resolved_at=ago(ANNOUNCING.again_within_s))

    move = only(decide([signal()], [over], around()))

    assert (move.before, move.alert.fires, move.again, move.alert.message_key) == (over, 2, True, "alert:7")
    assert move.notice == "Firing again: ingest is down (0 of 1)"


def test_an_alert_that_fires_again_late_gets_a_new_message() -> None:
    over = alert(RESOLVED, since_s=9000, resolved_at=ago(ANNOUNCING.again_within_s + 1))

    move = only(decide([signal()], [over], around()))

    assert (move.before, move.alert.fires, move.again, move.alert.message_key) == (None, 1, False, None)


def test_a_message_is_not_continued_for_more_than_a_day() -> None:
    over = alert(RESOLVED, since_s=60, opened_at=ago(24 * 3600 + 1), resolved_at=ago(10))

    assert only(decide([signal()], [over], around())).before is None


def test_a_repeated_alert_clears_only_after_a_longer_time() -> None:
    back = alert(fires=2)
    calm = only(decide([fine()], [back], around())).alert
    assert (calm.state, calm.fine_since) == (FIRING, NOW)

    almost, then = (NOW + timedelta(seconds=ANNOUNCING.quiet_s - 1), NOW + timedelta(seconds=ANNOUNCING.quiet_s))
    assert decide([fine()], [calm], around(almost)) == []
    assert only(decide([fine()], [calm], around(then))).change is AlertChange.RESOLVED


def test_an_alert_that_fires_again_while_it_is_watched_notifies_no_one() -> None:
    move = only(decide([signal()], [alert(fires=2, fine_since=ago(60))], around()))

    assert (move.alert.fine_since, move.change, move.notice) == (None, AlertChange.CHANGED, "")


def test_pending_alert_that_passes_after_an_earlier_one_stays_resolved() -> None:
    waiting = alert(PENDING, fires=1, resolved_at=ago(600), message_key="alert:7")

    move = only(decide([fine()], [waiting], around()))

    assert (move.alert.state, move.alert.resolved_at, move.change) == (RESOLVED, ago(600), None)


# Suppression


def test_a_silence_holds_it_and_reports_why() -> None:
    move = only(decide([signal()], [], around(silences=[silence()])))

    assert (move.alert.state, move.change, move.decision) == (PENDING, None, "not told")
    assert move.reason == "silence 5: we know"


def test_the_reason_is_written_down_once() -> None:
    silenced = around(silences=[silence()])
    held = only(decide([signal()], [], silenced)).alert

    assert decide([signal()], [held], silenced) == []


def test_a_silence_of_something_else_holds_nothing() -> None:
    assert only(decide([signal()], [], around(silences=[silence("api")]))).change is AlertChange.FIRED


def test_a_silenced_alert_is_announced_when_the_silence_has_ended() -> None:
    held = alert(PENDING, held="silence 5: we know")

    assert only(decide([signal()], [held], around())).change is AlertChange.FIRED


def test_a_silence_quiets_what_fires_and_its_end_reports_it_again() -> None:
    silenced = around(silences=[silence()])
    quiet = only(decide([signal()], [alert()], silenced))
    assert (quiet.change, quiet.decision, quiet.notice) == (AlertChange.CHANGED, "silenced", "")

    aloud = only(decide([signal()], [quiet.alert], around()))

    assert (aloud.change, aloud.again, aloud.alert.held) == (AlertChange.FIRED, True, "")
    assert aloud.notice.startswith("The silence has ended")


def test_silenced_alert_is_not_repeated() -> None:
    quiet = alert(since_s=10 * ANNOUNCING.repeat_page_s, held="silence 5: we know")

    assert decide([signal()], [quiet], around(silences=[silence()])) == []


def test_an_alert_that_clears_while_silenced_notes_it_in_its_thread() -> None:
    quiet = alert(held="silence 5: we know")

    move = only(decide([fine()], [quiet], around(silences=[silence()])))

    assert (move.change, move.alert.held) == (AlertChange.RESOLVED, "")
    assert move.notice.startswith("Resolved while silenced")


def test_a_cause_that_fires_explains_its_effects() -> None:
    move = only(decide([signal()], [alert(**DATABASE)], around()))

    assert (move.decision, move.reason) == ("not told", "explained by database, which is firing")


@pytest.mark.parametrize(
    ("ended_s", "is_reported"), [(ANNOUNCING.aftermath_s - 1, False), (ANNOUNCING.aftermath_s, True)]
)
def test_a_cause_explains_for_a_while_after_it_has_ended(ended_s: float, is_reported: bool) -> None:
    over = alert(RESOLVED, since_s=600, resolved_at=ago(ended_s), **DATABASE)

    move = only(decide([signal()], [over], around()))

    assert (move.change is AlertChange.FIRED) is is_reported


def test_cause_and_effect_of_the_same_moment_are_reported_as_the_cause() -> None:
    cause = signal(rule="database", subject="", service=None, title="database not reached by ingest")

    moves = decide([signal(), cause], [], around())

    assert [(move.alert.fingerprint, move.decision) for move in moves] == [
        ("database", "told"),
        ("heartbeats.ingest", "not told"),
    ]


def test_a_cause_that_is_silenced_explains_nothing() -> None:
    quiet = alert(**DATABASE, held="silence 5: we know")

    assert only(decide([signal()], [quiet], around())).change is AlertChange.FIRED


def test_alert_of_severity_notify_does_not_suppress_a_page() -> None:
    one_of_two = alert(severity=Severity.NOTIFY)
    backlog = signal(rule="backlog", subject="", service=None)

    assert only(decide([backlog], [one_of_two], around())).change is AlertChange.FIRED
    assert only(decide([replace(backlog, severity=Severity.NOTIFY)], [one_of_two], around())).change is None


def test_problem_of_one_service_explains_nothing_about_another() -> None:
    crashing = alert(fingerprint="crash_loop.api", rule="crash_loop", service=Service.API)
    restarts = signal(rule="restarts", severity=Severity.NOTIFY)

    assert only(decide([restarts], [crashing], around())).change is AlertChange.FIRED


def test_nothing_is_news_that_went_stale_while_no_one_looked() -> None:
    blind = around(blind_until=NOW + timedelta(seconds=1))

    assert only(decide([signal()], [], blind)).change is None
    assert only(decide([signal()], [], around(blind_until=NOW))).change is AlertChange.FIRED


def test_a_run_at_work_reports_it_in_its_thread() -> None:
    run = WorkingRun(12, frozenset({Service.INGEST}), "run:12")

    move = only(decide([signal()], [], around(runs=[run])))

    assert (move.change, move.run, move.reason) == (None, run, "run 12 works on ingest")
    assert "ingest is down (0 of 1)" in move.notice


@pytest.mark.parametrize(("since_s", "is_reported"), [(299, False), (300, True)])
def test_a_run_at_work_explains_it_for_five_minutes(since_s: float, is_reported: bool) -> None:
    run = WorkingRun(12, frozenset({Service.INGEST}), "run:12")
    held = alert(PENDING, since_s=since_s, held="run 12 works on ingest")

    moves = decide([signal()], [held], around(runs=[run]))

    assert [move.change for move in moves] == [AlertChange.FIRED] * is_reported


def test_a_run_that_has_failed_explains_nothing_any_more() -> None:
    held = alert(PENDING, since_s=1, held="run 12 works on ingest")

    assert only(decide([signal()], [held], around())).change is AlertChange.FIRED


def test_a_run_on_another_service_explains_nothing() -> None:
    run = WorkingRun(12, frozenset({Service.API}), "run:12")

    assert only(decide([signal()], [], around(runs=[run]))).change is AlertChange.FIRED


# Several results of one alert, and the next evaluation


def test_signals_of_one_kind_are_one_alert() -> None:
    stuck = [signal(rule="workers", title=f"worker {n} stuck") for n in range(3)]

    move = only(decide(stuck, [], around()))

    assert move.alert.title == "worker 0 stuck, and 2 more"


def test_the_next_look_is_when_a_wait_or_a_hold_ends() -> None:
    waiting = alert(PENDING, since_s=290)

    assert next_moment([signal(wait_s=300)], [waiting], around()) == NOW + timedelta(seconds=10)
    blind = around(blind_until=NOW + timedelta(seconds=5))
    assert next_moment([signal(wait_s=300)], [waiting], blind) == NOW + timedelta(seconds=5)


def test_the_next_look_is_when_what_came_back_may_be_over() -> None:
    calm = alert(fires=2, fine_since=ago(ANNOUNCING.quiet_s - 7))

    assert next_moment([fine()], [calm], around()) == NOW + timedelta(seconds=7)


def test_the_next_look_minds_the_end_of_a_silence_and_its_reminder() -> None:
    short, long = silence(left_s=30), silence(left_s=ANNOUNCING.remind_s + 20, id=6)

    assert next_moment([], [], around(silences=[replace(short, reminded_at=NOW)])) == NOW + timedelta(seconds=30)
    assert next_moment([], [], around(silences=[long])) == NOW + timedelta(seconds=20)


def test_next_moment_is_none_without_open_alerts() -> None:
    assert next_moment([fine()], [alert(RESOLVED)], around()) is None


WORKING = WorkingRun(1, frozenset({Service.INGEST}), "run:1")


def test_a_new_outage_is_posted_in_the_thread_of_the_run() -> None:
    move = only(decide([signal()], [], around(runs=[WORKING])))

    assert move.notice.startswith("ingest is down (0 of 1): announced in this thread only while the run is in progress")


def test_a_run_s_thread_does_not_hear_twice_of_an_outage_that_another_alert_announced() -> None:
    crash = alert(fingerprint="crash_loop.ingest", rule="crash_loop", title="ingest crashed (Railway)")

    assert only(decide([signal()], [crash], around(runs=[WORKING]))).notice == ""


def test_a_run_s_thread_does_not_hear_of_the_rest_of_an_outage_whose_alert_has_just_ended() -> None:
    """The crashed version was rolled back, and the new process has not sent a heartbeat yet."""
    crash = alert(RESOLVED, fingerprint="crash_loop.ingest", rule="crash_loop", resolved_at=ago(10))

    [move] = [one for one in decide([signal()], [crash], around(runs=[WORKING])) if one.alert.rule == "heartbeats"]

    assert move.notice == ""


@pytest.mark.parametrize(
    "other",
    [
        {"fingerprint": "crash_loop.ingest", "state": RESOLVED, "resolved_at": ago(ANNOUNCING.run_patience_s + 1)},
        {"fingerprint": "crash_loop.enforcement", "service": Service.ENFORCEMENT},
        {"fingerprint": "crash_loop.ingest", "held": "silence 1: planned"},
        {"fingerprint": "crash_loop.ingest", "state": AlertState.PENDING},
    ],
)
def test_an_unannounced_outage_is_posted_in_the_thread_of_the_run(other: dict[str, Any]) -> None:
    crash = alert(rule="crash_loop", **other)

    [move] = [one for one in decide([signal()], [crash], around(runs=[WORKING])) if one.alert.rule == "heartbeats"]

    assert move.notice.startswith("ingest is down (0 of 1): announced in this thread only while the run is in progress")
