"""Similar incidents: the same alert of the same service, resolved within 30 days; nothing else counts."""

from __future__ import annotations

from typing import Any

import pytest

from bot.commands.dispatch import run
from bot.incidents.triage import TriageSummary
from bot.types import Request
from bot.views.terminal import answer_text
from bot.world import World
from services.clients.postgres.pool import Connection
from services.clients.postgres.similar import list_similar_incidents
from services.domain.alerts import AlertChange
from services.domain.errors import UsageError
from services.domain.incidents import SEEN_WITHIN, SIMILAR_LIMIT
from tests.integration.bot.incidents.conftest import ANN, Books, Scene, request
from tests.integration.bot.incidents.test_service import open_one


async def happen(scene: Scene, cause: str | None = "the pool was full", **changes: Any) -> int:
    """Open an incident by an alert, resolve it as Ann unless `cause` is None, and return its number."""
    await scene.alert(AlertChange.FIRED, **changes)
    async with scene.database.read() as conn:
        row = await (await conn.execute("SELECT max(id) FROM chatops.incidents")).fetchone()
    assert row is not None
    if cause is not None:
        await scene.incident_service.resolve(row[0], request(ANN), cause)
    await _close_alerts(scene)
    return int(row[0])


async def _close_alerts(scene: Scene) -> None:
    async with scene.database.transaction() as conn:
        await conn.execute(
            "UPDATE chatops.alerts SET state = 'resolved', resolved_at = clock_timestamp() WHERE state <> 'resolved'"
        )


async def numbers(books: Books, incident_id: int) -> list[int]:
    found = await list_similar_incidents(books.conn, incident_id=incident_id, window=SEEN_WITHIN, limit=SIMILAR_LIMIT)
    return [one.id for one in found]


async def test_diagnosis_says_how_often_it_was_seen_and_what_it_was_last_time(
    scene: Scene, books: Books, world: World
) -> None:
    await happen(scene, "first")
    await happen(scene, "the pool was full, mail ann@example.com")
    third = await happen(scene, None)

    await TriageSummary(scene.database, world, scene.incident_store, step_s=6).tick(scene.fence)

    shown = await books.blocks(f"incident:{third}:diagnosis")
    assert "3rd time in 30 days" in shown
    assert "the pool was full" in shown
    assert "ann@example.com" not in shown
    assert "incident timeline 2" in shown
    assert "incident:2" not in shown


async def test_only_resolved_incidents_of_the_same_kind_and_environment_within_30_days_count(
    scene: Scene, books: Books, as_owner: Connection
) -> None:
    same = await happen(scene)
    await happen(scene, fingerprint="heartbeats.enforcement")
    elsewhere = await happen(scene)
    old = await happen(scene)
    drill = await happen(scene, fingerprint="drill.1")
    this = await happen(scene, None)
    await as_owner.execute("UPDATE chatops.incidents SET environment = 'staging' WHERE id = %s", [elsewhere])
    await as_owner.execute(
        "UPDATE chatops.incidents SET opened_at = opened_at - interval '30 days', since = since - interval '31 days' "
        "WHERE id = %s",
        [old],
    )

    assert await numbers(books, this) == [same]
    assert await numbers(books, drill) == []

    await as_owner.execute(
        "UPDATE chatops.incidents SET opened_at = opened_at + interval '1 hour' WHERE id = %s", [old]
    )
    assert await numbers(books, this) == [same, old]


async def test_an_incident_that_is_open_or_was_opened_by_hand_is_like_no_other(scene: Scene, books: Books) -> None:
    await open_one(scene)
    await scene.incident_service.resolve(1, request(ANN), "x")
    await open_one(scene)
    first = await happen(scene, None, fingerprint="api", service=None)

    assert await numbers(books, 2) == []
    assert await numbers(books, first) == []


async def test_incident_similar_lists_them_with_their_timelines(scene: Scene, world: World) -> None:
    await happen(scene, "first")
    second = await happen(scene, None)

    found = await run(f"incident similar {second}", Request(), world)
    nothing = await run("incident similar 1", Request(), world)

    assert "1 incident like incident 2" in answer_text(found)
    assert "first" in answer_text(found)
    assert "incident timeline 1" in str(found.blocks)
    assert "Nothing like incident 1" in answer_text(nothing)
    with pytest.raises(UsageError, match="no incident 99"):  # a typo is not an outage
        await run("incident similar 99", Request(), world)
