"""The checks of the database and of its migrations."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from playbooks.checks import migrations
from playbooks.checks.database import check, sees_all
from playbooks.model import Finding, Status
from services.domain.database import AppliedMigration, MigrationStatus, ServerFacts
from services.domain.errors import Unavailable

NOW = datetime(2025, 12, 20, 10, 30, tzinfo=UTC)
SERVER = ServerFacts(
    "dragonfly_bot", "postgres", NOW, "15.8", ("intake", "ops"), hidden_tables=(), pooler_mode="session"
)
AWAY = Unavailable("database", "connection refused")
APPLIED = (AppliedMigration("20251201000000", "roles", NOW, "ab"), AppliedMigration("20251201000100", "ops", NOW, "cd"))
CURRENT = MigrationStatus(APPLIED, (), (), ())


def by_name(server: ServerFacts) -> dict[str, Finding]:
    return {finding.check: finding for finding in check(server)}


def test_a_reachable_database_reports_role_and_pooler() -> None:
    found = by_name(SERVER)

    assert {finding.status for finding in found.values()} == {Status.OK}
    assert found["database.reachable"].title == "database reachable as dragonfly_bot"
    assert found["database.reachable"].evidence["pooler_mode"] == "session"


@pytest.mark.parametrize("mode", ["session", "direct", "unknown", "new"])
def test_a_pooler_mode_that_changes_nothing_is_not_mentioned(mode: str) -> None:
    assert by_name(replace(SERVER, pooler_mode=mode))["database.reachable"].detail == ""


def test_a_pooler_that_takes_a_feature_away_is_named() -> None:
    assert "no LISTEN" in by_name(replace(SERVER, pooler_mode="transaction"))["database.reachable"].detail


def test_a_database_that_does_not_answer_is_unknown() -> None:
    [finding] = check(AWAY)

    assert (finding.status, finding.detail) == (Status.UNKNOWN, "connection refused")


def test_a_schema_that_is_not_visible_is_wrong_and_named() -> None:
    finding = by_name(replace(SERVER, schemas=("intake",), missing_schemas=("ops",)))["database.schemas"]

    assert finding.status is Status.FAIL
    assert "ops" in finding.title


def test_rows_that_may_be_hidden_are_reported() -> None:
    limited = replace(SERVER, hidden_tables=("ops.job_queue",))

    assert by_name(limited)["database.visibility"].status is Status.UNKNOWN
    assert sees_all(SERVER)
    assert not sees_all(limited)


def migration_finding(status: MigrationStatus | Unavailable) -> Finding:
    [finding] = migrations.check(status)
    return finding


def test_all_applied_is_fine() -> None:
    finding = migration_finding(CURRENT)

    assert (finding.status, finding.title) == (Status.OK, "all 2 migrations applied")
    assert (finding.detail, finding.evidence["head"]) == ("", "20251201000100")


@pytest.mark.parametrize(
    ("status", "expected", "words"),
    [
        (replace(CURRENT, pending=("20251201000200_intake",)), Status.WARN, "1 migration not applied"),
        (replace(CURRENT, changed=("20251201000100_ops",)), Status.FAIL, "1 migration changed"),
        (replace(CURRENT, unknown=("20260101000000", "20260102000000")), Status.WARN, "2 migrations that these files"),
        (AWAY, Status.UNKNOWN, "unknown"),
    ],
)
def test_each_other_state_is_reported(status: MigrationStatus | Unavailable, expected: Status, words: str) -> None:
    finding = migration_finding(status)

    assert finding.status is expected
    assert words in finding.title
    assert finding.next_step is not None


def test_a_changed_file_is_reported_before_a_pending_one() -> None:
    both = replace(CURRENT, pending=("20251201000200_intake",), changed=("20251201000100_ops",))

    assert migration_finding(both).status is Status.FAIL
