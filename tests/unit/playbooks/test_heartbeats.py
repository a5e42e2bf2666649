"""The report of `heartbeats`."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from playbooks.checks.heartbeats import Facts
from playbooks.heartbeats import State, check, list_workers, stopped_count
from playbooks.model import Status
from services.domain.errors import Unavailable
from services.domain.jobs import Heartbeat
from services.domain.services import Service, WorkerType
from services.domain.systems import RUNBOOK
from services.domain.thresholds import StaleLimits

NOW = datetime(2025, 12, 20, 10, 30, tzinfo=UTC)
LIMIT = timedelta(seconds=300)


def beat(
    worker_id: str, silent_for: float = 0, *, kind: str = "ingest_processor", status: str = "running"
) -> Heartbeat:
    return Heartbeat(worker_id, kind, status, NOW - timedelta(seconds=silent_for))


def facts(*beats: Heartbeat, ingest: int | Unavailable = 1) -> Facts:
    return Facts(NOW, beats, {WorkerType.INGEST: ingest, WorkerType.ENFORCEMENT: 0}, StaleLimits(LIMIT), system=RUNBOOK)


def states(facts: Facts) -> list[tuple[State, str | None]]:
    return [(row.state, row.beat.worker_id if row.beat else None) for row in list_workers(facts)]


def test_heartbeats_show_problems_first() -> None:
    stuck = replace(beat("stuck"), current_job_id="j", current_job_started_at=NOW - timedelta(hours=1))

    rows = states(facts(beat("fine"), stuck, beat("error", status="error"), beat("gone", 301), ingest=6))

    assert rows == [
        (State.MISSING, None),
        (State.MISSING, None),
        (State.STALE, "gone"),
        (State.FAILING, "error"),
        (State.STUCK, "stuck"),
        (State.BEATING, "fine"),
    ]


def test_a_dead_worker_whose_place_is_taken_is_only_mentioned() -> None:
    assert states(facts(beat("dead", 900), beat("new"))) == [(State.BEATING, "new"), (State.REPLACED, "dead")]


def test_of_several_dead_ones_the_newest_is_missed() -> None:
    assert states(facts(beat("older", 900), beat("newer", 400))) == [
        (State.STALE, "newer"),
        (State.REPLACED, "older"),
    ]


def test_every_stale_worker_is_shown_as_such_while_replicas_are_unknown() -> None:
    silent = Unavailable("Railway", "HTTP 500")

    assert states(facts(beat("a", 301), beat("b"), ingest=silent)) == [(State.STALE, "a"), (State.BEATING, "b")]


def test_workers_that_reported_goodbye_are_counted_and_not_listed() -> None:
    seen = facts(beat("left", status="stopped"), ingest=0)

    assert states(seen) == []
    assert stopped_count(seen) == 1
    assert stopped_count(seen, [Service.ENFORCEMENT]) == 0


def test_a_type_of_a_newer_version_is_listed_with_all_others_only() -> None:
    seen = facts(beat("new", kind="mail_sender"), beat("a"))

    assert (State.BEATING, "new") in states(seen)
    assert len(list_workers(seen, [Service.INGEST])) == 1


def test_one_service_alone_has_its_own_findings() -> None:
    found = check(facts(ingest=1), [Service.ENFORCEMENT])

    assert [finding.service for finding in found] == [Service.ENFORCEMENT]


def test_nothing_readable_lists_nothing_and_reports_so() -> None:
    away = Facts(NOW, Unavailable("database", "away"), {}, StaleLimits(LIMIT), system=RUNBOOK)

    assert list_workers(away) == []
    assert {finding.status for finding in check(away)} == {Status.UNKNOWN}


AGES = st.lists(
    st.tuples(st.floats(0, 900), st.sampled_from(["starting", "running", "stopping", "stopped"])), max_size=12
)


@given(ages=AGES, expected=st.integers(0, 12))
def test_rows_and_findings_agree_on_how_many_lack(ages: list[tuple[float, str]], expected: int) -> None:
    seen = facts(*(beat(f"w{n}", age, status=status) for n, (age, status) in enumerate(ages)), ingest=expected)

    rows = [row.state for row in list_workers(seen)]
    lacking = rows.count(State.STALE) + rows.count(State.MISSING)

    assert lacking == max(expected - rows.count(State.BEATING), 0)
    assert (lacking > 0) == (check(seen)[0].status is Status.FAIL)
    assert sum(state is not State.MISSING for state in rows) + stopped_count(seen) == len(ages)
