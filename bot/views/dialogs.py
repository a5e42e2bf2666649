"""What is said where a dialog did not open: nothing was done, and which line does the same."""

from __future__ import annotations

from collections.abc import Sequence

from bot.views.text import code, escape
from services.domain.errors import Choice, OperatorError, SourceError


def no_dialog(failure: SourceError, line: str, choices: Sequence[Choice] = ()) -> OperatorError:
    """`line` has its places in angle brackets; `choices` are whole lines, to be pressed."""
    typed = code(f"/dragonfly {line}")
    what_next = f"Type {typed}; in a thread, mention the bot instead."
    return OperatorError(
        "The dialog did not open; nothing was done",
        why=escape(failure.why, limit=200),
        what_next=f"Press one, or type {typed}; in a thread, mention the bot instead." if choices else what_next,
        choices=choices,
    )
