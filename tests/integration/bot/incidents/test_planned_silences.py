"""Planned silences begin at their time, repeat, remind their owner, and suppress an alert."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from psycopg.types.json import Jsonb

from bot.alerts.planned_silences import PlannedSilences
from bot.wake_ups import WakeUps
from services.clients.postgres import alerts
from services.clients.postgres.pool import Connection
from services.domain.freezes import LAST
from services.domain.windows import EVERY_DAY, Recurrence, encode_recurrence
from services.sandbox.slack import model
from tests.integration.bot.incidents.conftest import Books, Scene

HOUR = timedelta(hours=1)


async def plan(scene: Scene, begins_in: timedelta, recurrence: Recurrence | None = None) -> None:
    begins = datetime.now(UTC) + begins_in
    async with scene.database.transaction() as conn:
        await alerts.create_planned_silence(
            conn,
            what="ingest",
            owner=model.ANN.id,
            reason="backup",
            begins_at=begins,
            ends_at=begins + 2 * HOUR,
            recurrence=recurrence,
        )


async def tick(scene: Scene) -> float:
    return await PlannedSilences(scene.database, WakeUps(), channel=model.INCIDENTS_ID).tick(scene.fence)


async def test_planned_silence_reminds_its_owner_once_an_hour_before(scene: Scene, books: Books) -> None:
    await plan(scene, 2 * HOUR)
    await tick(scene)
    assert await books.messages() == {}

    await plan(scene, HOUR / 2)
    await tick(scene)
    await tick(scene)

    [(key, text)] = (await books.messages()).items()
    assert key.startswith("silence:planned:2:")
    assert "Your planned silence begins in " in text
    assert "silence cancel 2" in await books.blocks(key)


async def test_planned_silence_begins_once_and_lasts_until_its_end(scene: Scene, books: Books) -> None:
    await plan(scene, timedelta(seconds=1) - HOUR)
    for _ in range(2):
        await tick(scene)

    async with scene.database.read() as conn:
        [made], left = await alerts.list_silences(conn), await alerts.list_planned_silences(conn)
    assert (made.what, made.owner, made.reason, made.in_advance, left) == ("ingest", model.ANN.id, "backup", True, [])
    assert abs(made.ends_at - datetime.now(UTC) - HOUR) < HOUR / 2
    assert "is silenced until" in (await books.messages())["silence:1:begun"]


async def test_recurring_silence_waits_for_its_next_window(scene: Scene) -> None:
    ago = datetime.now(UTC) - HOUR
    daily = Recurrence(EVERY_DAY, time(ago.hour, ago.minute), 2 * HOUR, ZoneInfo("UTC"))
    await plan(scene, -HOUR, daily)

    wait_s = await tick(scene)

    async with scene.database.read() as conn:
        [planned], [made] = await alerts.list_planned_silences(conn), await alerts.list_silences(conn)
    assert planned.begins_at == daily.next_after(datetime.now(UTC)).begins
    assert made.what == "ingest"
    assert wait_s == 60.0


async def test_a_window_that_passed_without_a_leader_silences_nothing(scene: Scene, books: Books) -> None:
    await plan(scene, -3 * HOUR)
    await tick(scene)

    async with scene.database.read() as conn:
        assert [*await alerts.list_silences(conn), *await alerts.list_planned_silences(conn)] == []
    assert await books.messages() == {}


async def test_the_next_look_comes_when_the_next_window_begins(scene: Scene) -> None:
    await plan(scene, timedelta(seconds=20))

    assert 0 < await tick(scene) <= 20


async def test_failing_planned_silence_does_not_hold_up_the_others(scene: Scene) -> None:
    await plan(scene, -HOUR)
    await plan(scene, -HOUR)
    async with scene.database.transaction() as conn:  # a moment later the year would be beyond Python's range
        await conn.execute("UPDATE chatops.planned_silences SET ends_at = %s WHERE id = 1", [LAST])
    await tick(scene)

    async with scene.database.read() as conn:
        [made], [left] = await alerts.list_silences(conn), await alerts.list_planned_silences(conn)
    assert (made.what, left.id) == ("ingest", 1)


UNREADABLE = """
INSERT INTO chatops.planned_silences (what, owner, reason, begins_at, ends_at, recurrence)
VALUES ('backlog', 'U0ANN', 'backup', now() - interval '1 hour', now() + interval '1 hour', '{"moon": "full"}')
"""


async def unreadable(books: Books) -> list[str]:
    return [key for key, text in (await books.messages()).items() if "won't come again" in text]


async def test_planned_silence_with_an_unreadable_recurrence_begins_once_and_is_kept(
    scene: Scene, books: Books
) -> None:
    async with scene.database.transaction() as conn:
        await conn.execute(UNREADABLE)
    for _ in range(2):
        await tick(scene)

    async with scene.database.read() as conn:
        [made], [kept] = await alerts.list_silences(conn), await alerts.list_planned_silences(conn)
    assert (made.what, kept.id) == ("backlog", 1)
    assert len(await unreadable(books)) == 1


async def test_kept_silence_goes_on_once_a_version_can_read_it_and_is_announced_anew_when_one_cannot(
    scene: Scene, books: Books, as_owner: Connection
) -> None:
    """A rollback, the new version again, and a second rollback: an edit of the old message would notify no one."""
    ago = datetime.now(UTC) - HOUR
    daily = Recurrence(EVERY_DAY, time(ago.hour, ago.minute), 2 * HOUR, ZoneInfo("UTC"))
    async with scene.database.transaction() as conn:
        await conn.execute(UNREADABLE)
    await tick(scene)
    stored = Jsonb(encode_recurrence(daily))
    await as_owner.execute("UPDATE chatops.planned_silences SET recurrence = %s", [stored])

    await tick(scene)

    async with scene.database.read() as conn:
        [_], [planned] = await alerts.list_silences(conn), await alerts.list_planned_silences(conn)
    assert planned.begins_at == daily.next_after(datetime.now(UTC)).begins
    await as_owner.execute(
        'UPDATE chatops.planned_silences SET recurrence = \'{"moon": "full"}\','
        " begins_at = now() - interval '1 minute', ends_at = now() + interval '1 minute'"
    )
    for _ in range(2):
        await tick(scene)
    assert len(await unreadable(books)) == 2
