"""The root message of an incident names its owner, in the transaction of the acknowledgement."""

from __future__ import annotations

from bot.incidents import acts
from bot.incidents.store import IncidentStore
from services.domain.people import Person
from tests.integration.bot.alerts.conftest import Engine
from tests.integration.bot.conftest import System

ANN, BEN = Person("U0ANN", "T1"), Person("U0BEN", "T1")
STALE = "ingest is down (0 of 1)"


async def message(engine: Engine) -> str:
    """Return the text of the root message."""
    [found] = [one for one in await engine.posted() if one.key == "incident:1"]
    return found.text


async def acknowledge(engine: Engine, incident_store: IncidentStore, person: Person) -> None:
    async with engine.database.transaction() as conn:
        await acts.acknowledge(incident_store, conn, await acts.find(conn, 1), person)


async def go_silent(engine: Engine, working: System) -> None:
    await engine.tick()
    working.run(
        "UPDATE ops.worker_heartbeats SET last_heartbeat_at = now() - interval '301 seconds'"
        " WHERE worker_id = 'ingest-1'"
    )
    await engine.tick()


async def test_acknowledging_the_incident_edits_its_message(
    engine: Engine, incident_store: IncidentStore, working: System
) -> None:
    await go_silent(engine, working)
    before = await message(engine)
    await acknowledge(engine, incident_store, ANN)

    assert before.startswith(f"🔴 {STALE}")
    assert (await message(engine)).startswith(f"🟡 *ACKNOWLEDGED* by <@U0ANN> · {STALE}")


async def test_next_evaluation_keeps_the_acknowledgement_and_a_new_assignee_replaces_it(
    engine: Engine, incident_store: IncidentStore, working: System
) -> None:
    await go_silent(engine, working)
    await acknowledge(engine, incident_store, ANN)
    working.run("UPDATE chatops.alerts SET said_at = now() - interval '1 minute', detail = 'older words'")
    await engine.tick()
    still = await message(engine)
    await acknowledge(engine, incident_store, BEN)

    assert still.startswith("🟡 *ACKNOWLEDGED* by <@U0ANN>")
    assert (await message(engine)).startswith("🟡 *ACKNOWLEDGED* by <@U0BEN>")


async def test_asking_for_more_people_takes_the_acknowledgement_back(
    engine: Engine, incident_store: IncidentStore, working: System
) -> None:
    await go_silent(engine, working)
    await acknowledge(engine, incident_store, ANN)
    async with engine.database.transaction() as conn:
        await acts.escalate(incident_store, conn, await acts.find(conn, 1), ANN)

    assert (await message(engine)).startswith(f"🔴 {STALE}")


async def test_cleared_message_names_the_person_to_resolve_the_incident(
    engine: Engine, incident_store: IncidentStore, working: System
) -> None:
    await go_silent(engine, working)
    await acknowledge(engine, incident_store, ANN)
    working.run("UPDATE ops.worker_heartbeats SET last_heartbeat_at = now()")
    await engine.tick()

    text = await message(engine)
    assert text.startswith("🟢 *CLEARED*")
    assert "<@U0ANN>" in text
    assert "1 of 1" in text
