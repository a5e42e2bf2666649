"""Stores what was told while the database was away."""

from __future__ import annotations

from collections.abc import Sequence

from bot.outage.history import Away, note_absence, note_rings
from bot.outage.phones import Rung
from bot.views.notifications import told_elsewhere
from bot.views.outage import Content
from services.domain.notifications import NotificationState
from services.postgres import notifications, outbox
from services.postgres.pool import Connection


async def store_outage(
    conn: Connection,
    *,
    channel: str,
    channel_id: str,
    ts: str,
    content: Content,
    note: Content,
    rung: Sequence[Rung],
    away: Away,
) -> None:
    """The message (`content` is what it says now), a note in its thread, who was told outside Slack, and its history.

    Several replicas may know of the same message: whoever comes second changes nothing.
    """
    key = f"outage:{ts}"
    text, blocks = content
    is_first = await outbox.adopt_message(
        conn, key=key, channel=channel, channel_id=channel_id, ts=ts, text=text, blocks=blocks
    )
    if is_first:
        await _say(conn, f"{key}:back", key, channel, note)
    await note_rings(conn, [each for each in rung if await _store_rung(conn, key, each)])
    if is_first:
        await note_absence(conn, away)
    if rung:
        told = await notifications.list_notifications(conn, thread_key=key)
        await _say(conn, f"{key}:told", key, channel, told_elsewhere(told))


async def _store_rung(conn: Connection, key: str, rung: Rung) -> bool:
    """Whether no other replica has stored that this target was told."""
    name = f"{key}:{rung.means}:{rung.target}"
    is_new = await notifications.store_notification(
        conn,
        key=name,
        means=rung.means,
        target=rung.target,
        subject=rung.line,
        text=rung.line,
        thread_key=key,
    )
    state = NotificationState.SENT if rung.why_not is None else NotificationState.FAILED
    await notifications.end_notification(conn, key=name, state=state, error=rung.why_not, at=rung.at)
    return is_new


async def _say(conn: Connection, key: str, thread_key: str, channel: str, content: Content) -> None:
    text, blocks = content
    await outbox.store_message(conn, key=key, channel=channel, text=text, blocks=blocks, thread_key=thread_key)
