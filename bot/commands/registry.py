"""All commands by name, and the look-up of a typed line: the same for Slack, buttons and the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.commands.parsing import join_words, match, split_words, suggest, without_self
from bot.commands.verbs import VERBS
from bot.types import Surface, Verb
from bot.views.text import code
from services.domain.errors import Choice, UsageError

HELP = frozenset({"-h", "--help"})
BARE = "home"  # run by a line without words
REGISTRY: Mapping[str, Verb] = {verb.name: verb for verb in sorted(VERBS, key=lambda verb: verb.name)}


def import_all() -> None:
    """Import the functions of all commands. A process that serves Slack does so at its start, so no click waits."""
    for verb in REGISTRY.values():
        for place in verb.places:
            place.load()


def asks_for_help(words: Sequence[str]) -> bool:
    """True if the line ends with `--help` or `-h`."""
    return bool(words) and words[-1].lower() in HELP


def find(words: Sequence[str], *, before: Sequence[str] = ()) -> tuple[Verb, tuple[str, ...]]:
    """Return the command that the words name, and the words after it. Raises UsageError with suggestions.

    The verb may be typed in any case, with `_` or a space for `-` ("Failed jobs 2h"), or as a synonym.
    """
    words = without_self(words)
    found = match(words, REGISTRY) if words else None
    if found is not None:
        return found
    meant = suggest(words, before, REGISTRY)
    if not words and not meant:
        return REGISTRY[BARE], ()
    raise _unknown(words, meant)


def edited_error(line: str) -> UsageError:
    """The error for an edited mention: a message is read only once, when it is posted."""
    words = split_words(line, Surface.MENTION)
    typed = join_words(words) if words and match(without_self(words), REGISTRY) else None
    return UsageError(
        "The edit was not run",
        why="a message is one command, read once when it is posted",
        what_next="Type it again as a new message that begins with `@dragonfly`.",
        choices=[Choice(typed)] if typed else (),
    )


def _unknown(words: Sequence[str], meant: Sequence[str]) -> UsageError:
    hint = f"Did you mean {code(meant[0], limit=80)}? " if meant else ""
    return UsageError(
        f"There is no command {code(words[0], limit=80)}" if words else "Nothing was run",
        why=_why_unknown(words),
        what_next=f"{hint}`help` lists all commands.",
        choices=[Choice(line) for line in meant],
    )


def _why_unknown(words: Sequence[str]) -> str:
    if not words:
        return "the command has to come after the bot's name"
    if not words[0].isascii() and any(letter.isalpha() and not letter.isascii() for letter in words[0]):
        return "the first word must be a command, and this one has letters outside a to z"
    return "the first word must be a command"
