"""The buttons of a run's message: what a click asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from bot.commands._arguments import read_number
from bot.views.run_buttons import RESOLVE

How = Literal["done", "retry", "abort"]  # what a person says of a step that is unknown

PREFIX = "run."


@dataclass(frozen=True)
class RunClick:
    """`verb` is the button's action id, `how` what follows `run.resolve.`."""

    verb: str
    run_id: int
    how: How | None = None


def read_click(action: Mapping[str, Any]) -> RunClick | None:
    """None when the action is something else or damaged."""
    verb, run_id = str(action.get("action_id", "")), read_number(str(action.get("value", "")))
    if not verb.startswith(PREFIX) or run_id is None:
        return None
    if verb.startswith(f"{RESOLVE}."):
        how = next((one for one in get_args(How) if verb == f"{RESOLVE}.{one}"), None)
        return RunClick(RESOLVE, run_id, how) if how else None
    return RunClick(verb, run_id)
