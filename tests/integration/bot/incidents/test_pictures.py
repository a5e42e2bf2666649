"""The root message of a resolved incident has a chart of the hour before it and, after one edit, the hour after it."""

from __future__ import annotations

import json

from bot.incidents.pictures import IncidentPictures
from bot.world import World
from services.clients.postgres import incidents
from services.clients.postgres.pool import Connection
from services.clients.postgres.queries import read_clock
from services.domain.incidents import IncidentSeverity
from services.domain.services import Service
from services.sandbox.slack.limits import violations
from tests.integration.bot.incidents.conftest import ANN, OLIVIA, Books, Scene, request

KEY = "incident:1"
AXIS = "-1 h        ▲       +1 h"
RECORD = """
INSERT INTO chatops.history (minute, pending, api_ms)
SELECT date_bin('1 minute', now(), '2000-01-01 00:00:00+00') - n * interval '1 minute', %s, 20
FROM generate_series(0, 59) AS n
ON CONFLICT DO NOTHING
"""
MOVE = """
UPDATE chatops.incidents
SET opened_at = opened_at - interval '62 minutes', since = since - interval '62 minutes',
    pictured_at = pictured_at - interval '62 minutes'
"""


async def opened(scene: Scene) -> None:
    await scene.incident_service.open(
        request(OLIVIA), title="No ingest", severity=IncidentSeverity.SEV3, services=[Service.INGEST]
    )


async def test_the_hour_around_an_incident_is_drawn_when_it_is_over_and_completed_at_the_end(
    scene: Scene, books: Books, world: World, as_owner: Connection
) -> None:
    pictures = IncidentPictures(scene.database, world, scene.incident_store)
    await opened(scene)
    await as_owner.execute(RECORD, [4])
    undrawn = await books.blocks(KEY)
    await pictures.tick(scene.fence)  # the incident is still open
    assert await books.blocks(KEY) == undrawn

    await scene.incident_service.resolve(1, request(ANN), "restarted")
    ended = await books.blocks(KEY)
    await pictures.tick(scene.fence)

    drawn = await books.blocks(KEY)
    assert AXIS in drawn
    assert AXIS not in ended
    assert "Queue max 4 jobs · API latency max 20 ms" in drawn
    assert not violations({"text": "x", "blocks": json.loads(drawn)}, surface="message")
    await as_owner.execute("UPDATE chatops.history SET pending = 8")
    await pictures.tick(scene.fence)
    async with scene.database.transaction() as conn:
        await scene.incident_store.update_message(conn, 1)  # as any replica does after a change
    assert await books.blocks(KEY) == drawn  # one edit at the end is enough

    await as_owner.execute("UPDATE chatops.history SET minute = minute - interval '62 minutes'")
    await as_owner.execute(MOVE)
    await as_owner.execute(RECORD, [9])
    await pictures.tick(scene.fence)

    whole = await books.blocks(KEY)
    assert whole.count("▲") == 1
    assert "Queue max 9 jobs" in whole
    await as_owner.execute("UPDATE chatops.history SET pending = 8")
    await pictures.tick(scene.fence)
    assert await books.blocks(KEY) == whole


async def test_an_incident_that_ends_after_hours_gets_its_picture_then(
    scene: Scene, books: Books, world: World, as_owner: Connection
) -> None:
    pictures = IncidentPictures(scene.database, world, scene.incident_store)
    await opened(scene)
    await as_owner.execute(RECORD, [4])
    for _ in range(3):
        await as_owner.execute(MOVE)
    await as_owner.execute("UPDATE chatops.history SET minute = minute - interval '186 minutes'")
    await pictures.tick(scene.fence)
    assert AXIS not in await books.blocks(KEY)
    await scene.incident_service.resolve(1, request(ANN), "restarted")

    await pictures.tick(scene.fence)

    assert "Queue max 4 jobs" in await books.blocks(KEY)


async def test_picture_is_hidden_and_drawn_again_when_an_incident_fires_again(
    scene: Scene, books: Books, world: World, as_owner: Connection
) -> None:
    pictures = IncidentPictures(scene.database, world, scene.incident_store)
    await opened(scene)
    await as_owner.execute(RECORD, [4])

    async def clear(*, is_over: bool) -> str:
        async with scene.database.transaction() as conn:
            at = await read_clock(conn) if is_over else None
            await incidents.set_cleared(conn, incident_id=1, cleared_at=at)
            await scene.incident_store.update_message(conn, 1)
        await pictures.tick(scene.fence)
        return await books.blocks(KEY)

    first = await clear(is_over=True)
    again = await clear(is_over=False)
    await as_owner.execute("UPDATE chatops.history SET pending = 8")
    second = await clear(is_over=True)

    assert "Queue max 4 jobs" in first
    assert AXIS not in again
    assert "Queue max 8 jobs" in second


async def test_an_incident_of_which_nothing_was_recorded_has_no_picture(
    scene: Scene, books: Books, world: World
) -> None:
    await opened(scene)
    await scene.incident_service.resolve(1, request(ANN), "restarted")
    ended = await books.blocks(KEY)

    await IncidentPictures(scene.database, world, scene.incident_store).tick(scene.fence)

    assert await books.blocks(KEY) == ended
