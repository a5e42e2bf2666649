"""What is said of an emergency stop that was made without the database."""

from __future__ import annotations

from collections.abc import Sequence

from bot.commands._contract import Answer
from bot.views.blocks import context, section
from bot.views.text import escape
from playbooks._contract import Status

UNDO = "the run is filed by itself when the database is back; `scale` starts the workers again"


def emergency_answer(environment: str, lines: Sequence[tuple[bool, str]]) -> Answer:
    """`lines`: whether it is stopping, and the words for it, one a service. Everybody in the channel reads it."""
    fine = all(is_stopping for is_stopping, _ in lines)
    sign = "🛑 *STOPPING THE WORKERS*" if fine else "🔴 *NOT ALL WORKERS ARE STOPPING*"
    first = f"{sign} · {escape(environment)} · without the database, so nothing is written down yet"
    words = [f"{'•' if is_stopping else '🔴'} {escape(note)}" for is_stopping, note in lines]
    data = {"stopping": fine, "services": [note for _, note in lines]}
    status = Status.OK if fine else Status.FAIL
    return Answer(first, [section("\n".join([first, *words])), context(UNDO)], data, status)
