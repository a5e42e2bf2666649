"""A line that leaves something open which a modal asks for, before anything is read; pure."""

from __future__ import annotations

from dataclasses import dataclass

from bot.commands._arguments import read_number
from bot.commands._asking import DRY_RUN
from bot.commands._contract import Block, Surface
from bot.commands._registry import find
from bot.commands._words import split_words
from bot.commands.stop_workers import COMMAND as STOP_WORKERS
from bot.commands.stop_workers import split
from bot.views import incident_modals
from bot.views.modals import PRESETS, stop_workers_modal
from services.domain.errors import Choice, UsageError

OPEN, RESOLVE = "incident open", "incident resolve"


@dataclass(frozen=True)
class Prompt:
    """`line`: what to type instead, its places in angle brackets. `choices`: whole lines to press instead."""

    modal: Block
    line: str
    choices: tuple[Choice, ...] = ()


def prompt_for(line: str, surface: Surface, *, channel: str, thread: str | None = None) -> Prompt | None:
    """What to ask; None for a line that needs none. Only a command and a click can open one.

    `channel`, `thread`: where it is asked, which a submission does not tell.
    """
    place: dict[str, object] = {"channel": channel, **({"thread": thread} if thread else {})}
    try:
        verb, words = find(split_words(line, surface))
        return None if DRY_RUN in words else _prompt(verb.name, words, place)
    except UsageError:
        return None  # whoever runs the line says what is wrong with it


def _prompt(name: str, words: tuple[str, ...], metadata: dict[str, object]) -> Prompt | None:
    if name == STOP_WORKERS.name:
        service, reason = split(words)
        return None if reason else _stop_workers(service, metadata)
    if name == OPEN and not words:
        return Prompt(incident_modals.open_modal(metadata), f"{OPEN} <what is wrong>")
    if name == RESOLVE and len(words) == 1 and (number := read_number(words[0])) is not None:
        return Prompt(incident_modals.resolve_modal(number, metadata), f"{RESOLVE} {number} <cause>")
    return None


def _stop_workers(service: str, metadata: dict[str, object]) -> Prompt:
    name = STOP_WORKERS.name
    choices = tuple(Choice(f"{name} {service} {preset}", preset) for preset in PRESETS)
    return Prompt(stop_workers_modal(service, metadata | {"service": service}), f"{name} {service} <reason>", choices)
