"""Migrations: what the files say against what the database says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class AppliedMigration:
    """One row of `supabase_migrations.schema_migrations`."""

    version: str
    name: str
    executed_at: datetime
    checksum: str | None


@dataclass(frozen=True)
class MigrationStatus:
    """`pending` and `changed` (applied, but the file differs now) are `version_name` in order; `unknown` are versions
    that the database has and the files have not (a newer schema)."""

    applied: tuple[AppliedMigration, ...]
    pending: tuple[str, ...]
    changed: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def head(self) -> str | None:
        """The newest applied version; None on an empty database."""
        return max((m.version for m in self.applied), default=None)


@dataclass(frozen=True)
class PreparedRollback:
    """One file of `sql/rollbacks/`: the way back from the migration of this version. `checksum`: its bytes' SHA-256."""

    version: str
    checksum: str
