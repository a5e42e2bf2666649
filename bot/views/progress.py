"""The sign that a command shows before its answer."""

from __future__ import annotations

from bot.types import Answer
from bot.views.blocks import fit_message, section
from bot.views.text import code


def still_reading(line: str, limit_s: float, *, private: bool) -> Answer:
    """A sign that sources are still being read. `line`: the command. `limit_s`: time limit per source."""
    words = f"⏳ {code(line, limit=80)}: still reading. What doesn't answer within {limit_s:g} s is shown as unknown."
    return Answer(*fit_message(words, [section(words)]), None, private=private)
