"""Follow-ups of incidents: in the incident's thread, as a list, and in other people's messages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.types import Answer, Block
from bot.views.blocks import actions, command_button, fit_message, section
from bot.views.text import date_token, escape, mention
from services.domain.text import counted
from services.domain.todos import Todo

Content = tuple[str, list[Block]]
SHOWN, BUTTONS = 20, 5


def todo_line(todo: Todo, now: datetime) -> str:
    """ "☐ ben: raise the limit · by Fri · incident 7, follow-up 3", in mrkdwn."""
    sign = "✅" if todo.done_at else ("🔴" if todo.is_late(now) else "☐")
    who = f"{mention(todo.owner)}: " if todo.owner else ""
    by = f" · by {date_token(todo.due_at)}" if todo.due_at else ""
    return f"{sign} {who}{escape(todo.text, limit=500)}{by} · incident {todo.incident_id}, follow-up {todo.id}"


def todo_message(todo: Todo, now: datetime) -> Content:
    """In the incident's thread, with its button until it is done."""
    done = f" · done by {mention(todo.done_by)}" if todo.done_by else ""
    line = f"{todo_line(todo, now)}{done}"
    buttons = [] if todo.done_at else [_done(todo)]
    return fit_message(line, [section(line), *actions(buttons)])


def todos_answer(todos: Sequence[Todo], now: datetime) -> Answer:
    """The open ones, the next to be due first."""
    first = f"*Open follow-ups* ({len(todos)})" if todos else "*No follow-up is open*"
    data = [todo_data(one) for one in todos]
    return Answer(*fit_message(first, [section(first), *todo_blocks(todos, now)]), data, private=True)


def todo_blocks(todos: Sequence[Todo], now: datetime) -> list[Block]:
    """One per line, the first few with a button."""
    blocks = [
        section(todo_line(one, now), accessory=_done(one) if place < BUTTONS else None)
        for place, one in enumerate(todos[:SHOWN])
    ]
    left = len(todos) - SHOWN
    return [*blocks, section(f"… and {counted(left, 'other')}")] if left > 0 else blocks


def todo_data(todo: Todo) -> dict[str, object]:
    """What `--json` prints of one."""
    return {
        "id": todo.id,
        "incident": todo.incident_id,
        "text": todo.text,
        "owner": todo.owner,
        "due_at": todo.due_at.isoformat() if todo.due_at else None,
        "done_at": todo.done_at.isoformat() if todo.done_at else None,
    }


def _done(todo: Todo) -> Block:
    return command_button("Done", f"incident done {todo.id}")
