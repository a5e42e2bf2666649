"""Stores freezes and ends them, each with its message in the channel."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from bot.views import freezes as view
from bot.views.plan import Content
from services.clients.postgres import freezes
from services.clients.postgres.messages import store_message
from services.clients.postgres.pool import Connection
from services.clients.postgres.queries import read_clock
from services.domain.freezes import Freeze
from services.domain.services import Service
from services.domain.windows import Written, encode_recurrence


async def store_freeze(
    conn: Connection, *, kind: str, service: Service | None, owner: str, reason: str, when: Written, channel: str
) -> Freeze:
    """Store a new freeze with its message. Waits for runs that are starting."""
    now = await read_clock(conn)
    begins = when.begins if when.begins is not None and when.begins > now and when.recurrence is None else now
    planned = Freeze(
        id=0,
        kind=kind,
        service=service,
        owner=owner,
        reason=reason,
        created_at=now,
        starts_at=begins,
        ends_at=None if when.recurrence else when.ends,
        recurrence=encode_recurrence(when.recurrence) if when.recurrence else None,
    )
    span = planned.span_at(now)
    made = await freezes.create_freeze(
        conn,
        kind=kind,
        service=service,
        owner=owner,
        reason=reason,
        starts_at=begins,
        ends_at=planned.ends_at,
        recurrence=planned.recurrence,
        announced_for=span.begins if span else None,
    )
    await post_notice(conn, made, view.freeze_message(made, now), channel)
    return made


async def lift_freezes(conn: Connection, lifted: Iterable[Freeze], *, by: str, channel: str) -> list[Freeze]:
    """Lift the freezes, and return those that this call ended. `by`: a Slack user id."""
    return [one for one in lifted if await end(conn, one, f"lifted by {by}", channel)]


def message_key(freeze: Freeze) -> str:
    """The outbox key of the freeze's message."""
    return f"freeze:{freeze.id}"


async def end(conn: Connection, freeze: Freeze, outcome: str, channel: str) -> bool:
    """End the freeze; False if it had ended already. `outcome`: "over", or "lifted by <id>"."""
    if not await freezes.end_freeze(conn, id=freeze.id, outcome=outcome):
        return False
    ended = view.ended_message(freeze, outcome)
    await post_notice(conn, freeze, ended, channel)
    if freeze.announced_for is not None and freeze.announced_for > freeze.created_at:
        await post_notice(conn, freeze, ended, channel, window=freeze.announced_for)
    return True


async def post_notice(
    conn: Connection, freeze: Freeze, content: Content, channel: str, *, window: datetime | None = None
) -> None:
    """Write the freeze's own message, or the message of a later window: the window that it began with has none of its
    own."""
    own = window is None or window <= freeze.created_at
    key = message_key(freeze) if own else f"{message_key(freeze)}:{int(window.timestamp()) if window else 0}"
    await store_message(conn, key=key, channel=channel, text=content.text, blocks=content.blocks)
