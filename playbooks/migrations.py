"""Which migrations has the database run, and are they the ones in these files? (runbook, "Database Migrations")

When:   before a deploy, and when code meets a schema that it does not expect.
Effect: none, it only reads.
"""

from __future__ import annotations

from collections.abc import Sequence

from playbooks._contract import Finding
from playbooks.checks import migrations
from services.domain.errors import Unavailable
from services.domain.migrations import AppliedMigration, MigrationStatus

SHOWN = 10  # as many as the runbook's query lists


def check(status: MigrationStatus | Unavailable) -> list[Finding]:
    """One finding: `database.migrations`."""
    return migrations.check(status)


def newest(status: MigrationStatus) -> Sequence[AppliedMigration]:
    """The applied migrations that are worth showing, newest first."""
    return sorted(status.applied, key=lambda migration: migration.version, reverse=True)[:SHOWN]
