"""Events of Railway's webhook that are not about deployments are announced once, masked, and never dropped."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from fastapi import FastAPI

from bot.railway.notices import MOST_PER_HOUR, RailwayNotices, notice_key, read_notice
from bot.railway.webhook import add_railway_hook
from bot.wake_ups import WakeUps
from services.clients.postgres.pool import Connection, Database
from services.domain.secrets import Secret
from services.domain.systems import RUNBOOK
from services.sandbox.slack.limits import violations
from tests.conftest import DatabaseUrls

SECRET = "made-up-made-up-made-up-1"


def event(kind: object, service: str | None = "dragonfly-worker-ingest", **more: Any) -> dict[str, Any]:
    """An event in the frame that Railway documents; `details` of these kinds are not documented."""
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
        "Deployment.crashed": None,  # Railway's API reports crashes
        "DEPLOY": None,
    }
    database = Database.connect_lazily(Secret(database_urls.bot), application_name="test", timeout_s=60.0)
    async with hook(database) as http:
        for kind, wanted in table.items():
            for _ in range(2):  # Railway may repeat an event
                assert (await http.post(SECRET, json=event(kind))).status_code == 202
            rows = await (await as_bot.execute("DELETE FROM chatops.outbox RETURNING text, blocks")).fetchall()
            assert [text for text, _ in rows] == ([wanted] if wanted else []), kind
            assert not any(violations({"text": text, "blocks": blocks}, surface="message") for text, blocks in rows)
        assert (await http.post(SECRET, json={"type": "Lunar.eclipse"})).status_code == 202
        [nowhere] = await (await as_bot.execute("DELETE FROM chatops.outbox RETURNING text")).fetchall()
        assert nowhere == ("❔ Railway sent an event that this bot does not know",)
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


async def texts(conn: Connection) -> list[str]:
    rows = await (await conn.execute("SELECT text FROM chatops.outbox ORDER BY created_at, key")).fetchall()
    return [text for (text,) in rows]


async def test_a_notice_is_another_one_where_anything_of_it_differs_or_a_minute_passed_without_a_time(
    database_urls: DatabaseUrls, as_bot: Connection
) -> None:
    database = Database.connect_lazily(Secret(database_urls.bot), application_name="test", timeout_s=60.0)
    many = {f"d{n}": n for n in range(7)}
    differing = [
        event("Monitor.triggered", details=many),
        event("Monitor.triggered", details=many | {"d6": "the seventh"}),
        event("Monitor.triggered", details={"monitorId": "m1"}),
        event("Monitor.triggered", details={"monitorId": "m2"}),
        event("Monitor.triggered", details={"d": "x" * 100}),
        event("Monitor.triggered", details={"d": "x" * 101}),
    ]
    async with hook(database) as http:
        for one in differing * 2:
            await http.post(SECRET, json=one)
        assert len(await texts(as_bot)) == len(differing)
    await database.close()

    notice = read_notice(json.dumps(event("Deployment.oom_killed", timestamp=None)).encode(), RUNBOOK.find_service)
    assert notice is not None
    at = datetime(2026, 11, 23, 12, 0, 59, tzinfo=UTC)
    assert notice_key(notice, b"x", at) == notice_key(notice, b"x", at.replace(second=0))
    assert notice_key(notice, b"x", at) != notice_key(notice, b"x", at + timedelta(seconds=1))


async def test_text_that_cannot_be_stored_is_cleaned(database_urls: DatabaseUrls, as_bot: Connection) -> None:
    """A refused event would be sent again by Railway for ever."""
    database = Database.connect_lazily(Secret(database_urls.bot), application_name="test", timeout_s=60.0)
    async with hook(database) as http:
        for broken in ("\ud83d", "\0"):
            body = json.dumps(event(f"Back{broken}up", f"work{broken}er", details={f"k{broken}": f"v{broken}"}))
            assert (await http.post(SECRET, content=body.encode())).status_code == 202
    assert len(await texts(as_bot)) == 1  # one per day and kind: the bot takes both for the same
    await database.close()


def test_a_notice_of_an_unknown_kind_is_one_per_day_whatever_it_holds() -> None:
    def key(kind: str, at: datetime, **more: Any) -> str:
        notice = read_notice(json.dumps(event(kind, **more)).encode(), RUNBOOK.find_service)
        assert notice is not None
        return notice_key(notice, json.dumps(more).encode(), at)

    late = datetime(2026, 11, 23, 23, 59, 59, tzinfo=UTC)
    assert key("Backup.lost", late) == key("Backup.lost", late.replace(hour=0), details={"n": 1}, timestamp="later")
    assert key("Backup.lost", late) != key("Backup.lost", late + timedelta(seconds=1))
    assert key("Backup.lost", late) != key("Backup.found", late)


PLANT = """
    INSERT INTO chatops.railway_notices (hour, is_known, taken)
    SELECT date_trunc('hour', now()) + n * interval '1 hour', %s, %s FROM generate_series(0, 1) AS n
    ON CONFLICT (hour, is_known) DO UPDATE SET taken = excluded.taken
"""  # the next hour may begin in between


async def test_a_flood_of_events_is_a_few_messages_and_a_count(database_urls: DatabaseUrls, as_bot: Connection) -> None:
    database = Database.connect_lazily(Secret(database_urls.bot), application_name="test", timeout_s=60.0)
    async with hook(database) as http:
        await as_bot.execute(PLANT, (False, MOST_PER_HOUR - 1))
        await http.post(SECRET, json=event("Made.up1"))
        assert [text[0] for text in await texts(as_bot)] == ["❔"]

        await as_bot.execute(PLANT, (False, MOST_PER_HOUR))
        for n in (2, 3, 3):
            await http.post(SECRET, json=event(f"Made.up{n}"))
        counted = [text for text in await texts(as_bot) if text.startswith("…")]
        assert sum(int(text.split()[1]) for text in counted) == 3
        assert all("from Railway that this bot does not know" in text for text in counted)

        await http.post(SECRET, json=event("Deployment.oom_killed"))  # the other events don't hide it
        assert any(text.startswith("💥") for text in await texts(as_bot))
        await as_bot.execute(PLANT, (True, MOST_PER_HOUR))
        await http.post(SECRET, json=event("Monitor.triggered"))
        assert "… 1 more event from Railway within the hour: not shown. Look in Railway." in await texts(as_bot)
    await database.close()


async def test_railway_is_asked_to_send_it_again_while_it_cannot_be_stored() -> None:
    away = Database.connect_lazily(
        Secret("postgresql://nobody@127.0.0.1:9/none"), application_name="test", timeout_s=5.0
    )
    async with hook(away) as http:
        assert (await http.post(SECRET, json=event("Monitor.triggered"))).status_code == 503
        assert (await http.post(SECRET, json=event("Deployment.failed"))).status_code == 202
    await away.close()
