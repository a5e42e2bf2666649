"""A freeze during a move of the queue: one person freezes, another requests an exception, two approve it."""

from __future__ import annotations

from services.clients.postgres.pool import Connection
from services.sandbox.railway.local import LocalRailway
from services.sandbox.slack import model
from tests.integration.bot.running.conftest import StartWhole
from tests.scenarios.conftest import Channel, shown


async def test_a_frozen_service_is_scaled_only_by_an_exception_that_others_agree_to(
    start_whole: StartWhole, channel: Channel, railway: LocalRailway
) -> None:
    await start_whole()

    await channel.type("freeze ingest for 2h the import runs")
    frozen = await channel.expect("*ingest* is frozen by", "the import runs", "allowed: ", "Lift it")
    await channel.type("scale ingest 2")
    await channel.expect("Nothing was done", "ingest is frozen by", "--exception")
    await channel.type("home")
    await channel.expect("Nothing is waiting", "*ingest* is frozen")
    await channel.type("health")
    await channel.expect("dev is", "🧊 ingest is frozen by")

    await channel.type(f"rollback ingest to {railway.commits[1].sha[:8]}")
    back = await channel.expect("WAITING FOR APPROVAL", "rollback goes ahead")
    await channel.press(back, "Deny", by=model.ANN)
    await channel.fill_in("it was the queue", by=model.ANN)
    await channel.type("scale ingest 2 --exception the queue grows")
    asked = await channel.expect("WAITING FOR APPROVAL", "exception from freeze 1", "the queue grows")
    await channel.press(asked, "Approve", by=model.ANN)
    await channel.expect("DONE", f"Approved by <@{model.ANN.id}>", at=asked)

    await channel.type("unfreeze ingest", by=model.BEN)
    over = await channel.expect(f"was lifted by <@{model.BEN.id}>", at=frozen)
    assert "Lift it" not in shown(over)
    await channel.type("freeze")
    await channel.expect("Nothing is frozen")


async def test_a_change_is_agreed_to_by_day_and_starts_at_night_unless_it_is_cancelled(
    start_whole: StartWhole, channel: Channel, as_owner: Connection
) -> None:
    await start_whole()

    await channel.type("scale ingest 2 at 02:00")
    await channel.expect("your confirmation", "It starts ")
    asked = await channel.expect("WAITING FOR CONFIRMATION", "*Starts*")
    await channel.press(asked, "Confirm")
    waits = await channel.expect("SCHEDULED", "Cancel", at=asked)
    await channel.type("runs")
    await channel.expect("1 scheduled")
    await as_owner.execute("UPDATE chatops.runs SET start_at = clock_timestamp()")
    await channel.expect("DONE", at=waits)

    await channel.type("scale ingest 1 at 02:00")
    asked = await channel.expect("WAITING FOR APPROVAL", "*Starts*")
    await channel.press(asked, "Approve", by=model.ANN)
    waits = await channel.expect("SCHEDULED", at=asked)
    await channel.press(waits, "Cancel")
    await channel.expect("CANCELLED", at=waits)
