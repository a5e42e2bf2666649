"""An override of a rotation: stored, posted in the channel, and sent to both people, in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from bot.views import overrides as view
from services.clients.postgres import incidents, messages
from services.clients.postgres.pool import Connection
from services.clients.postgres.queries import read_clock
from services.domain.oncall import Override, Schedule, holder
from services.domain.runs import Person


@dataclass(frozen=True)
class SlackOnly:
    """Nothing changed: with this person these levels would reach no one outside Slack."""

    levels: tuple[int, ...]


async def put_on_call(
    conn: Connection,
    schedule: Schedule | None,
    *,
    channel: str,
    rotation: str,
    user_id: str,
    span: timedelta,
    by: Person,
) -> Override:
    """From now on. People who put themselves on call have confirmed it by that."""
    before = await _on_call(conn, schedule, rotation)
    await incidents.end_overrides(conn, rotation=rotation)
    now = await read_clock(conn)
    number = await incidents.add_override(
        conn, rotation=rotation, user_id=user_id, begins_at=now, ends_at=now + span, by=by
    )
    made = Override(number, rotation, user_id, now, now + span, by, now)
    if user_id == by.user_id:
        made = await incidents.confirm_override(conn, override_id=number, user_id=user_id) or made
    await update_message(conn, made, before, channel=channel)
    if before is not None and before != user_id:
        await _send(conn, f"{made.message_key}:relieved", before, view.relieved_message(made))
    return made


async def take(conn: Connection, *, channel: str, override_id: int, user_id: str) -> Override | None:
    """The substitute confirms it; None when it has ended, or belongs to another person."""
    taken = await incidents.confirm_override(conn, override_id=override_id, user_id=user_id)
    if taken is not None:
        await update_message(conn, taken, None, channel=channel)
    return taken


async def end(conn: Connection, schedule: Schedule | None, *, channel: str, rotation: str, by: Person) -> bool:
    """The file applies again; whether there was an override."""
    before = await _on_call(conn, schedule, rotation)
    ended = [one for one in await incidents.list_overrides(conn) if one.rotation == rotation]
    if not await incidents.end_overrides(conn, rotation=rotation):
        return False
    after = await _on_call(conn, schedule, rotation)
    key = f"oncall:ended:{max(one.id for one in ended)}" if ended else f"oncall:ended:{rotation}"
    content = view.ended_message(rotation, after, by.user_id)
    await _send(conn, key, channel, content)
    for user in sorted({before, after} - {None}, key=str):
        await _send(conn, f"{key}:{user}", str(user), content)
    return True


async def update_message(conn: Connection, override: Override, before: str | None, *, channel: str) -> None:
    """Its message in the channel, and the one to the substitute."""
    await _send(conn, override.message_key, channel, view.override_message(override, before))
    key = f"{override.message_key}:direct"
    await _send(conn, key, override.user_id, view.put_on_call_message(override, before))


async def _on_call(conn: Connection, schedule: Schedule | None, rotation: str) -> str | None:
    """The Slack id of the person on call for the rotation now."""
    if schedule is None:
        return None
    found = holder(schedule, rotation, await read_clock(conn), await incidents.list_overrides(conn))
    return found.slack if found else None


async def _send(conn: Connection, key: str, channel: str, content: view.Content) -> None:
    text, blocks = content
    await messages.store_message(conn, key=key, channel=channel, text=text, blocks=blocks)
