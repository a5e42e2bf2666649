"""Notifications outside Slack: stored once, sent by one replica, cancelled for good."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from services.clients.postgres import messages, notifications
from services.clients.postgres.pool import Connection, Database
from services.clients.postgres.queries import SQL
from services.domain.channels import Channel
from services.domain.errors import SourceError
from services.domain.notifications import Notification, NotificationState, PageEvent

THREAD = "incident:1"
BLOCKS = [{"type": "section", "text": {"type": "mrkdwn", "text": "x"}}]


async def store(conn: Connection, key: str = "incident:1:1", **changes: Any) -> None:
    given = {"means": Channel.WEBHOOK, "target": "ann", "subject": "PAGE", "text": "ingest is down (0 of 2)"} | changes
    await notifications.store_notification(conn, key=key, **given)


async def due(conn: Connection, means: Channel = Channel.WEBHOOK) -> list[Notification]:
    return await notifications.lock_due_notifications(conn, means=means, limit=20)


async def keys(database: Database, means: Channel = Channel.WEBHOOK) -> list[str]:
    async with database.transaction() as conn:
        return [found.key for found in await due(conn, means)]


async def test_the_same_key_is_reported_once(database: Database) -> None:
    async with database.transaction() as conn:
        await store(conn, text="first")
        await store(conn, text="second")

    async with database.transaction() as conn:
        assert [found.text for found in await due(conn)] == ["first"]


async def test_each_means_has_its_own_queue(database: Database) -> None:
    async with database.transaction() as conn:
        await store(conn, "a:1")
        await store(conn, "a:2", means=Channel.EMAIL)

    assert await keys(database) == ["a:1"]
    assert await keys(database, Channel.EMAIL) == ["a:2"]


async def test_due_notifications_skip_rows_locked_by_another_sender(database: Database) -> None:
    async with database.transaction() as conn:
        await store(conn, "a:1")
    async with database.transaction() as conn:
        assert len(await due(conn)) == 1

        assert await keys(database) == []


async def test_a_canceled_notification_is_never_sent(database: Database) -> None:
    async with database.transaction() as conn:
        await store(conn, "incident:1:1")
        await store(conn, "incident:12:1")
        cancelled = await notifications.cancel_notifications(conn, key_prefix="incident:1:")

    assert cancelled == 1
    assert await keys(database) == ["incident:12:1"]


async def test_a_prefix_that_may_mean_others_is_refused(database: Database) -> None:
    async with database.transaction() as conn:
        with pytest.raises(ValueError, match="colon"):
            await notifications.cancel_notifications(conn, key_prefix="incident:1")


async def test_cancelling_waits_for_what_is_being_sent(database: Database) -> None:
    async def cancel() -> int:
        async with database.transaction() as conn:
            return await notifications.cancel_notifications(conn, key_prefix="incident:1:")

    async with database.transaction() as conn:
        await store(conn)
    async with database.transaction() as sending:
        [held] = await due(sending)
        cancelling = asyncio.create_task(cancel())
        done, _ = await asyncio.wait({cancelling}, timeout=0.3)
        assert not done
        await notifications.end_notification(sending, key=held.key, state=NotificationState.SENT)

    assert await cancelling == 0


async def test_a_sender_that_dies_leaves_it_to_others(database: Database) -> None:
    async with database.transaction() as conn:
        await store(conn)
    dying = database.transaction()
    conn = await dying.__aenter__()
    assert len(await due(conn)) == 1
    await conn.close()

    async with asyncio.timeout(30):  # a pooler notices a moment later that a client is gone
        while await keys(database) != ["incident:1:1"]:
            await asyncio.sleep(0.05)


async def test_a_failed_notification_is_due_later(database: Database) -> None:
    async with database.transaction() as conn:
        await store(conn)
        await notifications.postpone_notification(
            conn, key="incident:1:1", error="no answer", pause=timedelta(seconds=30)
        )

    async with database.transaction() as conn:
        assert await due(conn) == []
        wait_s = await notifications.read_notifications_wait(conn, means=Channel.WEBHOOK)
        assert await notifications.read_notifications_wait(conn, means=Channel.EMAIL) is None
    assert wait_s is not None
    assert 0 < wait_s <= 30


async def test_notifications_of_a_thread_have_their_outcomes(database: Database) -> None:
    async with database.transaction() as conn:
        await messages.store_message(conn, key=THREAD, channel="c", text="x", blocks=BLOCKS)
        await store(conn, "a:1", thread_key=THREAD)
        await store(conn, "a:2", thread_key=THREAD)
        await notifications.end_notification(conn, key="a:1", state=NotificationState.SENT)
        await notifications.end_notification(conn, key="a:2", state=NotificationState.FAILED, error="refused (404)")

        first, second = await notifications.list_notifications(conn, thread_key=THREAD)

    assert (first.state, first.attempts, first.last_error) == (NotificationState.SENT, 1, None)
    assert (second.state, second.last_error) == (NotificationState.FAILED, "refused (404)")
    assert second.ended_at is not None


async def test_a_subject_is_one_line_and_long_words_are_cut(database: Database) -> None:
    async with database.transaction() as conn:
        await store(conn, subject="PAGE\r\nBcc: all@example.com " + "x" * 400, text="y" * 5000)
        [found] = await due(conn)

    assert found.subject.startswith("PAGE Bcc: all@example.com x")
    assert (len(found.subject), len(found.text)) == (notifications.MAX_SUBJECT, notifications.MAX_TEXT)


async def test_a_failure_without_a_reason_is_refused(database: Database) -> None:
    async with database.transaction() as conn:
        await store(conn)
    with pytest.raises(SourceError):
        async with database.transaction() as conn:
            await notifications.end_notification(conn, key="incident:1:1", state=NotificationState.FAILED)


async def test_old_ones_are_deleted_unless_they_wait(database: Database) -> None:
    async with database.transaction() as conn:
        await store(conn, "a:1")
        await store(conn, "a:2")
        await notifications.end_notification(conn, key="a:1", state=NotificationState.SENT)

    async with database.transaction() as conn:
        assert await notifications.prune_notifications(conn, older_than=timedelta(days=90)) == 0
        assert await notifications.prune_notifications(conn, older_than=timedelta()) == 1

    assert await keys(database) == ["a:2"]


SEED = """
INSERT INTO chatops.outbox (key, channel, text, blocks)
SELECT 'incident:' || n, 'c', 'x', '[]' FROM generate_series(1, 900) AS n;
INSERT INTO chatops.notifications (key, means, target, subject, text, thread_key, state, created_at, ended_at)
SELECT 'n:' || n, (ARRAY['webhook', 'email'])[1 + n % 2]::chatops.means, 'ann', 's', 't', 'incident:' || (1 + n % 900),
    'sent', now() - n * interval '1 minute', now()
FROM generate_series(1, 50000) AS n;
INSERT INTO chatops.notifications (key, means, target, subject, text)
VALUES ('incident:1:1', 'webhook', 'ann', 's', 't');
ANALYZE chatops.notifications;
"""
PARAMETERS = {
    "key_prefix": "incident:1:",
    "thread_key": THREAD,
    "means": "webhook",
    "limit": 20,
    "older_than": timedelta(days=90),
    "longest_pause": timedelta(minutes=2),
    "event": "resolved",
    "subject": "s",
    "text": "t",
}


async def test_notification_queries_scan_no_whole_table(as_owner: Connection) -> None:
    await as_owner.execute(SEED)
    scanned_whole = []
    for name in (name for name in SQL if "notifications" in name and name != "notify_notifications"):
        rows = await (await as_owner.execute("EXPLAIN " + SQL[name], PARAMETERS)).fetchall()
        scanned_whole += [name for row in rows if "Seq Scan" in row[0]]

    assert scanned_whole == []


async def alert_keys(database: Database) -> list[str | None]:
    async with database.transaction() as conn:
        return [found.alert_key for found in await due(conn)]


async def test_repeated_pages_to_one_target_share_one_alert_key(database: Database) -> None:
    async with database.transaction() as conn:
        await messages.store_message(conn, key=THREAD, channel="C1", text="root", blocks=BLOCKS)
        await store(conn, "incident:1:page:1:webhook:ann", thread_key=THREAD)
        await store(conn, "incident:1:page:2:webhook:ben", thread_key=THREAD, target="ben")
        await store(conn, "incident:1:page:3:webhook:ann", thread_key=THREAD)

    [first, other, second] = await alert_keys(database)

    assert first is not None
    assert first.startswith("incident:1:")
    assert first == second
    assert other is not None


async def test_a_page_after_an_acknowledgement_is_a_new_alert_of_the_pager(database: Database) -> None:
    async with database.transaction() as conn:
        await messages.store_message(conn, key=THREAD, channel="C1", text="root", blocks=BLOCKS)
        await store(conn, "incident:1:page:1:webhook:ann", thread_key=THREAD)
        [first] = await due(conn)
        await notifications.end_notification(conn, key=first.key, state=NotificationState.SENT)
    async with database.transaction() as conn:
        await notifications.end_pages(
            conn,
            key_prefix="incident:1:page:",
            thread_key=THREAD,
            event=PageEvent.ACKNOWLEDGED,
            subject="OVER",
            text="x",
        )
        await store(conn, "incident:1:page:2:webhook:ann", thread_key=THREAD)

    [taken, again] = await alert_keys(database)

    assert taken == first.alert_key
    assert again != first.alert_key


async def test_a_page_waits_a_moment_for_the_address_of_its_message(database: Database) -> None:
    async with database.transaction() as conn:
        await messages.store_message(conn, key=THREAD, channel="C1", text="root", blocks=BLOCKS)
        await store(conn, "incident:1:page:1", thread_key=THREAD, patience=timedelta(minutes=1))
        await store(conn, "incident:2:page:1", patience=timedelta(minutes=1))

    assert await keys(database) == ["incident:2:page:1"]
