"""The message about a user group that can't follow its rotation."""

from __future__ import annotations

from bot.types import Block
from bot.views.blocks import context, fit_message, section
from bot.views.text import escape, mention

Content = tuple[str, list[Block]]


def refused_group_message(group_id: str, rotation: str, why: str) -> Content:
    """For the channel, once. `why`: a clause with the reason and what to do."""
    line = (
        f"⚠️ {mention(group_id)} does not follow the rotation *{escape(rotation, limit=100)}*: {escape(why, limit=300)}"
    )
    return fit_message(line, [section(line), context("pages do not depend on it")])
