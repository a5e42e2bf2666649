"""The buttons of a run's message: what a click asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from bot.views.run_buttons import RESOLVE

How = Literal["done", "retry", "abort"]  # what a person says of a step that is unknown

MAX_DIGITS = 15  # of a run's number
PREFIX = "run."


@dataclass(frozen=True)
class RunClick:
    """`verb` is the button's action id, `how` what follows `run.resolve.`."""

    verb: str
    run_id: int
    how: How | None = None


def read_click(action: Mapping[str, Any]) -> RunClick | None:
    """None when the action is something else or damaged."""
    verb, value = str(action.get("action_id", "")), str(action.get("value", ""))
    if not verb.startswith(PREFIX) or not (value.isascii() and value.isdigit() and len(value) <= MAX_DIGITS):
        return None
    if verb.startswith(f"{RESOLVE}."):
        how = next((one for one in get_args(How) if verb == f"{RESOLVE}.{one}"), None)
        return RunClick(RESOLVE, int(value), how) if how else None
    return RunClick(verb, int(value))
