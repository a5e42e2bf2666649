"""Compares the database's migrations with these files (runbook, "Database Migrations")."""

from __future__ import annotations

from dataclasses import replace

from playbooks.model import Finding, NextStep, Status
from services.domain.database import MigrationStatus
from services.domain.errors import Unavailable
from services.domain.text import counted

STEP = NextStep("Show migrations", "migrations")
CONFIG = NextStep("Check the settings", "check-config")
NOT_REPORTED = "pending migrations: not reported by this system"


def check(status: MigrationStatus | Unavailable) -> list[Finding]:
    """One finding: `database.migrations`."""
    if isinstance(status, Unavailable):
        title = "migrations unknown"
        return [Finding("database.migrations", Status.UNKNOWN, title, status.why, next_step=STEP)]
    evidence: dict[str, object] = {
        "head": status.head,
        "applied": len(status.applied),
        "pending": list(status.pending),
        "changed": list(status.changed),
        "newer": list(status.unknown),
    }
    found, title, detail = _judge(status) if status.is_migrated else _judge_own(status)
    if not status.is_migrated:
        recorded = status.recorded
        evidence |= {"pending": list(status.pending) or None, "recorded": recorded.count if recorded else None}
    step = None if found is Status.OK else STEP if status.is_migrated else CONFIG
    return [Finding("database.migrations", found, title, detail, evidence=evidence, next_step=step)]


def proved(finding: Finding) -> Finding:
    """The finding for a caller that relies on no pending migration: UNKNOWN for an existing system, which does not
    report it."""
    is_known = finding.status is not Status.OK or finding.evidence.get("pending") is not None
    return finding if is_known else replace(finding, status=Status.UNKNOWN, next_step=STEP)


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


def _judge_own(status: MigrationStatus) -> tuple[Status, str, str]:
    """The finding for an existing system: the bot's schema is compared, the system's own migrations are counted."""
    of_the_bot = "of the bot's schema"
    if status.changed:
        title = f"{_count(status.changed)} {of_the_bot} changed after being applied"
        return Status.FAIL, title, f"{', '.join(status.changed)}: the file differs from what the database ran"
    if status.pending:
        title = f"{_count(status.pending)} {of_the_bot} not applied"
        return Status.WARN, title, "run `dragonfly adopt` on a terminal before the new bot is deployed"
    recorded, own = status.recorded, f"all {_count(status.applied)} {of_the_bot} applied"
    if recorded is None:
        return Status.OK, NOT_REPORTED, f"what is recorded may not be read; {own}"
    newest = f", the newest {recorded.head}" if recorded.head else ""
    return Status.OK, NOT_REPORTED, f"{_count_of(recorded.count)} recorded by Supabase's CLI{newest}; {own}"


def _count_of(count: int) -> str:
    return counted(count, "migration")


def _count(migrations: tuple[object, ...]) -> str:
    return _count_of(len(migrations))
