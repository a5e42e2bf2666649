"""A line that leaves something open which a modal asks for, before anything is read; pure."""

from __future__ import annotations

from bot.commands._asking import DRY_RUN
from bot.commands._contract import Block, Surface
from bot.commands._registry import find
from bot.commands._words import split_words
from bot.commands.stop_workers import COMMAND as STOP_WORKERS
from bot.commands.stop_workers import split
from bot.views.modals import stop_workers_modal
from services.domain.errors import UsageError


def prompt_for(line: str, surface: Surface, *, channel: str) -> Block | None:
    """The modal; None for a line that needs none. Only a command and a click can open one (slack-rules.md §1)."""
    try:
        verb, words = find(split_words(line, surface))
        service, reason = split(words) if verb is STOP_WORKERS else ("", ("none is asked for",))
    except UsageError:
        return None  # whoever runs the line says what is wrong with it
    if reason or DRY_RUN in words:
        return None
    return stop_workers_modal(service, {"service": service, "channel": channel})
