"""The outbox: what Slack is to show.

The typed calls of `sql/queries/outbox.sql`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from services.clients.postgres.pool import Connection
from services.clients.postgres.queries import SQL, fetch_all
from services.domain.messages import PAGE, OutboxQueue, RefusedMessage, UnsentMessage, linked_key

OUTBOX_CHANNEL = "chatops_outbox"  # of LISTEN and NOTIFY; `notify_outbox` names it too
LONGEST_PAUSE = timedelta(minutes=2)  # nothing is postponed for longer than a minute (`bot.delivery.decide`)
SETTLES_S = 6.0  # a call to Slack takes at most five seconds


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
    """Write what the message of this key says, in the transaction of the state that it reports."""
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
    """`store_message` of a text with its blocks, as the views make them."""
    text, blocks = content
    await store_message(conn, key=key, channel=channel, text=text, blocks=blocks)


async def read_last_message_key(conn: Connection, *, prefix: str) -> str | None:
    """The message about a file stored last whose key begins so (`policy:file:`); None when there is none."""
    row = await (await conn.execute(SQL["read_last_message_key"], {"prefix": prefix})).fetchone()
    return None if row is None else str(row[0])


async def notify_outbox(conn: Connection) -> None:
    """Wake the sender at the commit."""
    await conn.execute(SQL["notify_outbox"])


async def list_due_messages(
    conn: Connection, *, outbox_queue: OutboxQueue, may_post: bool, may_update: bool, limit: int
) -> list[UnsentMessage]:
    """What may be sent now: pages first, then what Slack has never seen, then what is due longest."""
    parameters = _outbox_queue(outbox_queue, may_post=may_post, may_update=may_update) | {"limit": limit}
    return await fetch_all(conn, UnsentMessage, "list_due_messages", **parameters)


async def read_outbox_wait(
    conn: Connection, *, outbox_queue: OutboxQueue, may_post: bool, may_update: bool
) -> float | None:
    """Seconds until the queue's next message may be sent; None if it is empty."""
    cur = await conn.execute(
        SQL["read_outbox_wait"], _outbox_queue(outbox_queue, may_post=may_post, may_update=may_update)
    )
    row = await cur.fetchone()
    assert row is not None  # noqa: S101 - an aggregate always gives one row
    return None if row[0] is None else max(float(row[0]), 0.0)


async def begin_posting(conn: Connection, *, key: str, seen: datetime | None) -> bool:
    """Write down that a post is about to be sent; commit before sending it.

    `seen` is the message's `posting_since` as it was read. False: another replica posts or posted it meanwhile.
    """
    cur = await conn.execute(SQL["begin_posting"], {"key": key, "seen": seen})
    return await cur.fetchone() is not None


async def mark_sent(conn: Connection, *, key: str, version: int, channel_id: str, ts: str, pause: timedelta) -> None:
    """Slack shows `version`; the next change is sent no sooner than after `pause`."""
    parameters = {"key": key, "version": version, "channel_id": channel_id, "ts": ts, "pause": pause}
    await conn.execute(SQL["mark_sent"], parameters)


async def renew_links(conn: Connection, *, key: str) -> None:
    """Slack shows the message of this key now: those with a button that leads to it are sent again, as a link."""
    await conn.execute(SQL["renew_links"], {"key": key})


async def mark_refused(conn: Connection, *, key: str, error: str, pause: timedelta, maybe_posted: bool) -> None:
    """It failed; try again after `pause`. `maybe_posted`: look for it before posting again."""
    parameters = {"key": key, "error": error, "pause": pause, "maybe_posted": maybe_posted}
    await conn.execute(SQL["mark_refused"], parameters)


async def mark_undeliverable(conn: Connection, *, key: str, version: int, error: str) -> None:
    """Slack refused this version for good: it is not tried again before its text changes."""
    await conn.execute(SQL["mark_undeliverable"], {"key": key, "version": version, "error": error})


async def list_undeliverable(conn: Connection, *, window: timedelta, limit: int) -> list[RefusedMessage]:
    """What Slack refused for good within the last `window`, newest first."""
    return await fetch_all(conn, RefusedMessage, "list_undeliverable", window=window, limit=limit)


async def retry_undeliverable(conn: Connection, *, channel: str, window: timedelta) -> int:
    """The channel of this (configured) name takes messages again: how many are tried once more."""
    tried = (await conn.execute(SQL["retry_undeliverable"], {"channel": channel, "window": window})).rowcount
    await notify_outbox(conn)
    return tried


async def forget_message(conn: Connection, *, key: str, ts: str) -> None:
    """Slack does not have this copy of it any more: post it again."""
    await conn.execute(SQL["forget_message"], {"key": key, "ts": ts})


async def forget_thread(conn: Connection, *, key: str, ts: str) -> None:
    """Slack does not have this copy of the message any more below which `key` belongs: post that one again."""
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
    """Put a message that was posted without the database into the outbox, which edits it to say this.

    False when it is there already, and stays as it is.
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
    """Change the text of a message that is there; whether it does. One that was withdrawn stays away."""
    parameters = {"key": key, "text": text, "blocks": Jsonb([dict(block) for block in blocks])}
    parameters["link_key"] = linked_key(blocks)
    changed = await (await conn.execute(SQL["replace_message"], parameters)).fetchone() is not None
    if changed:
        await notify_outbox(conn)
    return changed


async def remove_buttons(conn: Connection, *, key: str) -> None:
    """Leave a message's sections and take the rest away: there is nothing to be done about it any more."""
    if (await conn.execute(SQL["remove_buttons"], {"key": key})).rowcount:
        await notify_outbox(conn)


async def replace_messages(
    conn: Connection, *, key_prefix: str, since: datetime, text: str, blocks: Sequence[Mapping[str, Any]]
) -> int:
    """Change the text of all messages whose key begins so; how many do. `since`: none of them is older."""
    parameters = {"key_prefix": key_prefix, "since": since, "text": text, "link_key": linked_key(blocks)}
    blocks_json = Jsonb([dict(block) for block in blocks])
    changed = (await conn.execute(SQL["replace_messages"], parameters | {"blocks": blocks_json})).rowcount
    if changed:
        await notify_outbox(conn)
    return changed


async def keep_unposted(conn: Connection, *, key: str) -> None:
    """Let a message that Slack does not have yet stay away from it, because another one says the same."""
    await conn.execute(SQL["keep_unposted"], {"key": key})


async def withdraw(
    conn: Connection, *, key_prefix: str, late: tuple[str, Sequence[Mapping[str, Any]]], patience_s: float = SETTLES_S
) -> None:
    """Once this has committed, no message whose key begins so is posted any more; what Slack has stays.

    What is being posted at this moment is waited for. What may be on its way even then is looked for afterwards: should
    it arrive, it is edited to say `late` (text, blocks). The prefix ends with a colon, so that "incident:1:" never
    means "incident:12:" too. Raises ValueError.
    """
    if not key_prefix.endswith(":"):
        raise ValueError(f"{key_prefix!r} does not end with a colon")
    await withdraw_messages(conn, key_prefix=key_prefix)
    deadline = asyncio.get_running_loop().time() + patience_s
    while await count_posting(conn, key_prefix=key_prefix):
        if asyncio.get_running_loop().time() >= deadline:  # its answer was lost, or the replica that posted it has died
            await recall_messages(conn, key_prefix=key_prefix, text=late[0], blocks=late[1])
            return
        await asyncio.sleep(0.05)
        await withdraw_messages(conn, key_prefix=key_prefix)  # Slack may have refused it


async def withdraw_messages(conn: Connection, *, key_prefix: str) -> int:
    """How many will never be posted."""
    return (await conn.execute(SQL["withdraw_messages"], {"key_prefix": key_prefix})).rowcount


async def recall_messages(conn: Connection, *, key_prefix: str, text: str, blocks: Sequence[Mapping[str, Any]]) -> int:
    """How many may be on their way: they are not posted again, and say this should they arrive."""
    parameters = {"key_prefix": key_prefix, "text": text, "blocks": Jsonb([dict(block) for block in blocks])}
    recalled = (await conn.execute(SQL["recall_messages"], parameters)).rowcount
    await notify_outbox(conn)
    return recalled


async def forget_recalled(conn: Connection, *, key: str, older_than: timedelta) -> bool:
    """Whether the message is given up: it was recalled so long ago, and never arrived."""
    cur = await conn.execute(SQL["forget_recalled"], {"key": key, "older_than": older_than})
    return cur.rowcount > 0


async def count_posting(conn: Connection, *, key_prefix: str) -> int:
    """How many may be under way to Slack."""
    row = await (await conn.execute(SQL["count_posting"], {"key_prefix": key_prefix})).fetchone()
    assert row is not None  # noqa: S101 - an aggregate always gives one row
    return int(row[0])


async def read_oldest_page_s(conn: Connection) -> float:
    """For how long a page waits that Slack has never seen; 0 when none does."""
    cur = await conn.execute(SQL["read_oldest_page_s"], {"page": PAGE})
    row = await cur.fetchone()
    assert row is not None  # noqa: S101 - an aggregate always gives one row
    return float(row[0])


async def read_message_state(conn: Connection, *, key: str) -> tuple[str | None, str | None]:
    """Slack's id of the message (None: it has not taken it, or there is none of this key), and the last error."""
    row = await (await conn.execute(SQL["read_message_state"], {"key": key})).fetchone()
    return (None, None) if row is None else (row[0], row[1])


async def read_message_place(conn: Connection, *, key: str) -> tuple[str | None, str | None]:
    """Slack's ids of its channel and of itself; None while Slack has not taken it, or there is none of this key."""
    row = await (await conn.execute(SQL["read_message_place"], {"key": key})).fetchone()
    return (None, None) if row is None else (row[0], row[1])


async def read_message_content(conn: Connection, *, key: str) -> tuple[str, list[dict[str, Any]]] | None:
    """What a message is to say, as text and blocks; None when there is none of this key, or it was withdrawn."""
    row = await (await conn.execute(SQL["read_message_content"], {"key": key})).fetchone()
    return None if row is None else (row[0], row[1])


async def prune_outbox(conn: Connection, *, older_than: timedelta) -> int:
    """How many were deleted."""
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
