"""The history that the demo's database begins with."""

from __future__ import annotations

from datetime import timedelta

from playbooks.recent_changes import LOOK_BACK
from services.clients.postgres.pool import Connection
from services.sandbox.database import HISTORY


async def test_history_makes_a_month_on_call_and_a_database_that_was_not_set_up_just_now(as_owner: Connection) -> None:
    await as_owner.execute(HISTORY.read_bytes())

    found = await as_owner.execute("SELECT count(*), min(now() - resolved_at) > '2 days' FROM chatops.incidents")
    assert await found.fetchone() == (7, True)
    for table in ("chatops.migrations", "supabase_migrations.schema_migrations"):
        found = await as_owner.execute(f"SELECT min(now() - executed_at) FROM {table}")  # noqa: S608 - ours
        [youngest] = await found.fetchone() or [timedelta()]
        assert youngest > LOOK_BACK, table
