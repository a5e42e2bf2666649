"""Changes of the on-call schedule, each in one transaction: stored, posted, and sent to people whose shifts move.

What people may type, and the longest override, is decided in `bot.commands.oncall_changes`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.views import overrides as view
from services.clients.postgres import messages, oncall, oncall_changes
from services.clients.postgres.pool import Connection
from services.clients.postgres.queries import read_clock
from services.domain.oncall import Override, Schedule, holder
from services.domain.people import Person
from services.domain.shifts import Move, Plan, Swap, SwapState, moves


@dataclass(frozen=True)
class SlackOnly:
    """The outcome of an override that was not stored: these levels would reach no one outside Slack."""

    levels: tuple[int, ...]


@dataclass(frozen=True)
class Desired:
    """A desired override: a person is on call for a rotation, from `begins_at` (None: now) until `ends_at`."""

    rotation: str
    user_id: str
    ends_at: datetime
    begins_at: datetime | None = None


async def put_on_call(
    conn: Connection, schedule: Schedule | None, desired: Desired, *, channel: str, by: Person
) -> Override:
    """Store an override; one that begins now ends the one that holds. People who add themselves confirm it by that."""
    now = await read_clock(conn)
    begins = now if desired.begins_at is None else max(desired.begins_at, now)
    before = await oncall.list_overrides(conn)
    if begins <= now:
        await oncall.end_overrides(conn, rotation=desired.rotation, now=now)
    made = await _add(conn, replace(desired, begins_at=begins), by, confirmed=desired.user_id == by.user_id)
    moved = await remember_moves(conn, schedule, before, now)
    relieved = view.relieved_by(made, moved)
    await update_message(conn, made, relieved, channel=channel)
    for user, content in view.moved_messages(made, moved).items():
        await messages.store_content(conn, f"{made.message_key}:relieved:{user}", user, content)
    return made


async def _add(conn: Connection, desired: Desired, by: Person, *, confirmed: bool) -> Override:
    assert desired.begins_at is not None  # noqa: S101 - the caller has settled it
    number = await oncall.add_override(
        conn,
        rotation=desired.rotation,
        user_id=desired.user_id,
        begins_at=desired.begins_at,
        ends_at=desired.ends_at,
        by=by,
    )
    if confirmed:
        await oncall.confirm_override(conn, override_id=number, user_id=desired.user_id)
    return next(one for one in await oncall.list_overrides(conn) if one.id == number)


async def take(conn: Connection, *, channel: str, override_id: int, user_id: str) -> Override | None:
    """Confirm an override for its substitute; None if it has ended, or is another person's."""
    taken = await oncall.confirm_override(conn, override_id=override_id, user_id=user_id)
    if taken is not None:
        await update_message(conn, taken, (), channel=channel)
    return taken


async def end(conn: Connection, schedule: Schedule | None, *, channel: str, rotation: str, by: Person) -> bool:
    """End the override that holds, so that the file applies again. False if there was none."""
    now, before = await read_clock(conn), await oncall.list_overrides(conn)
    was = _holder(schedule, rotation, now, before)
    ended = await oncall.end_overrides(conn, rotation=rotation, now=now)
    if not ended:
        return False
    await remember_moves(conn, schedule, before, now)
    current = _holder(schedule, rotation, now, await oncall.list_overrides(conn))
    key = f"oncall:ended:{max(ended)}"
    content = view.ended_message(rotation, current, by.user_id)
    await messages.store_content(conn, key, channel, content)
    for user in sorted({was, current} - {None}, key=str):
        await messages.store_content(conn, f"{key}:{user}", str(user), content)
    return True


async def end_one(
    conn: Connection, schedule: Schedule | None, *, channel: str, override_id: int, by: Person
) -> Override | None:
    """End one override, or cancel it before it begins; return it as it was, None if none has this id."""
    now, before = await read_clock(conn), await oncall.list_overrides(conn)
    ended = next((one for one in before if one.id == override_id), None)
    if ended is None or await oncall.end_override(conn, override_id=override_id, now=now) is None:
        return None
    moved = await remember_moves(conn, schedule, before, now)
    key = f"oncall:ended:{override_id}"
    content = view.cancelled_message(ended, moved, by.user_id)
    await messages.store_content(conn, key, channel, content)
    for user in view.moved_people(moved) or [ended.user_id]:
        await messages.store_content(conn, f"{key}:{user}", user, content)
    return ended


async def offer_swap(conn: Connection, swap: Swap, *, channel: str) -> None:
    """Ask the other person, in the channel and directly."""
    await messages.store_content(conn, swap.message_key, channel, view.swap_message(swap))
    await messages.store_content(conn, f"{swap.message_key}:direct", swap.other_user, view.swap_message(swap))


async def settle_swap(conn: Connection, schedule: Schedule, swap: Swap, *, channel: str, by: Person) -> None:
    """Move both shifts if the swap is accepted; edit its messages, and notify the person who did not act."""
    if swap.state is SwapState.ACCEPTED:
        now, before = await read_clock(conn), await oncall.list_overrides(conn)
        for user, begins, ends in (
            (swap.other_user, swap.begins_at, swap.ends_at),
            (swap.user_id, swap.other_begins_at, swap.other_ends_at),
        ):
            await _add(conn, Desired(swap.rotation, user, ends, max(begins, now)), by, confirmed=True)
        await remember_moves(conn, schedule, before, now)
    await offer_swap(conn, swap, channel=channel)
    if by.user_id == swap.other_user:
        await messages.store_content(conn, f"{swap.message_key}:outcome", swap.user_id, view.swap_message(swap))


async def remember_moves(
    conn: Connection, schedule: Schedule | None, before: Sequence[Override], now: datetime
) -> list[Move]:
    """Return the moves that this transaction's change of overrides makes; store reminders 1 day and 1 h before each."""
    if schedule is None:
        return []
    after = await oncall.list_overrides(conn)
    ends = max((one.ends_at for one in (*before, *after)), default=now)
    moved = moves(Plan(schedule, before), Plan(schedule, after), now, ends + timedelta(minutes=1))
    await store_reminders(conn, moved)
    return moved


async def store_reminders(conn: Connection, moved: Sequence[Move]) -> None:
    for move in moved:
        for person, gains in ((move.before, False), (move.after, True)):
            if person is not None:
                await oncall_changes.add_oncall_reminder(
                    conn,
                    rotation=move.rotation,
                    user_id=person.slack,
                    gains=gains,
                    begins_at=move.begins,
                    ends_at=move.ends,
                )


async def update_message(conn: Connection, override: Override, relieved: Sequence[str], *, channel: str) -> None:
    """Write the override's message in the channel, and the one to the substitute."""
    await messages.store_content(conn, override.message_key, channel, view.override_message(override, relieved))
    key = f"{override.message_key}:direct"
    await messages.store_content(conn, key, override.user_id, view.put_on_call_message(override, relieved))


def _holder(schedule: Schedule | None, rotation: str, at: datetime, overrides: Sequence[Override]) -> str | None:
    """The Slack id of the person on call for the rotation then."""
    found = holder(schedule, rotation, at, overrides) if schedule else None
    return found.slack if found else None
