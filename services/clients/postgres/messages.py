"""The outbox: messages that Slack must show. Typed calls of `sql/queries/outbox.sql`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from services.clients.postgres.pool import Connection
from services.clients.postgres.queries import SQL, fetch_all
from services.domain.messages import PAGE, OutboxQueue, RefusedMessage, UnsentMessage, linked_key

OUTBOX_CHANNEL = "chatops_outbox"  # for LISTEN and NOTIFY; the query `notify_outbox` names it too
LONGEST_PAUSE = timedelta(minutes=2)  # no message is postponed for longer than 1 min (`bot.delivery.decide`)
SETTLES_S = 6.0  # a call to Slack takes at most 5 s


async def store_message(
    conn: Connection,
    *,
    key: str,
    channel: str,
    text: str,
    blocks: Sequence[Mapping[str, Any]],
    thread_key: str | None = None,
    priority: int = 0,
) -> None:
    """Set the content of the message with this key. Call it in the transaction of the state that it reports."""
    await conn.execute(
        SQL["store_message"],
        {
            "key": key,
            "channel": channel,
            "thread_key": thread_key,
            "priority": priority,
            "text": text,
            "blocks": Jsonb([dict(block) for block in blocks]),
            "link_key": linked_key(blocks),
        },
    )
    await notify_outbox(conn)


async def store_content(
    conn: Connection, key: str, channel: str, content: tuple[str, Sequence[Mapping[str, Any]]]
) -> None:
    """Call `store_message` with a text and its blocks, as the views return them."""
    text, blocks = content
    await store_message(conn, key=key, channel=channel, text=text, blocks=blocks)


async def read_last_message_key(conn: Connection, *, prefix: str) -> str | None:
    """The key of the newest message about a watched file with this prefix (`policy:file:`); None if there is none."""
    row = await (await conn.execute(SQL["read_last_message_key"], {"prefix": prefix})).fetchone()
    return None if row is None else str(row[0])


async def notify_outbox(conn: Connection) -> None:
    """Wake the sender when this transaction commits."""
    await conn.execute(SQL["notify_outbox"])


async def list_due_messages(
    conn: Connection, *, outbox_queue: OutboxQueue, may_post: bool, may_update: bool, limit: int
) -> list[UnsentMessage]:
    """List the messages that may be sent now: pages first, then new messages, then the longest due."""
    parameters = _outbox_queue(outbox_queue, may_post=may_post, may_update=may_update) | {"limit": limit}
    return await fetch_all(conn, UnsentMessage, "list_due_messages", **parameters)


async def read_outbox_wait(
    conn: Connection, *, outbox_queue: OutboxQueue, may_post: bool, may_update: bool
) -> float | None:
    """Seconds until the queue's next message may be sent; None if the queue is empty."""
    cur = await conn.execute(
        SQL["read_outbox_wait"], _outbox_queue(outbox_queue, may_post=may_post, may_update=may_update)
    )
    row = await cur.fetchone()
    assert row is not None  # noqa: S101 - an aggregate always gives one row
    return None if row[0] is None else max(float(row[0]), 0.0)


async def begin_posting(conn: Connection, *, key: str, seen: datetime | None) -> bool:
    """Record that a post is about to be sent; commit before sending it.

    `seen` is the message's `posting_since` as it was read. False: another replica has started to post it meanwhile.
    """
    cur = await conn.execute(SQL["begin_posting"], {"key": key, "seen": seen})
    return await cur.fetchone() is not None


async def mark_sent(conn: Connection, *, key: str, version: int, channel_id: str, ts: str, pause: timedelta) -> None:
    """Record that Slack shows `version`; the next change is sent after `pause` at the earliest."""
    parameters = {"key": key, "version": version, "channel_id": channel_id, "ts": ts, "pause": pause}
    await conn.execute(SQL["mark_sent"], parameters)


async def renew_links(conn: Connection, *, key: str) -> None:
    """Send the messages with a button that leads to this message again, with its address, now that Slack shows it."""
    await conn.execute(SQL["renew_links"], {"key": key})


async def mark_refused(conn: Connection, *, key: str, error: str, pause: timedelta, maybe_posted: bool) -> None:
    """Record a failed attempt; the next one is after `pause`. `maybe_posted`: search Slack before posting again."""
    parameters = {"key": key, "error": error, "pause": pause, "maybe_posted": maybe_posted}
    await conn.execute(SQL["mark_refused"], parameters)


async def mark_undeliverable(conn: Connection, *, key: str, version: int, error: str) -> None:
    """Record that Slack refused this version for good; it is not tried again until its content changes."""
    await conn.execute(SQL["mark_undeliverable"], {"key": key, "version": version, "error": error})


async def list_undeliverable(conn: Connection, *, window: timedelta, limit: int) -> list[RefusedMessage]:
    """List the messages that Slack refused for good within the last `window`, newest first."""
    return await fetch_all(conn, RefusedMessage, "list_undeliverable", window=window, limit=limit)


async def retry_undeliverable(conn: Connection, *, channel: str, window: timedelta) -> int:
    """Try messages again that Slack refused for good in this (configured) channel; return how many."""
    tried = (await conn.execute(SQL["retry_undeliverable"], {"channel": channel, "window": window})).rowcount
    await notify_outbox(conn)
    return tried


async def forget_message(conn: Connection, *, key: str, ts: str) -> None:
    """Post the message again, because this copy of it is gone from Slack."""
    await conn.execute(SQL["forget_message"], {"key": key, "ts": ts})


async def forget_thread(conn: Connection, *, key: str, ts: str) -> None:
    """Post the message above `key` in its thread again, because this copy of it is gone from Slack."""
    await conn.execute(SQL["forget_thread"], {"key": key, "ts": ts})


async def adopt_message(
    conn: Connection,
    *,
    key: str,
    channel: str,
    channel_id: str,
    ts: str,
    text: str,
    blocks: Sequence[Mapping[str, Any]],
) -> bool:
    """Add a message that was posted without the database to the outbox, which edits it to this content.

    False if it is in the outbox already; it stays unchanged then.
    """
    parameters = {
        "key": key,
        "channel": channel,
        "channel_id": channel_id,
        "ts": ts,
        "text": text,
        "blocks": Jsonb([dict(block) for block in blocks]),
    }
    cur = await conn.execute(SQL["adopt_message"], parameters)
    adopted = await cur.fetchone() is not None
    await notify_outbox(conn)
    return adopted


async def replace_message(conn: Connection, *, key: str, text: str, blocks: Sequence[Mapping[str, Any]]) -> bool:
    """Change the content of an existing message. True if it changes; a withdrawn message stays withdrawn."""
    parameters = {"key": key, "text": text, "blocks": Jsonb([dict(block) for block in blocks])}
    parameters["link_key"] = linked_key(blocks)
    changed = await (await conn.execute(SQL["replace_message"], parameters)).fetchone() is not None
    if changed:
        await notify_outbox(conn)
    return changed


async def remove_buttons(conn: Connection, *, key: str) -> None:
    """Keep only the sections of a message, because nothing is left to do about it."""
    if (await conn.execute(SQL["remove_buttons"], {"key": key})).rowcount:
        await notify_outbox(conn)


async def replace_messages(
    conn: Connection, *, key_prefix: str, since: datetime, text: str, blocks: Sequence[Mapping[str, Any]]
) -> int:
    """Change all messages with this key prefix; return how many change. `since`: none of them is older."""
    parameters = {"key_prefix": key_prefix, "since": since, "text": text, "link_key": linked_key(blocks)}
    blocks_json = Jsonb([dict(block) for block in blocks])
    changed = (await conn.execute(SQL["replace_messages"], parameters | {"blocks": blocks_json})).rowcount
    if changed:
        await notify_outbox(conn)
    return changed


async def keep_unposted(conn: Connection, *, key: str) -> None:
    """Don't post a message that Slack does not have yet, because another one has the same content."""
    await conn.execute(SQL["keep_unposted"], {"key": key})


async def withdraw(
    conn: Connection, *, key_prefix: str, late: tuple[str, Sequence[Mapping[str, Any]]], patience_s: float = SETTLES_S
) -> None:
    """Once this has committed, no message with this key prefix is posted any more; posted ones stay.

    Waits for messages that are being posted. One that may still be on its way after `patience_s` is searched for later:
    if it arrives, it is edited to `late` (text, blocks). The prefix must end with a colon, so that "incident:1:" never
    matches "incident:12:" too; raises ValueError otherwise.
    """
    if not key_prefix.endswith(":"):
        raise ValueError(f"{key_prefix!r} does not end with a colon")
    await withdraw_messages(conn, key_prefix=key_prefix)
    deadline = asyncio.get_running_loop().time() + patience_s
    while await count_posting(conn, key_prefix=key_prefix):
        if asyncio.get_running_loop().time() >= deadline:  # the answer was lost, or the replica that posted it died
            await recall_messages(conn, key_prefix=key_prefix, text=late[0], blocks=late[1])
            return
        await asyncio.sleep(0.05)
        await withdraw_messages(conn, key_prefix=key_prefix)  # Slack may have refused it meanwhile


async def withdraw_messages(conn: Connection, *, key_prefix: str) -> int:
    """Delete the messages with this key prefix that were never handed to Slack; return how many."""
    return (await conn.execute(SQL["withdraw_messages"], {"key_prefix": key_prefix})).rowcount


async def recall_messages(conn: Connection, *, key_prefix: str, text: str, blocks: Sequence[Mapping[str, Any]]) -> int:
    """Mark messages that may be on their way: they are not posted again, and get this content if they arrive.

    Returns how many.
    """
    parameters = {"key_prefix": key_prefix, "text": text, "blocks": Jsonb([dict(block) for block in blocks])}
    recalled = (await conn.execute(SQL["recall_messages"], parameters)).rowcount
    await notify_outbox(conn)
    return recalled


async def forget_recalled(conn: Connection, *, key: str, older_than: timedelta) -> bool:
    """Give up a message that was recalled longer ago than this and never arrived. True if it is given up."""
    cur = await conn.execute(SQL["forget_recalled"], {"key": key, "older_than": older_than})
    return cur.rowcount > 0


async def count_posting(conn: Connection, *, key_prefix: str) -> int:
    """Count new messages with this key prefix that Slack may be receiving now."""
    row = await (await conn.execute(SQL["count_posting"], {"key_prefix": key_prefix})).fetchone()
    assert row is not None  # noqa: S101 - an aggregate always gives one row
    return int(row[0])


async def read_oldest_page_s(conn: Connection) -> float:
    """For how many seconds the oldest page that Slack does not show yet has waited; 0 if none waits."""
    cur = await conn.execute(SQL["read_oldest_page_s"], {"page": PAGE})
    row = await cur.fetchone()
    assert row is not None  # noqa: S101 - an aggregate always gives one row
    return float(row[0])


async def read_message_state(conn: Connection, *, key: str) -> tuple[str | None, str | None]:
    """Slack's ts of the message, None if Slack has not accepted it or the key is unknown; and the last error."""
    row = await (await conn.execute(SQL["read_message_state"], {"key": key})).fetchone()
    return (None, None) if row is None else (row[0], row[1])


async def read_message_place(conn: Connection, *, key: str) -> tuple[str | None, str | None]:
    """Slack's channel id and ts of the message; None while Slack has not accepted it or the key is unknown."""
    row = await (await conn.execute(SQL["read_message_place"], {"key": key})).fetchone()
    return (None, None) if row is None else (row[0], row[1])


async def read_message_content(conn: Connection, *, key: str) -> tuple[str, list[dict[str, Any]]] | None:
    """The text and blocks of a message; None if the key is unknown or the message was withdrawn."""
    row = await (await conn.execute(SQL["read_message_content"], {"key": key})).fetchone()
    return None if row is None else (row[0], row[1])


async def prune_outbox(conn: Connection, *, older_than: timedelta) -> int:
    """Delete old messages and return how many."""
    cur = await conn.execute(SQL["prune_outbox"], {"older_than": older_than})
    return cur.rowcount


def _outbox_queue(outbox_queue: OutboxQueue, *, may_post: bool, may_update: bool) -> dict[str, Any]:
    return {
        "page": PAGE,
        "new_pages": outbox_queue is OutboxQueue.PAGES,
        "may_post": may_post,
        "may_update": may_update,
        "longest_pause": LONGEST_PAUSE,
    }
