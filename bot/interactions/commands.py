"""Buttons that run a command line, as `bot.views.blocks.command_button` makes them."""

from __future__ import annotations

from collections.abc import Mapping

from bot.views.blocks import COMMAND_ACTION, VALUE_LIMIT


def command_line(action: Mapping[str, object]) -> str | None:
    """The line that a pressed button asks to run; None when the action is something else or damaged."""
    value = action.get("value")
    if not str(action.get("action_id", "")).startswith(f"{COMMAND_ACTION}."):
        return None
    return value if isinstance(value, str) and 0 < len(value) <= VALUE_LIMIT else None
