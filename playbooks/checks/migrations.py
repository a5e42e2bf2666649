"""Does the database have the migrations that these files have? (runbook, "Database Migrations")"""

from __future__ import annotations

from playbooks.model import Finding, NextStep, Status
from services.domain.database import MigrationStatus
from services.domain.errors import Unavailable
from services.domain.text import counted

STEP = NextStep("Show migrations", "migrations")


def check(status: MigrationStatus | Unavailable) -> list[Finding]:
    """One finding: `database.migrations`."""
    if isinstance(status, Unavailable):
        title = "migrations unknown"
        return [Finding("database.migrations", Status.UNKNOWN, title, status.why, next_step=STEP)]
    evidence = {
        "head": status.head,
        "applied": len(status.applied),
        "pending": list(status.pending),
        "changed": list(status.changed),
        "newer": list(status.unknown),
    }
    found, title, detail = _judge(status)
    step = None if found is Status.OK else STEP
    return [Finding("database.migrations", found, title, detail, evidence=evidence, next_step=step)]


def _judge(status: MigrationStatus) -> tuple[Status, str, str]:
    if status.changed:
        title = f"{_count(status.changed)} changed after being applied"
        return Status.FAIL, title, f"{', '.join(status.changed)}: the file differs from what the database ran"
    if status.pending:
        return Status.WARN, f"{_count(status.pending)} not applied", "apply them before new code is deployed"
    if status.unknown:
        detail = "normal after a code rollback, else this bot is older than the database"
        return Status.WARN, f"database has {_count(status.unknown)} that these files lack", detail
    return Status.OK, f"all {_count(status.applied)} applied", ""


def _count(migrations: tuple[object, ...]) -> str:
    return counted(len(migrations), "migration")
