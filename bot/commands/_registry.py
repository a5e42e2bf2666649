"""All commands by name, and one way to run a typed line: the same for Slack, buttons and the terminal."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING

import bot.commands as package
from bot.commands._asking import ask
from bot.commands._contract import Answer, Request, Surface
from bot.commands._thread import in_thread, with_service
from bot.commands._verbs import Change, Command, DeskCommand, RoomCommand, Verb
from bot.commands._words import split_words
from bot.views.message import fit_message
from bot.views.text import code
from services.domain.errors import UsageError

if TYPE_CHECKING:
    from bot.approvals.desk import Desk
    from bot.facts import World
    from bot.incidents.room import Room

BARE = "home"  # what a line without words runs


def _discover() -> dict[str, Verb]:
    """`COMMAND` or `COMMANDS` of every module of this package whose name has no underscore in front."""
    commands: dict[str, Verb] = {}
    for command in _declared():
        if command.name in commands:
            raise RuntimeError(f"two commands are called `{command.name}`")
        commands[command.name] = command
    return dict(sorted(commands.items()))


def _declared() -> Iterator[Verb]:
    for module_info in pkgutil.iter_modules(package.__path__):
        if not module_info.name.startswith("_"):
            module = importlib.import_module(f"{package.__name__}.{module_info.name}")
            yield from getattr(module, "COMMANDS", None) or (module.COMMAND,)


REGISTRY: Mapping[str, Verb] = _discover()


async def run(line: str, request: Request, world: World, desk: Desk | None = None, room: Room | None = None) -> Answer:
    """The answer to a typed line. Raises UsageError for words that do not fit, OperatorError for what cannot be done.

    Whatever the command gives back fits into a Slack message, and stays private when the command is. `desk` is where
    changes are asked for, `room` where incidents are worked on; None where there is none.
    """
    return await run_words(split_words(line, request.surface), request, world, desk, room)


async def run_words(
    words: list[str], request: Request, world: World, desk: Desk | None = None, room: Room | None = None
) -> Answer:
    """The same for a line that is in words already, as a shell gives it."""
    verb, rest = find(in_thread(words, request.incident))
    request = replace(request, words=with_service(rest, verb.usage, request.incident))
    answer = await _run(verb, request, world, desk, room)
    answer = replace(answer, private=answer.private or verb.private)
    if request.surface is Surface.TERMINAL:
        return answer
    text, blocks = fit_message(answer.text, answer.blocks)
    return replace(answer, text=text, blocks=blocks)


async def _run(verb: Verb, request: Request, world: World, desk: Desk | None, room: Room | None) -> Answer:
    match verb:
        case Command():
            return await verb.handle(request, world)
        case DeskCommand():
            return await verb.handle(request, world, desk)
        case RoomCommand():
            return await verb.handle(request, world, room)
        case Change():
            return await ask(verb, request, world, desk)
        case _:
            raise TypeError(f"{verb.name} is no kind of verb that can be run")


def find(words: list[str]) -> tuple[Verb, tuple[str, ...]]:
    """The command that the words name, and the words after it. Raises UsageError that names the nearest command.

    The verb may be written in any case, with `_` or a space for `-` ("Failed jobs 2h"). Some verbs are two words.
    """
    if not words:
        return REGISTRY[BARE], ()
    for length in (2, 1):
        for glue in ("-", " "):
            name = glue.join(words[:length]).lower().replace("_", "-")
            if len(words) >= length and name in REGISTRY:
                return REGISTRY[name], tuple(words[length:])
    raise _unknown(words[0])


def nearest(word: str, names: list[str]) -> str | None:
    """The name that a mistyped word probably means."""
    return next(iter(get_close_matches(word.lower(), names, n=1, cutoff=0.6)), None)


def _unknown(word: str) -> UsageError:
    meant = nearest(word, list(REGISTRY))
    return UsageError(
        f"There is no command {code(word, limit=80)}",
        why="the first word must be a command",
        what_next=f"Did you mean `{meant}`? " * bool(meant) + "`help` lists all commands.",
    )
