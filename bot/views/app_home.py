"""The Home tab: an answer as a page of its own, with a way to refresh it and a way back."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from bot.commands._contract import Answer, Block
from bot.views.blocks import PREFORMATTED_LIMIT, actions, command_button, context, preformatted
from bot.views.columns import align
from bot.views.text import cut, date_token

START = "home"  # the command behind the bare `/dragonfly`


def home_view(answer: Answer, line: str, *, now: datetime) -> dict[str, Any]:
    """The view that `views.publish` takes. `line` is the command that the answer belongs to; empty for the start."""
    buttons = [command_button("Refresh", line or START, 9000)]  # far above the numbers that the answer's buttons have
    if line not in ("", START):
        buttons.append(command_button("Back to the start", START, 9001))
    blocks = [block if block["type"] != "table" else _as_text(block) for block in answer.blocks]
    told = [] if any(_tells_its_time(block) for block in blocks) else [context(f"As of {date_token(now)}")]
    return {"type": "home", "blocks": [*blocks, *told, *actions(buttons)]}


def _tells_its_time(block: Block) -> bool:
    """Most answers say as of when they are, in their last line of context."""
    return block["type"] == "context" and "as of" in json.dumps(block)


def _as_text(table: Block) -> Block:
    """Sources disagree on whether the Home tab takes tables."""
    return preformatted(cut(align([[cell["text"] for cell in row] for row in table["rows"]]), PREFORMATTED_LIMIT))
