"""A migration that only the sandbox has, newer than any of ours, so that `rollback-db` can be practised at any time."""

from __future__ import annotations

import shutil
from pathlib import Path

from services.postgres.queries import SQL_DIRECTORY

VERSION = "20991231000000"
TABLE = "ops.intake_logs"

_MIGRATION = f"-- Is there to be rolled back. No code reads it.\nCOMMENT ON TABLE {TABLE} IS 'Drilled.';\n"
_ROLLBACK = f"-- Any commit fits the schema afterwards.\nCOMMENT ON TABLE {TABLE} IS NULL;\n"


def plant(directory: Path) -> Path:
    """Write our migrations and rollbacks, and the drill's, into this folder, which `DRAGONFLY_SQL` may then name."""
    shutil.rmtree(directory, ignore_errors=True)
    for kind in ("migrations", "rollbacks"):
        shutil.copytree(SQL_DIRECTORY / kind, directory / kind)
    (directory / "migrations" / f"{VERSION}_drill.sql").write_text(_MIGRATION, encoding="utf-8")
    (directory / "rollbacks" / f"{VERSION}_rollback.sql").write_text(_ROLLBACK, encoding="utf-8")
    return directory
