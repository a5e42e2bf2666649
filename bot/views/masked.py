"""What was taken out of a person's words before they are kept: its writer is shown it."""

from __future__ import annotations

import html
from dataclasses import replace

from bot.commands._contract import Answer, Block
from bot.views.blocks import context, section
from bot.views.text import escape
from services.domain.masking_messages import mask_message

_SHOWN = 500  # characters of the words


def is_changed(typed: str) -> bool:
    """Whether something of it is not kept."""
    return mask_message(typed) != html.unescape(typed).strip()


def with_masked_note(answer: Answer, typed: str) -> Answer:
    """The answer to words that are kept, with a note of what they are kept as, should that differ."""
    if not is_changed(typed):
        return answer
    note = context(f"Kept without the data in it: “{escape(mask_message(typed), limit=_SHOWN)}”")
    return replace(answer, blocks=[*(answer.blocks or [section(answer.text)]), note])


def kept_as(typed: str) -> Block:
    """For a modal, before anything is kept."""
    shown = escape(mask_message(typed), limit=_SHOWN)
    return section(f"*Data is taken out before this is kept.* It will read:\n“{shown}”\nPress again if that will do.")
