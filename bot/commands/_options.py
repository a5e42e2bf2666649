"""Words that begin with two dashes: which ones a command knows, and the two that mean the same everywhere."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bot.commands._arguments import wrong_word
from bot.commands._asking import DRY_RUN
from bot.commands._verbs import Change, Verb
from bot.settings import require
from bot.views.text import code
from services.domain.errors import UsageError

if TYPE_CHECKING:
    from bot.facts import World

ENV = "--env"  # as the runbook's own tools have it
RAW = "--raw"  # refused by whoever takes it, with the reason
HELP = frozenset({"-h", "--help"})

_OPTION = re.compile(r"--[a-z][\w-]*")
_SENTENCES = ("what", "why", "reason", "cause", "command", "filter")
_ENVIRONMENTS = {"production": "prod", "development": "dev", "stage": "staging"}


def asks_for_help(words: Sequence[str]) -> bool:
    """Whether the line ends with `--help`, or is nothing else."""
    return bool(words) and words[-1].lower() in HELP


def take_options(verb: Verb, words: tuple[str, ...], world: World) -> tuple[str, ...]:
    """The words without `--env`, once it names the environment that we are in. Raises UsageError for another one, and
    for an option that the verb does not have."""
    known = known_options(verb)
    if ENV in known:
        words = _without_env(verb, words, world)
    if not _takes_sentence(verb):
        for word in words:
            _refuse_unknown(verb, word, known)
    return words


def known_options(verb: Verb) -> list[str]:
    """The options in its usage, and `--dry-run` of every change."""
    return [*_OPTION.findall(verb.usage), *([DRY_RUN] if isinstance(verb, Change) else [])]


def _refuse_unknown(verb: Verb, word: str, known: list[str]) -> None:
    name = word.partition("=")[0]
    if not _OPTION.fullmatch(name) or name in (*known, RAW):
        return
    has = f"`{verb.name}` has {', '.join(f'`{one}`' for one in known)}" if known else f"`{verb.name}` has no options"
    raise wrong_word(name, "is not an option", f"{has}; `help {verb.name}` tells more.")


def _takes_sentence(verb: Verb) -> bool:
    """Whether its last words are for people to read, whatever they begin with; `logs` names its options itself."""
    return any(f"{name}{end}" in verb.usage for name in _SENTENCES for end in ">]")


def _without_env(verb: Verb, words: tuple[str, ...], world: World) -> tuple[str, ...]:
    at = next((n for n, word in enumerate(words) if word.partition("=")[0] == ENV), None)
    if at is None:
        return words
    _, equals, named = words[at].partition("=")
    after = at + 1
    if not equals:
        named, after = (words[after] if after < len(words) else ""), after + 1
    _check_environment(verb, named.lower(), require(world.settings.identity).environment)
    return (*words[:at], *words[after:])


def _check_environment(verb: Verb, named: str, own: str) -> None:
    if _ENVIRONMENTS.get(named, named) == own:
        return
    why = f"this bot is in `{own}`, not in {code(named, limit=40)}" if named else "no environment follows `--env`"
    what_next = f"`{verb.name}` without `--env` asks about `{own}`; for another environment ask its own bot."
    raise UsageError("Nothing was looked at", why=why, what_next=what_next)
