"""The recent changes, newest first, and the sources of them that could not be read."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from playbooks.recent_changes import LOOK_BACK, ONE_ROLLOUT, Facts, recent_changes
from services.domain.database import ONE_GO, AppliedMigration, MigrationStatus
from services.domain.deployments import Deployment, DeploymentStatus, ReplicaChange
from services.domain.errors import Unavailable
from services.domain.runs import RunState
from services.domain.services import Service
from services.domain.systems import RUNBOOK
from tests.unit.bot.views.test_run import a_run

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
AWAY = Unavailable("Railway", "no answer within 5 s")
NONE = MigrationStatus((), (), (), ())
QUIET = Facts(dict.fromkeys(RUNBOOK.services, ()), NONE, (), (), NOW)
SCALED = ReplicaChange(Service.INGEST, 2, 1, NOW - 11 * MINUTE, NOW - 10 * MINUTE)


def deployment(ago: timedelta, message: str | None = "Fix it\n\nat last") -> Deployment:
    return Deployment(
        "d1", DeploymentStatus.SUCCESS, NOW - ago, commit_sha="a1b2c3d4e5f6", commit_message=message, author="Ann"
    )


def words(facts: Facts) -> list[str]:
    return [one.words for one in recent_changes(facts).happenings]


def test_deployments_and_migrations_are_reported_newest_first() -> None:
    applied = AppliedMigration("20251202000500", "incidents", NOW - 5 * MINUTE, None)
    facts = replace(
        QUIET,
        deployments=dict(QUIET.deployments) | {Service.INGEST: [deployment(10 * MINUTE)]},
        migrations=MigrationStatus((applied,), (), (), ()),
    )

    assert words(facts) == [
        "migration 20251202000500 incidents applied",
        "a1b2c3d4 deployed to ingest, commit by Ann: Fix it",
    ]


def test_recent_changes_show_one_commit_on_several_services_as_one_line() -> None:
    crashed = replace(deployment(10 * MINUTE), status=DeploymentStatus.CRASHED)
    facts = replace(QUIET, deployments={Service.API: [deployment(11 * MINUTE)], Service.INGEST: [crashed]})

    [reported] = recent_changes(facts).happenings

    assert reported.words == "a1b2c3d4 deployed to api, ingest (crashed), commit by Ann: Fix it"
    assert reported.at == NOW - 10 * MINUTE


@pytest.mark.parametrize(
    ("apart", "sha", "lines"),
    [
        (ONE_ROLLOUT, "a1b2c3d4e5f6", 1),
        (ONE_ROLLOUT + timedelta(seconds=1), "a1b2c3d4e5f6", 2),
        (MINUTE, "b2c3d4e5f6a1", 2),
        (MINUTE, None, 2),
    ],
    ids=["in one go", "later", "another commit", "no commit"],
)
def test_recent_changes_keep_a_line_per_other_deployment(apart: timedelta, sha: str | None, lines: int) -> None:
    first = deployment(20 * MINUTE)
    second = replace(first, id="d2", commit_sha=sha, created_at=first.created_at + apart)

    assert len(words(replace(QUIET, deployments={Service.API: [first], Service.INGEST: [second]}))) == lines


def test_a_service_that_was_deployed_twice_is_named_once_with_the_newest_state() -> None:
    crashed = replace(deployment(5 * MINUTE), id="d2", status=DeploymentStatus.CRASHED)

    assert words(replace(QUIET, deployments={Service.API: [crashed, deployment(10 * MINUTE)]})) == [
        "a1b2c3d4 deployed to api (crashed), commit by Ann: Fix it"
    ]


@pytest.mark.parametrize(
    ("status", "shown"),
    [
        (DeploymentStatus.SUCCESS, "api"),
        (DeploymentStatus.REMOVED, "api"),
        (DeploymentStatus.FAILED, "api (failed)"),
        (DeploymentStatus.BUILDING, "api (building)"),
    ],
)
def test_a_successful_deployment_is_listed_without_its_status(status: DeploymentStatus, shown: str) -> None:
    [reported] = words(replace(QUIET, deployments={Service.API: [replace(deployment(MINUTE), status=status)]}))

    assert f" to {shown}, " in reported


def test_migrations_of_one_go_are_one_line() -> None:
    first = NOW - 10 * MINUTE
    moments = (first, first + ONE_GO, first + 2 * ONE_GO, first + 3 * ONE_GO + timedelta(seconds=1))
    applied = tuple(
        AppliedMigration(f"2025120200010{n}", f"step_{n}", moment, None) for n, moment in enumerate(moments)
    )

    assert words(replace(QUIET, migrations=MigrationStatus(applied, (), (), ()))) == [
        "migration 20251202000103 step_3 applied",
        "3 migrations applied, the newest 20251202000102 step_2",
    ]


def test_a_database_set_up_just_now_is_one_fact_without_a_version() -> None:
    applied = tuple(AppliedMigration(f"2025120200010{n}", f"step_{n}", NOW, None) for n in range(2))

    assert words(replace(QUIET, migrations=MigrationStatus(applied, (), (), ()))) == ["database set up, 2 migrations"]


def test_changes_older_than_two_hours_are_left_out() -> None:
    listed = [deployment(LOOK_BACK), deployment(LOOK_BACK + timedelta(seconds=1))]

    assert len(words(replace(QUIET, deployments={Service.API: listed}))) == 1


def test_a_source_that_is_away_is_unknown_and_hides_nothing_else() -> None:
    facts = replace(QUIET, deployments={Service.API: AWAY, Service.INGEST: [deployment(MINUTE)]}, runs=AWAY)

    changes = recent_changes(facts)

    assert len(changes.happenings) == 1
    assert changes.unknown == ("deployments of api: no answer within 5 s", "runs: no answer within 5 s")


def test_scaling_by_hand_is_reported_with_what_is_known_of_its_time() -> None:
    [reported] = recent_changes(replace(QUIET, scalings=[SCALED])).happenings

    assert reported.words.startswith("ingest: 2 → 1 replica ")
    assert "no run" in reported.words
    assert reported.words.endswith(" 11:49:00 and 11:50:00 UTC")
    assert reported.at == SCALED.not_after


@pytest.mark.parametrize(
    ("started", "ended", "service", "is_reported"),
    [
        (12, 10.5, Service.INGEST, False),
        (10.5, None, Service.INGEST, False),
        (30, 11, Service.INGEST, False),
        (30, 11.1, Service.INGEST, True),
        (9.9, None, Service.INGEST, True),
        (12, 10.5, Service.API, True),
    ],
    ids=["during it", "since it", "until it", "before it", "after it", "another service"],
)
def test_a_scaling_by_a_run_is_reported_once(
    started: float, ended: float | None, service: Service, is_reported: bool
) -> None:
    run = replace(
        a_run(RunState.SUCCEEDED),
        services=(service.value,),
        started_at=NOW - started * MINUTE,
        ended_at=None if ended is None else NOW - ended * MINUTE,
    )

    facts = replace(QUIET, scalings=[SCALED], runs=[run])

    assert any("in Railway" in one for one in words(facts)) is is_reported
