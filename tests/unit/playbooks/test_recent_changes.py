"""What changed lately, newest first, and what of it nobody knows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from playbooks._recent_changes import LOOK_BACK, Facts, recent_changes
from services.domain.deployments import Deployment, DeploymentStatus
from services.domain.errors import Unavailable
from services.domain.migrations import AppliedMigration, MigrationStatus
from services.domain.services import Service

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
AWAY = Unavailable("Railway", "no answer within 5 s")
NONE = MigrationStatus((), (), (), ())
QUIET = Facts(dict.fromkeys(Service, ()), NONE, (), NOW)


def deployment(ago: timedelta, message: str | None = "Fix it\n\nat last") -> Deployment:
    return Deployment(
        "d1", DeploymentStatus.SUCCESS, NOW - ago, commit_sha="a1b2c3d4e5f6", commit_message=message, author="Ann"
    )


def words(facts: Facts) -> list[str]:
    return [one.words for one in recent_changes(facts).happenings]


def test_deployments_and_migrations_are_told_newest_first() -> None:
    applied = AppliedMigration("20251202000500", "incidents", NOW - 5 * MINUTE, None)
    facts = replace(
        QUIET,
        deployments=dict(QUIET.deployments) | {Service.INGEST: [deployment(10 * MINUTE)]},
        migrations=MigrationStatus((applied,), (), (), ()),
    )

    assert words(facts) == [
        "migration 20251202000500 incidents applied",
        "ingest: deployment of a1b2c3d4 success by Ann: Fix it",
    ]


def test_what_is_older_than_two_hours_is_not_told() -> None:
    listed = [deployment(LOOK_BACK), deployment(LOOK_BACK + timedelta(seconds=1))]

    assert len(words(replace(QUIET, deployments={Service.API: listed}))) == 1


def test_a_source_that_is_away_is_unknown_and_hides_nothing_else() -> None:
    facts = replace(QUIET, deployments={Service.API: AWAY, Service.INGEST: [deployment(MINUTE)]}, runs=AWAY)

    changes = recent_changes(facts)

    assert len(changes.happenings) == 1
    assert changes.unknown == ("deployments of api: no answer within 5 s", "runs: no answer within 5 s")
