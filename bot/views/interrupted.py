"""The message about a request that was interrupted because the bot's process ended."""

from __future__ import annotations

from bot.types import Block
from bot.views.blocks import actions, command_button, fit_message, section
from bot.views.text import code, date_token
from services.domain.deliveries import Interrupted


def interrupted_message(found: Interrupted) -> tuple[str, list[Block]]:
    """The direct message to the request's author."""
    first = f"⚠️ *The bot was stopped while it worked on this:* {code(found.words, limit=300)}"
    asked = f"You asked for it at {date_token(found.asked_at, '{time_secs}')}; the answer may be missing."
    shown_by = f"run {found.run_id}" if found.run_id is not None else found.shown_by
    buttons = actions([command_button("Show it", shown_by)]) if shown_by else []
    return fit_message(first, [section(f"{first}\n{asked} {_outcome(found)}"), *buttons])


def _outcome(found: Interrupted) -> str:
    if found.run_id is not None:
        return f"Run {found.run_id} was filed for it: `run {found.run_id}` shows its state. Don't request it again."
    if found.is_written:
        return "It was done: check before you do it again."
    if found.shown_by is not None:
        return f"It may or may not have been done: check `{found.shown_by}` before you do it again."
    return "No run was filed, and nothing was saved for it. If you still want it, do it again."
