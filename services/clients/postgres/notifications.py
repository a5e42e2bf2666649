"""Notifications outside Slack: calls to pagers, e-mails and direct messages.

Typed calls of `sql/queries/notifications.sql`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from psycopg.types.json import Jsonb

from services.clients.postgres.messages import LONGEST_PAUSE
from services.clients.postgres.pool import Connection
from services.clients.postgres.queries import SQL, fetch_all
from services.domain.answers import has_link
from services.domain.channels import Channel
from services.domain.notifications import Notification, NotificationState, PageEvent

CHANNEL = "chatops_notifications"  # for LISTEN and NOTIFY; the query `notify_notifications` names it too
MAX_SUBJECT, MAX_TEXT = 300, 4000  # characters; the table refuses more


async def store_notification(
    conn: Connection,
    *,
    key: str,
    means: Channel,
    target: str,
    subject: str,
    text: str,
    thread_key: str | None = None,
    details: Mapping[str, str] = MappingProxyType({}),
    patience: timedelta = timedelta(),
) -> bool:
    """Notify `target` once, in the transaction of the state that it reports. False: the key exists, nothing changes.

    `target` is a name from the bot's environment ("default", "ann"). `subject` is one line; longer texts are cut. With
    a `thread_key`, the outcome is shown in that message's thread, and the page links to it. `details`: `severity`, one
    of PagerDuty's, and `component`, both optional. `patience`: how long to wait until that message is in Slack, so that
    the page has its address. A page of an incident gets the token of a one-time link that answers it.
    """
    parameters = {
        "key": key,
        "means": means,
        "target": target,
        "subject": _one_line(subject),
        "text": text[:MAX_TEXT],
        "thread_key": thread_key,
        "details": Jsonb(dict(details)),
        "with_link": has_link(key),
        "patience": patience,
    }
    cur = await conn.execute(SQL["store_notification"], parameters)
    await notify_notifications(conn)
    return cur.rowcount > 0


async def notify_notifications(conn: Connection) -> None:
    """Wake the sender when this transaction commits."""
    await conn.execute(SQL["notify_notifications"])


async def end_pages(
    conn: Connection, *, key_prefix: str, thread_key: str, event: PageEvent, subject: str, text: str
) -> None:
    """Cancel the unsent pages, and notify each pager that rings, or may ring, of `event` once.

    The prefix is as in `cancel_notifications`, which runs first, so that no earlier event follows a later one.
    """
    await cancel_notifications(conn, key_prefix=key_prefix, event=event)
    await follow_notifications(
        conn, key_prefix=key_prefix, thread_key=thread_key, event=event, subject=subject, text=text
    )


async def follow_notifications(
    conn: Connection, *, key_prefix: str, thread_key: str, event: PageEvent, subject: str, text: str
) -> None:
    """Notify each pager that rings, or may ring because an answer was lost, of the outcome of its page."""
    parameters = {
        "key_prefix": key_prefix,
        "thread_key": thread_key,
        "event": event,
        "subject": _one_line(subject),
        "text": text[:MAX_TEXT],
    }
    await conn.execute(SQL["follow_notifications"], parameters)
    await notify_notifications(conn)


async def cancel_notifications(conn: Connection, *, key_prefix: str, event: PageEvent = PageEvent.ACKNOWLEDGED) -> int:
    """Cancel unsent notifications and return how many. Once this has committed, none with this prefix is sent.

    Notifications of `event` or a later one stay. Waits (seconds) for one that is being sent now. The prefix must end
    with a colon, so that "incident:1:" never matches "incident:12:" too; raises ValueError otherwise.
    """
    if not key_prefix.endswith(":"):
        raise ValueError(f"{key_prefix!r} does not end with a colon")
    cur = await conn.execute(SQL["cancel_notifications"], {"key_prefix": key_prefix, "event": event})
    return cur.rowcount


async def list_notifications(conn: Connection, *, thread_key: str) -> list[Notification]:
    """List all notifications about the subject of one message, oldest first."""
    return await fetch_all(conn, _to_notification, "list_notifications", thread_key=thread_key)


async def lock_due_notifications(conn: Connection, *, means: Channel, limit: int) -> list[Notification]:
    """List the notifications that are due, locked until this transaction ends: no other one sends or cancels them."""
    values = {"means": means, "limit": limit, "longest_pause": LONGEST_PAUSE}
    return await fetch_all(conn, _to_notification, "lock_due_notifications", **values)


async def read_notifications_wait(conn: Connection, *, means: Channel) -> float | None:
    """Seconds until the next notification is due; None if none waits."""
    cur = await conn.execute(SQL["read_notifications_wait"], {"means": means, "longest_pause": LONGEST_PAUSE})
    row = await cur.fetchone()
    assert row is not None  # noqa: S101 - an aggregate always gives one row
    return None if row[0] is None else max(float(row[0]), 0.0)


async def end_notification(
    conn: Connection, *, key: str, state: NotificationState, error: str | None = None, at: datetime | None = None
) -> None:
    """Record that it was sent, or (`failed`, with the reason) never will be. `at`: when, if not now."""
    await conn.execute(SQL["end_notification"], {"key": key, "state": state, "error": error, "at": at})


async def postpone_notification(conn: Connection, *, key: str, error: str, pause: timedelta) -> None:
    """Record a failed attempt; the next one is after `pause`."""
    await conn.execute(SQL["postpone_notification"], {"key": key, "error": error, "pause": pause})


async def prune_notifications(conn: Connection, *, older_than: timedelta) -> int:
    """Delete old notifications and return how many."""
    cur = await conn.execute(SQL["prune_notifications"], {"older_than": older_than})
    return cur.rowcount


def _one_line(subject: str) -> str:
    return " ".join(subject.split())[:MAX_SUBJECT]


def _to_notification(*, means: str, state: str, event: str, **columns: Any) -> Notification:
    return Notification(means=Channel(means), state=NotificationState(state), event=PageEvent(event), **columns)
