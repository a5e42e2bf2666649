"""The check of heartbeats: live workers against the expected number."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from playbooks.checks.heartbeats import Facts, check, limit_words, next_deadline
from playbooks.model import Status
from services.domain.errors import Unavailable
from services.domain.jobs import Heartbeat
from services.domain.services import WorkerType
from services.domain.systems import RUNBOOK
from services.domain.thresholds import StaleLimits

NOW = datetime(2025, 12, 20, 10, 30, tzinfo=UTC)
STALE_AFTER = StaleLimits(timedelta(seconds=300))
INGEST, ENFORCEMENT = WorkerType.INGEST, WorkerType.ENFORCEMENT
SILENT = Unavailable("Railway", "no answer within 5 s")


def beat(worker_id: str, silent_for: float = 0, *, kind: str = INGEST, status: str = "running") -> Heartbeat:
    return Heartbeat(worker_id, kind, status, NOW - timedelta(seconds=silent_for))


def facts(
    *beats: Heartbeat, ingest: int | Unavailable = 1, enforcement: int | Unavailable = 0, visible: bool = True
) -> Facts:
    return Facts(
        NOW, beats, {INGEST: ingest, ENFORCEMENT: enforcement}, STALE_AFTER, all_visible=visible, system=RUNBOOK
    )


def ingest_status(facts: Facts) -> Status:
    return check(facts)[0].status


def test_heartbeats_are_ok_with_as_many_workers_as_configured() -> None:
    found = check(facts(beat("a"), beat("b", kind=ENFORCEMENT), enforcement=1))

    assert [finding.title for finding in found] == ["ingest 1 of 1 alive", "enforcement 1 of 1 alive"]
    assert {finding.status for finding in found} == {Status.OK}


@pytest.mark.parametrize(("silent_for", "status"), [(300, Status.OK), (300.001, Status.FAIL)])
def test_a_beat_counts_until_its_limit(silent_for: float, status: Status) -> None:
    assert ingest_status(facts(beat("a", silent_for))) is status


SHORT_INGEST = StaleLimits(timedelta(seconds=300), {INGEST: timedelta(seconds=120)})
SHORT_ENFORCEMENT = StaleLimits(timedelta(seconds=300), {ENFORCEMENT: timedelta(seconds=120)})


@pytest.mark.parametrize(
    ("limits", "silent_for", "expected"),
    [
        (SHORT_INGEST, 120, (Status.OK, Status.OK)),
        (SHORT_INGEST, 121, (Status.FAIL, Status.OK)),
        (SHORT_INGEST, 300, (Status.FAIL, Status.OK)),
        (SHORT_INGEST, 301, (Status.FAIL, Status.FAIL)),
        (SHORT_ENFORCEMENT, 120, (Status.OK, Status.OK)),
        (SHORT_ENFORCEMENT, 121, (Status.OK, Status.FAIL)),
        (SHORT_ENFORCEMENT, 300, (Status.OK, Status.FAIL)),
        (SHORT_ENFORCEMENT, 301, (Status.FAIL, Status.FAIL)),
    ],
)
def test_a_worker_type_is_stale_past_its_own_limit_only(
    limits: StaleLimits, silent_for: float, expected: tuple[Status, Status]
) -> None:
    both = facts(beat("i", silent_for), beat("e", silent_for, kind=ENFORCEMENT), enforcement=1)

    found = check(replace(both, stale_after=limits))

    assert tuple(finding.status for finding in found) == expected


def test_a_limit_of_its_own_is_named_beside_the_stale_worker() -> None:
    found = check(
        replace(facts(beat("i", 301), beat("e", 301, kind=ENFORCEMENT), enforcement=1), stale_after=SHORT_INGEST)
    )

    assert [finding.detail for finding in found] == [
        "last beat 5 min ago; stale after 2 min; 1 stale",
        "last beat 5 min ago; 1 stale",
    ]


def test_the_next_deadline_is_that_of_the_shorter_limit() -> None:
    both = facts(beat("i", 10), beat("e", 100, kind=ENFORCEMENT))

    assert next_deadline(replace(both, stale_after=SHORT_INGEST)) == NOW + timedelta(seconds=110)
    assert next_deadline(replace(both, stale_after=SHORT_ENFORCEMENT)) == NOW + timedelta(seconds=20)


def test_limits_are_read_as_words() -> None:
    assert limit_words(STALE_AFTER, RUNBOOK) == "5 min"
    assert limit_words(SHORT_INGEST, RUNBOOK) == "5 min, ingest 2 min"


def test_a_stopped_worker_is_not_counted_even_if_it_just_beat() -> None:
    assert ingest_status(facts(beat("a", status="stopped"))) is Status.FAIL


def test_a_worker_that_vanished_is_missed() -> None:
    finding = check(facts(ingest=2))[0]

    assert finding.status is Status.FAIL
    assert finding.title == "ingest is down (0 of 2)"
    assert finding.next_step is not None
    assert finding.next_step.command == "logs ingest"


@pytest.mark.parametrize(
    ("beats", "expected", "words"),
    [
        ([beat("a")], 1, "last beat 0 s ago"),
        ([beat("a"), beat("b", 400)], 1, "last beat 0 s ago"),
        ([beat("a"), beat("b", 400)], 3, "last beat 0 s ago; 1 stale; 1 missing"),
        ([beat("a", 20, status="stopped")], 1, "one stopped 20 s ago; 1 missing"),
        ([beat("a", 20, status="stopped"), beat("b", 400)], 1, "one stopped 20 s ago; 1 stale"),
        ([], 2, "last day; 2 missing"),
    ],
)
def test_lacking_workers_are_stale_or_missing(beats: list[Heartbeat], expected: int, words: str) -> None:
    assert check(facts(*beats, ingest=expected))[0].detail.endswith(words)


def test_workers_of_another_type_do_not_count() -> None:
    assert ingest_status(facts(beat("a", kind=ENFORCEMENT))) is Status.FAIL


def test_zero_replicas_and_no_worker_are_a_stop_on_purpose() -> None:
    finding = check(facts(ingest=0))[0]

    assert (finding.status, finding.title) == (Status.OK, "ingest stopped (0 replicas)")


def test_unknown_replicas_are_unknown_even_while_workers_beat() -> None:
    finding = check(facts(beat("a"), ingest=SILENT))[0]

    assert finding.status is Status.UNKNOWN
    assert "no answer within 5 s" in finding.detail


def test_unreadable_heartbeats_are_unknown_for_each_type() -> None:
    away = Facts(
        NOW, Unavailable("database", "connection refused"), {INGEST: 0, ENFORCEMENT: 0}, STALE_AFTER, system=RUNBOOK
    )

    assert [finding.status for finding in check(away)] == [Status.UNKNOWN, Status.UNKNOWN]


def test_too_few_visible_rows_prove_nothing_when_rows_may_be_hidden() -> None:
    assert ingest_status(facts(ingest=1, visible=False)) is Status.UNKNOWN
    assert ingest_status(facts(beat("a"), ingest=1, visible=False)) is Status.OK


def test_remembered_replicas_are_reported_with_their_age() -> None:
    remembered = Facts(NOW, [beat("a")], {INGEST: 1}, STALE_AFTER, expected_age=timedelta(minutes=3), system=RUNBOOK)

    assert "replicas as known 3 min ago" in check(remembered)[0].detail


def test_the_next_deadline_is_when_the_oldest_living_beat_goes_stale() -> None:
    moment = next_deadline(
        facts(beat("old", 200), beat("young", 10), beat("dead", 400), beat("left", 1, status="stopped"))
    )

    assert moment == NOW + timedelta(seconds=100)


def test_next_deadline_is_none_without_fresh_heartbeats_or_facts() -> None:
    away = Facts(NOW, Unavailable("database", "away"), {}, STALE_AFTER, system=RUNBOOK)

    assert next_deadline(facts(beat("dead", 301))) is None
    assert next_deadline(away) is None
