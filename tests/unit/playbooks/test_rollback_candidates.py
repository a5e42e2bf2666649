"""The candidates of a rollback, ranked by evidence."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from playbooks.change_parts import Standing
from playbooks.rollback_candidates import (
    MOST_FAILED,
    PROVEN_AFTER,
    TRIED_AFTER,
    Candidate,
    Past,
    deployed_at,
    rank,
    served_periods,
)
from services.domain.database import AppliedMigration, MigrationStatus
from services.domain.deployments import Deployment, DeploymentStatus
from services.domain.errors import Unavailable
from services.domain.jobs import JobOutcomes
from services.domain.services import Service
from tests.unit.playbooks.builders import NOW, deployment, sha, state

REMOVED, FAILED, CRASHED = DeploymentStatus.REMOVED, DeploymentStatus.FAILED, DeploymentStatus.CRASHED
API, INGEST = Service.API, Service.INGEST
NONE_APPLIED = MigrationStatus((), (), (), ())

NOW_SERVING = deployment("now", sha("c"), age_h=2)
BEFORE = deployment("before", sha("b"), age_h=26, status=REMOVED, ended_h=2)
LONG_AGO = deployment("long-ago", sha("a"), age_h=170, status=REMOVED, ended_h=26)


def past(*deployments: Deployment, service: Service = API, **outcomes: JobOutcomes) -> Past:
    ends = {one.id: outcomes.get(one.id.replace("-", "_"), JobOutcomes(0, 0)) for one in deployments}
    return Past(Standing(service, state(service, current=deployments[0]), deployments[0]), deployments, ends, NOW)


def hours(candidate: Candidate) -> float:
    return candidate.served / timedelta(hours=1)


def test_a_deployment_serves_until_the_next_that_ran() -> None:
    never_ran = deployment("never-ran", status=FAILED, age_h=20, can_rollback=False)

    periods = served_periods([LONG_AGO, never_ran, NOW_SERVING, BEFORE], NOW)

    assert [period.deployment_id for period in periods] == ["now", "before", "long-ago"]
    assert [(period.end - period.begin) / timedelta(hours=1) for period in periods] == [2, 24, 144]


def test_a_crash_ends_its_time() -> None:
    crashed = deployment("crashed", status=CRASHED, age_h=3, ended_h=2.5)

    (period,) = served_periods([crashed], NOW)

    assert period.end - period.begin == timedelta(minutes=30)


def test_the_previous_successful_one_comes_first() -> None:
    ranked = rank([past(NOW_SERVING, BEFORE, LONG_AGO)], NONE_APPLIED, {})

    assert [one.sha for one in ranked] == [sha("b"), sha("a")]
    assert ranked[0].deployments == {API: "before"}
    assert ranked[0].evidence.startswith("ran 24 h, no jobs")


@pytest.mark.parametrize(
    ("served", "words"),
    [(PROVEN_AFTER, "ran 60 min, no"), (PROVEN_AFTER - timedelta(seconds=1), "ran 59 min, not an hour")],
)
def test_rank_evidence_says_when_a_version_ran_less_than_an_hour(served: timedelta, words: str) -> None:
    brief = replace(BEFORE, created_at=NOW_SERVING.created_at - served)

    best = rank([past(NOW_SERVING, brief, LONG_AGO)], NONE_APPLIED, {})[0]

    assert best.sha == sha("b")
    assert best.evidence.startswith(words)
    assert best.is_proven is (served == PROVEN_AFTER)


def test_rank_puts_a_crashed_version_later() -> None:
    crashed = replace(BEFORE, status=CRASHED)

    assert [one.sha for one in rank([past(NOW_SERVING, crashed, LONG_AGO)], NONE_APPLIED, {})] == [sha("a"), sha("b")]


def test_deployments_without_a_commit_are_candidates_of_their_own_service_alone() -> None:
    first = replace(
        deployment("3f2a9c1e-aaaa-4bbb-8ccc-1", "", age_h=26, ended_h=2), image="ghcr.io/x/api:1.2", author="Ann"
    )
    now = deployment("5b6c7d8e-aaaa-4bbb-8ccc-2", "", age_h=2)

    (only,) = rank([past(now, first)], NONE_APPLIED, {})

    assert (only.sha, only.word, only.name) == (None, "3f2a9c1e-aaaa-4bbb-8ccc-1", "deployment 3f2a9c1e")
    assert (only.made_at, only.made_by) == (first.created_at, "Ann")
    assert rank([past(now, first), past(now, first, service=INGEST)], NONE_APPLIED, {}) == ()


def test_rank_marks_versions_newer_than_the_active_one() -> None:
    back = deployment("back", sha("a"), age_h=1)

    ranked = rank(
        [past(back, replace(NOW_SERVING, status=REMOVED, status_updated_at=back.created_at), BEFORE, LONG_AGO)],
        NONE_APPLIED,
        {},
    )

    assert [(one.sha, one.is_newer) for one in ranked] == [(sha("c"), True), (sha("b"), True)]
    assert not any(one.is_newer for one in rank([past(NOW_SERVING, BEFORE, LONG_AGO)], NONE_APPLIED, {}))


def test_a_rollback_and_a_start_again_are_no_deploys() -> None:
    again = deployment("again", sha("c"), age_h=1)
    back = deployment("back", sha("b"), age_h=1)
    was = replace(NOW_SERVING, status=REMOVED)

    assert deployed_at(past(NOW_SERVING, BEFORE)) == NOW_SERVING.created_at
    assert deployed_at(past(again, was, BEFORE)) == NOW_SERVING.created_at
    assert deployed_at(past(back, was, BEFORE)) is None
    assert deployed_at(past(replace(NOW_SERVING, status=FAILED, can_rollback=False), BEFORE)) == NOW_SERVING.created_at


@pytest.mark.parametrize(("served", "first"), [(TRIED_AFTER, "b"), (TRIED_AFTER - timedelta(seconds=1), "a")])
def test_rank_puts_a_version_that_served_too_shortly_later(served: timedelta, first: str) -> None:
    brief = replace(BEFORE, created_at=NOW_SERVING.created_at - served)

    ranked = rank([past(NOW_SERVING, brief, LONG_AGO)], NONE_APPLIED, {})

    assert ranked[0].sha == sha(first)


@pytest.mark.parametrize(("failed", "first"), [(5, "b"), (6, "a")])
def test_rank_puts_a_version_with_failed_jobs_later(failed: int, first: str) -> None:
    outcomes = JobOutcomes(100 - failed, failed)
    assert MOST_FAILED == 0.05

    ranked = rank([past(NOW_SERVING, BEFORE, LONG_AGO, before=outcomes)], NONE_APPLIED, {})

    assert ranked[0].sha == sha(first)


def test_one_without_an_image_comes_last() -> None:
    gone = replace(BEFORE, can_rollback=False)

    ranked = rank([past(NOW_SERVING, gone, LONG_AGO)], NONE_APPLIED, {})

    assert [(one.sha, one.can_roll_back) for one in ranked] == [(sha("a"), True), (sha("b"), False)]


def test_the_times_of_one_commit_add_up_and_its_newest_image_is_taken() -> None:
    again = deployment("again", sha("a"), age_h=12, status=REMOVED, ended_h=2)

    ranked = rank([past(NOW_SERVING, again, BEFORE, LONG_AGO, again=JobOutcomes(9, 1))], NONE_APPLIED, {})

    found = next(one for one in ranked if one.sha == sha("a"))
    assert (found.deployments, hours(found)) == ({API: "again"}, 10 + 144)
    assert found.jobs == JobOutcomes(9, 1)


def test_the_commit_that_serves_is_no_candidate() -> None:
    assert rank([past(NOW_SERVING)], NONE_APPLIED, {}) == ()


@pytest.mark.parametrize(("executed_h", "count"), [(1.99, 1), (2.01, 0)])
def test_migrations_since_are_those_after_it_last_served(executed_h: float, count: int) -> None:
    set_up = AppliedMigration("20251201000000", "roles", NOW - timedelta(days=90), None)
    applied = AppliedMigration("20260105000000", "new", NOW - timedelta(hours=executed_h), None)

    (best, *_) = rank([past(NOW_SERVING, BEFORE)], replace(NONE_APPLIED, applied=(set_up, applied)), {})

    assert best.migrations_since == count


def test_rank_ignores_migrations_without_a_time() -> None:
    set_up = tuple(AppliedMigration(f"2026010500000{n}", "new", NOW, None) for n in range(3))

    (best, *_) = rank([past(NOW_SERVING, BEFORE)], replace(NONE_APPLIED, applied=set_up), {})

    assert best.migrations_since == 0


def test_rank_keeps_unreadable_facts_unknown() -> None:
    away = Unavailable("database", "no answer within 5 s")

    (best,) = rank([replace(past(NOW_SERVING, BEFORE), outcomes=away)], away, {})

    assert (best.jobs, best.migrations_since) == (None, None)


def test_services_go_back_together_to_a_commit_that_each_of_them_had() -> None:
    api = past(NOW_SERVING, BEFORE, LONG_AGO, before=JobOutcomes(50, 0))
    newer = deployment("ingest-before", sha("b"), age_h=5, status=REMOVED, ended_h=2)
    ingest = past(NOW_SERVING, newer, service=INGEST, ingest_before=JobOutcomes(40, 10))

    (only,) = rank([ingest, api], NONE_APPLIED, {})

    assert (only.sha, only.deployments) == (sha("b"), {INGEST: "ingest-before", API: "before"})
    assert (hours(only), only.jobs) == (3, JobOutcomes(90, 10))


def test_a_service_that_serves_the_commit_already_stays() -> None:
    there = past(deployment("there", sha("b"), age_h=3), service=INGEST)

    (only,) = rank([there, past(NOW_SERVING, BEFORE)], NONE_APPLIED, {})

    assert only.deployments == {API: "before"}
