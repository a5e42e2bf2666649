"""Compare the applied migrations with these files (runbook, "Database Migrations")

When:   before a deploy, and when code meets a schema that it does not expect.
Effect: none, it only reads.
"""

from __future__ import annotations

from collections.abc import Sequence

from playbooks.checks import migrations
from playbooks.model import Finding
from services.domain.database import AppliedMigration, MigrationStatus
from services.domain.errors import Unavailable

SHOWN = 10  # as many as the runbook's query lists


def check(status: MigrationStatus | Unavailable) -> list[Finding]:
    """One finding: `database.migrations`."""
    return [migrations.proved(finding) for finding in migrations.check(status)]


def newest(status: MigrationStatus) -> Sequence[AppliedMigration]:
    """The newest applied migrations, newest first."""
    return sorted(status.applied, key=lambda migration: migration.version, reverse=True)[:SHOWN]
