"""A destructive migration: announced, approved by a typed phrase, then deployed; code alone can't roll it back."""

from __future__ import annotations

from pathlib import Path

from services.clients.postgres.pool import Connection
from services.sandbox.database import DESTRUCTIVE, plant, plant_destructive
from services.sandbox.railway.local import LocalRailway
from services.sandbox.slack import model
from tests.integration.bot.running.conftest import StartWhole
from tests.scenarios.conftest import Channel, shown

VERSION = DESTRUCTIVE.partition("_")[0]


async def test_a_destructive_migration_is_typed_and_no_rollback_of_code_alone_goes_over_it(
    start_whole: StartWhole, channel: Channel, railway: LocalRailway, as_owner: Connection, tmp_path: Path
) -> None:
    plant_destructive(plant(tmp_path / "sql"))
    older, wanted, running = (one.sha[:8] for one in railway.commits[:3])
    await start_whole(DRAGONFLY_SQL=str(tmp_path / "sql"))

    await channel.type(f"deploy api {wanted}")
    asked = await channel.expect(
        "WAITING FOR APPROVAL",
        f"Revert api: {running} → {wanted}",
        f"undoes {running}",
        f"destructive: {VERSION}_forget drops column ops.intake_logs.remark (line 2)",
        f"squawk on {VERSION}_forget: ban-drop-column in line 2",
        "*Undo:* there",
    )
    for approver in (model.ANN, model.BEN):
        await channel.press(asked, "Approve", by=approver)
        await channel.fill_in(f"deploy api {wanted} dev", by=approver)
    await channel.expect("DONE", at=asked)
    await as_owner.execute("UPDATE supabase_migrations.schema_migrations SET executed_at = now() - interval '90 days'")
    # As the API's pre-deploy command does.
    await as_owner.execute((tmp_path / "sql" / "migrations" / "operated" / f"{DESTRUCTIVE}.sql").read_bytes())
    await as_owner.execute(
        "INSERT INTO supabase_migrations.schema_migrations (version, name) VALUES (%s, 'forget')", (VERSION,)
    )

    await channel.type(f"rollback api to {older}")
    refused = await channel.expect("Nothing was done", f"{older} does not work", VERSION)
    assert f"rollback-db {VERSION}" in shown(refused)

    await channel.type(f"deploy api {older} --dry-run")
    built_again = await channel.expect("DRY RUN", f"{older} does not work", VERSION)
    assert "critical: two people" in shown(built_again)
