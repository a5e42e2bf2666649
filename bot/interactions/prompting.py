"""A line that leaves something open which a modal asks for, before anything is read; pure."""

from __future__ import annotations

from bot.commands._arguments import read_number
from bot.commands._asking import DRY_RUN
from bot.commands._contract import Block, Surface
from bot.commands._registry import find
from bot.commands._words import split_words
from bot.commands.stop_workers import COMMAND as STOP_WORKERS
from bot.commands.stop_workers import split
from bot.views import incident_modals
from bot.views.modals import stop_workers_modal
from services.domain.errors import UsageError

OPEN, RESOLVE = "incident open", "incident resolve"


def prompt_for(line: str, surface: Surface, *, channel: str) -> Block | None:
    """The modal; None for a line that needs none. Only a command and a click can open one."""
    try:
        verb, words = find(split_words(line, surface))
        return None if DRY_RUN in words else _modal(verb.name, words, {"channel": channel})
    except UsageError:
        return None  # whoever runs the line says what is wrong with it


def _modal(name: str, words: tuple[str, ...], metadata: dict[str, object]) -> Block | None:
    if name == STOP_WORKERS.name:
        service, reason = split(words)
        return None if reason else stop_workers_modal(service, metadata | {"service": service})
    if name == OPEN and not words:
        return incident_modals.open_modal(metadata)
    if name == RESOLVE and len(words) == 1 and (number := read_number(words[0])) is not None:
        return incident_modals.resolve_modal(number, metadata)
    return None
