"""The diagnosis of an incident that is over shows the hour before it, and after one edit the hour after it."""

from __future__ import annotations

import json

from bot.incidents.pictures import IncidentPictures
from bot.incidents.triage import TriageSummary
from bot.wake_ups import WakeUps
from bot.world import World
from services.clients.postgres.pool import Connection
from services.domain.incidents import IncidentSeverity
from services.domain.services import Service
from services.sandbox.slack.limits import violations
from tests.integration.bot.incidents.conftest import ANN, OLIVIA, Books, Scene, request

KEY = "incident:1:diagnosis"
RECORD = """
INSERT INTO chatops.history (minute, pending, api_ms)
SELECT date_bin('1 minute', now(), '2000-01-01 00:00:00+00') - n * interval '1 minute', %s, 20
FROM generate_series(0, 59) AS n
ON CONFLICT DO NOTHING
"""
MOVE = """
UPDATE chatops.incidents
SET opened_at = opened_at - interval '62 minutes', since = since - interval '62 minutes'
"""


async def test_the_hour_around_an_incident_is_drawn_when_it_is_over_and_completed_at_the_end(
    scene: Scene, books: Books, world: World, as_owner: Connection
) -> None:
    pictures = IncidentPictures(scene.database, world, WakeUps())
    await scene.incident_service.open(
        request(OLIVIA), title="No ingest", severity=IncidentSeverity.SEV3, services=[Service.INGEST]
    )
    await pictures.tick(scene.fence)  # nothing is diagnosed yet
    await TriageSummary(scene.database, world, scene.incident_store, step_s=6).tick(scene.fence)
    undrawn = await books.blocks(KEY)
    await pictures.tick(scene.fence)  # nothing was recorded
    assert await books.blocks(KEY) == undrawn

    await as_owner.execute(RECORD, [4])
    await pictures.tick(scene.fence)  # there is work to do in the thread
    assert await books.blocks(KEY) == undrawn
    await scene.incident_service.resolve(1, request(ANN), "restarted")
    await pictures.tick(scene.fence)

    drawn = await books.blocks(KEY)
    assert "-1 h        ▲       +1 h" in drawn
    assert "Queue max 4 jobs · API latency max 20 ms" in drawn
    assert not violations({"text": "x", "blocks": json.loads(drawn)}, surface="message")
    await as_owner.execute("UPDATE chatops.history SET pending = 8")
    await pictures.tick(scene.fence)
    assert await books.blocks(KEY) == drawn  # one edit at the end is enough

    await as_owner.execute("UPDATE chatops.history SET minute = minute - interval '62 minutes'")
    await as_owner.execute(MOVE)
    await as_owner.execute(RECORD, [9])
    await pictures.tick(scene.fence)

    whole = await books.blocks(KEY)
    assert whole.count("▲") == 1
    assert "Queue max 9 jobs" in whole
    assert '"actions"' not in whole
    await pictures.tick(scene.fence)
    assert await books.blocks(KEY) == whole


async def test_an_incident_that_ends_after_hours_keeps_its_picture(
    scene: Scene, books: Books, world: World, as_owner: Connection
) -> None:
    pictures = IncidentPictures(scene.database, world, WakeUps())
    await scene.incident_service.open(
        request(OLIVIA), title="No ingest", severity=IncidentSeverity.SEV3, services=[Service.INGEST]
    )
    await TriageSummary(scene.database, world, scene.incident_store, step_s=6).tick(scene.fence)
    await as_owner.execute(RECORD, [4])
    for _ in range(3):
        await as_owner.execute(MOVE)
    await as_owner.execute("UPDATE chatops.history SET minute = minute - interval '186 minutes'")
    await scene.incident_service.resolve(1, request(ANN), "restarted")

    await pictures.tick(scene.fence)

    assert "Queue max 4 jobs" in await books.blocks(KEY)
