"""What is to be said in Slack, and what Slack shows already. The typed calls of `sql/queries/outbox.sql`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from services.domain.outbox import OutboxDepth, UnsentMessage
from services.postgres.pool import Connection
from services.postgres.queries import SQL

CHANNEL = "chatops_outbox"  # of LISTEN and NOTIFY; `notify_outbox` names it too


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
    """Say what the message of this key is to say, in the transaction of the state that it tells of."""
    await conn.execute(
        SQL["store_message"],
        {
            "key": key,
            "channel": channel,
            "thread_key": thread_key,
            "priority": priority,
            "text": text,
            "blocks": Jsonb([dict(block) for block in blocks]),
        },
    )
    await notify_outbox(conn)


async def notify_outbox(conn: Connection) -> None:
    """Wake the sender at the commit."""
    await conn.execute(SQL["notify_outbox"])


async def list_unsent(conn: Connection, *, limit: int) -> list[UnsentMessage]:
    """Pages first, then the oldest; also those whose next try is in the future."""
    async with conn.cursor(row_factory=class_row(UnsentMessage)) as cur:
        await cur.execute(SQL["list_unsent"], {"limit": limit})
        return await cur.fetchall()


async def begin_posting(conn: Connection, *, key: str) -> None:
    """Write down that a post is about to be sent; commit before sending it."""
    await conn.execute(SQL["begin_posting"], {"key": key})


async def mark_sent(conn: Connection, *, key: str, version: int, channel_id: str, ts: str, pause: timedelta) -> None:
    """Slack shows `version`; the next change is sent no sooner than after `pause`."""
    parameters = {"key": key, "version": version, "channel_id": channel_id, "ts": ts, "pause": pause}
    await conn.execute(SQL["mark_sent"], parameters)


async def mark_refused(conn: Connection, *, key: str, error: str, pause: timedelta, maybe_posted: bool) -> None:
    """It failed; try again after `pause`. `maybe_posted`: look for it before posting again."""
    parameters = {"key": key, "error": error, "pause": pause, "maybe_posted": maybe_posted}
    await conn.execute(SQL["mark_refused"], parameters)


async def forget_message(conn: Connection, *, key: str) -> None:
    """Slack does not have it any more: post it anew."""
    await conn.execute(SQL["forget_message"], {"key": key})


async def read_outbox_depth(conn: Connection) -> OutboxDepth:
    async with conn.cursor(row_factory=class_row(OutboxDepth)) as cur:
        await cur.execute(SQL["read_outbox_depth"])
        depth = await cur.fetchone()
        assert depth is not None  # noqa: S101 - an aggregate always gives one row
        return depth


async def prune_outbox(conn: Connection, *, older_than: timedelta) -> int:
    """How many were deleted."""
    cur = await conn.execute(SQL["prune_outbox"], {"older_than": older_than})
    return cur.rowcount
