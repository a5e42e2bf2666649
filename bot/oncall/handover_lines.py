"""Lines that people add to the note with which a shift began.

Separate from the task that posts the notes, which imports the scheduler: commands on a terminal start without it.
"""

from __future__ import annotations

from datetime import timedelta

from bot.views import handover as view
from services.clients.postgres import messages, oncall
from services.clients.postgres.pool import Connection
from services.clients.postgres.queries import read_clock
from services.domain.oncall import Schedule
from services.domain.shifts import FURTHEST, Shift, shifts

MOMENT = timedelta(seconds=1)


def note_key(shift: Shift) -> str:
    """The outbox key of the note with which this shift begins."""
    return f"oncall:handover:{shift.rotation}:{shift.begins:%Y%m%dT%H%M}"


async def add_note(
    conn: Connection, schedule: Schedule, rotation: str, user_id: str, text: str, *, channel: str
) -> bool:
    """Post a line below the note of the present shift. False if there is no such note."""
    now = await read_clock(conn)
    known = await oncall.list_overrides_since(conn, since=now - FURTHEST)
    found = shifts(schedule, rotation, now - FURTHEST, now + MOMENT, known)
    if not found:
        return False
    key = note_key(found[-1])
    if await messages.read_message_content(conn, key=key) is None:
        return False
    words, blocks = view.note_message(user_id, text)
    line_key = f"{key}:line:{now:%Y%m%dT%H%M%S%f}"
    await messages.store_message(conn, key=line_key, channel=channel, text=words, blocks=blocks, thread_key=key)
    return True
