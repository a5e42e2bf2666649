"""The order in which messages are sent, and that its cost does not grow with the messages already sent."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from services.clients.postgres import messages
from services.clients.postgres.pool import Connection, Database
from services.clients.postgres.queries import SQL
from services.domain.messages import PAGE, OutboxQueue

SEED = """
INSERT INTO chatops.outbox (key, channel, text, blocks, sent_version, channel_id, ts, updated_at)
SELECT 'm' || n, 'c', 'x', '[]', 1, 'C1', '1.0', now() - n * interval '1 minute' FROM generate_series(1, 50000) AS n;
INSERT INTO chatops.outbox (key, channel, text, blocks, priority)
SELECT 'new' || n, 'c', 'x', '[]', n FROM generate_series(1, 20) AS n;
ANALYZE chatops.outbox;
"""
PARAMETERS = {
    "page": PAGE,
    "new_pages": False,
    "may_post": True,
    "may_update": True,
    "limit": 20,
    "older_than": timedelta(days=30),
    "longest_pause": timedelta(minutes=2),
}
COSTLY = ("list_due_messages", "read_outbox_wait", "read_oldest_page_s", "prune_outbox")


async def due(conn: Connection, outbox_queue: OutboxQueue, **may: bool) -> list[str]:
    given: dict[str, Any] = {"may_post": True, "may_update": True} | may
    return [
        message.key for message in await messages.list_due_messages(conn, outbox_queue=outbox_queue, limit=20, **given)
    ]


async def store(conn: Connection, key: str, *, priority: int, is_posted: bool) -> None:
    await messages.store_message(conn, key=key, channel="c", text="one", blocks=[], priority=priority)
    if is_posted:
        await messages.mark_sent(conn, key=key, version=1, channel_id="C1", ts="1.0", pause=timedelta())
        await messages.store_message(conn, key=key, channel="c", text="two", blocks=[], priority=priority)


async def test_a_page_that_slack_never_saw_has_a_queue_of_its_own(database: Database) -> None:
    async with database.transaction() as conn:
        await store(conn, "note", priority=0, is_posted=False)
        await store(conn, "edited page", priority=PAGE, is_posted=True)
        await store(conn, "page", priority=PAGE, is_posted=False)
        await store(conn, "edited note", priority=0, is_posted=True)

        assert await due(conn, OutboxQueue.PAGES) == ["page"]
        assert await due(conn, OutboxQueue.REST) == ["edited page", "note", "edited note"]


async def test_outbox_leaves_out_the_rate_limited_kind(database: Database) -> None:
    async with database.transaction() as conn:
        await store(conn, "note", priority=0, is_posted=False)
        await store(conn, "edited note", priority=0, is_posted=True)

        assert await due(conn, OutboxQueue.REST, may_update=False) == ["note"]
        assert await due(conn, OutboxQueue.REST, may_post=False) == ["edited note"]


async def test_what_is_new_is_listed_one_per_channel(database: Database) -> None:
    """Behind 40 pages to one person, of which Slack takes 1/s, a page in the channel waited 36 s."""
    async with database.transaction() as conn:
        for channel, count in (("U1", 40), ("U2", 40), ("c", 2)):
            for number in range(count):
                key, texts = f"{channel}:{number:02}", {"text": "one", "blocks": []}
                await messages.store_message(conn, key=key, channel=channel, priority=PAGE, **texts)  # type: ignore[arg-type]
        for number in range(3):
            await store(conn, f"edited {number}", priority=0, is_posted=True)

        assert await due(conn, OutboxQueue.PAGES) == ["U1:00", "U2:00", "c:00"]
        assert len(await due(conn, OutboxQueue.REST)) == 3  # edits do not wait for the pace


async def test_only_a_page_that_slack_never_saw_is_waited_for(database: Database) -> None:
    async with database.transaction() as conn:
        await store(conn, "note", priority=0, is_posted=False)
        await store(conn, "edited page", priority=PAGE, is_posted=True)
        assert await messages.read_oldest_page_s(conn) == 0.0

        await store(conn, "page", priority=PAGE, is_posted=False)
        assert await messages.read_oldest_page_s(conn) > 0.0


async def test_outbox_queries_scan_no_whole_table(as_owner: Connection) -> None:
    await as_owner.execute(SEED)
    scanned_whole = []
    for name in COSTLY:
        rows = await (await as_owner.execute("EXPLAIN " + SQL[name], PARAMETERS)).fetchall()
        scanned_whole += [name for row in rows if "Seq Scan on outbox" in row[0]]

    assert scanned_whole == []
