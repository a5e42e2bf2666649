"""Buttons and menus that run a command line, as `bot.views.blocks` makes them."""

from __future__ import annotations

from collections.abc import Mapping

from bot.views.blocks import COMMAND_ACTION, VALUE_LIMIT


def command_line(action: Mapping[str, object]) -> str | None:
    """The line that a pressed button asks to run; None when the action is something else or damaged."""
    value = _chosen(action)
    if not str(action.get("action_id", "")).startswith(f"{COMMAND_ACTION}."):
        return None
    return value if isinstance(value, str) and 0 < len(value) <= VALUE_LIMIT else None


def _chosen(action: Mapping[str, object]) -> object:
    """A button's own value, or that of the item which was chosen in a menu."""
    option = action.get("selected_option")
    return option.get("value") if isinstance(option, Mapping) else action.get("value")
