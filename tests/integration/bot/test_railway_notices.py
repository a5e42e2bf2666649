"""What Railway's webhook reports beside deployments is told once, masked, and never dropped."""

from __future__ import annotations

from typing import Any

import httpx
from fastapi import FastAPI

from bot.railway_events import add_railway_hook
from bot.railway_notices import RailwayNotices
from bot.wake_ups import WakeUps
from services.clients.postgres.pool import Connection, Database
from services.domain.secrets import Secret
from services.domain.systems import RUNBOOK
from services.sandbox.slack.limits import violations
from tests.conftest import DatabaseUrls

SECRET = "made-up-made-up-made-up-1"


def event(kind: object, service: str | None = "dragonfly-worker-ingest", **more: Any) -> dict[str, Any]:
    """As Railway documents the frame of all events; `details` of these kinds are not documented."""
    resource: dict[str, Any] = {"project": {"name": "dragonfly"}, "environment": {"id": "e1", "name": "production"}}
    resource |= {"service": {"id": "s1", "name": service}} if service else {}
    frame = {"type": kind, "details": {}, "resource": resource, "severity": "WARNING"}
    return frame | {"timestamp": "2026-11-23T12:00:00.000Z"} | more


def hook(database: Database) -> httpx.AsyncClient:
    app, wake_ups = FastAPI(), WakeUps()
    notices = RailwayNotices(database, wake_ups, channel="C1", find_service=RUNBOOK.find_service)
    add_railway_hook(app, secrets=[Secret(SECRET)], environment_id="e1", wake_up=wake_ups.webhook, notify=notices.take)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://bot/hooks/railway/")


async def test_railway_notice_has_its_words_per_kind_and_says_when_it_is_unknown(
    database_urls: DatabaseUrls, as_bot: Connection
) -> None:
    table = {
        "Deployment.oom_killed": "💥 Railway reports that *ingest* was killed because it ran out of memory",
        "Deployment.OomKilled": "💥 Railway reports that *ingest* was killed because it ran out of memory",
        "VolumeAlert.triggered": "⚠️ Railway reports that a volume of *ingest* is filling up",
        "VolumeAlert.resolved": "✅ Railway reports that the volume alert of *ingest* is resolved",
        "Monitor.triggered": "⚠️ Railway reports that a monitor of *ingest* was triggered",
        "Monitor.resolved": "✅ Railway reports that a monitor of *ingest* is resolved",
        "Monitor.deleted": "Railway reports that a monitor of *ingest* was deleted",
        "Backup.lost": "❔ Railway sent an event about *ingest* that this bot does not know",
        7: "❔ Railway sent an event about *ingest* that this bot does not know",
        "Deployment.crashed": None,  # Railway's API reports it
        "DEPLOY": None,
    }
    database = Database.connect_lazily(Secret(database_urls.bot), application_name="test", timeout_s=60.0)
    async with hook(database) as http:
        for kind, wanted in table.items():
            for _ in range(2):  # Railway repeats
                assert (await http.post(SECRET, json=event(kind))).status_code == 202
            rows = await (await as_bot.execute("DELETE FROM chatops.outbox RETURNING text, blocks")).fetchall()
            assert [text for text, _ in rows] == ([wanted] if wanted else []), kind
            assert not any(violations({"text": text, "blocks": blocks}, surface="message") for text, blocks in rows)
        for other in (b"[]", b"{", b"[" * 60_000):
            assert (await http.post(SECRET, content=other)).status_code == 202
        foreign = event("Monitor.triggered") | {"resource": {"environment": {"id": "e2"}}}
        assert (await http.post(SECRET, json=foreign)).status_code == 202
    assert await (await as_bot.execute("SELECT key FROM chatops.outbox")).fetchall() == []
    await database.close()


async def test_railway_notice_is_masked_and_escaped_and_posted_again_at_another_time(
    database_urls: DatabaseUrls, as_bot: Connection
) -> None:
    details = {"metric": "MEMORY <!channel>", "threshold": 80, "who": "jane@roe.test", "id": "x", "more": {"a": 1}}
    database = Database.connect_lazily(Secret(database_urls.bot), application_name="test", timeout_s=60.0)
    async with hook(database) as http:
        await http.post(SECRET, json=event("Monitor.triggered", service=None, details=details))
        await http.post(SECRET, json=event("Monitor.triggered", service=None, details=details, timestamp="later"))

    rows = await (await as_bot.execute("SELECT text, blocks::text FROM chatops.outbox")).fetchall()
    assert len(rows) == 2
    text, blocks = rows[0]
    assert text == "⚠️ Railway reports that a monitor of dragonfly was triggered"
    assert "metric: `MEMORY &lt;!channel&gt;`" in blocks
    assert "threshold: `80`" in blocks
    assert "jane@roe" not in blocks
    assert "nothing was decided by it" in blocks
    await database.close()


async def test_railway_is_asked_to_send_it_again_while_it_cannot_be_stored() -> None:
    away = Database.connect_lazily(
        Secret("postgresql://nobody@127.0.0.1:9/none"), application_name="test", timeout_s=5.0
    )
    async with hook(away) as http:
        assert (await http.post(SECRET, json=event("Monitor.triggered"))).status_code == 503
        assert (await http.post(SECRET, json=event("Deployment.failed"))).status_code == 202
    await away.close()
