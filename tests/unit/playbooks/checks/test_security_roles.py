"""The check of the roles with which the processes connect to the database."""

from __future__ import annotations

from playbooks.checks.security import check_roles
from playbooks.model import Status
from services.domain.database import SessionRole
from services.domain.errors import Unavailable
from services.domain.systems import RUNBOOK


def test_the_meant_role_is_fine() -> None:
    [finding] = check_roles(
        [SessionRole(process, "dragonfly_app") for process in ("dragonfly-api", "dragonfly-api-probe")], RUNBOOK
    )

    assert (finding.check, finding.status) == ("roles.api", Status.OK)


def test_another_role_is_named() -> None:
    [finding] = check_roles(
        [SessionRole("dragonfly-worker-ingest", role) for role in ("dragonfly_app", "postgres")], RUNBOOK
    )

    assert finding.status is Status.WARN
    assert finding.title == "ingest connects as postgres, not as dragonfly_app"


def test_roles_have_no_finding_when_a_pooler_hides_them() -> None:
    assert check_roles([], RUNBOOK) == []


def test_roles_are_unknown_when_the_database_is_unreadable() -> None:
    assert [finding.status for finding in check_roles(Unavailable("database", "away"), RUNBOOK)] == [Status.UNKNOWN]
