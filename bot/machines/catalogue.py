"""The commands that machines may call: most reads, `ask`, and every change that needs approval. Pure.

A machine sends verb and arguments separately, and they are compared, so that no argument selects another command.
"""

from __future__ import annotations

from collections.abc import Iterator

from bot.changes import Change
from bot.commands.command import AskCommand
from bot.commands.parsing import split_words
from bot.commands.registry import REGISTRY, find
from bot.config.policy import ASK, READ
from bot.types import Surface, Verb
from playbooks.model import Risk
from services.domain.errors import UsageError

# Reads of settings, of the audit log, and of one person's pending work.
_PEOPLE_ONLY = frozenset({"audit", "check-config", "env", "home", "policy", "preflight", "prod-gate", "security-audit"})
RAW = "--raw"
ARGUMENTS_LIMIT = 500  # characters


def is_offered(verb: Verb) -> bool:
    """True if machines may call the verb. Decisions, incident commands and emergency stops need a person."""
    if isinstance(verb, Change):
        return verb.risk is not Risk.BREAK_GLASS
    return verb.is_read and verb.name not in _PEOPLE_ONLY


def offered_verbs() -> Iterator[Verb]:
    """The verbs that machines may call, by name."""
    return (verb for verb in REGISTRY.values() if is_offered(verb))


def right_for(verb: Verb) -> str:
    """The policy's verb that the machine needs the right to request."""
    if isinstance(verb, Change):
        return verb.name
    return ASK if isinstance(verb, AskCommand) else READ


def parse_call(name: str, arguments: str) -> tuple[Verb, list[str]]:
    """Return the verb and the words of its line. Raises UsageError for a command that machines may not call."""
    verb = REGISTRY.get(name)
    if verb is None or not is_offered(verb):
        why = "there is no such command for machines"
        raise UsageError("Nothing was run", why=why, what_next="Use a name from the list of tools.")
    words = [*name.split(), *split_words(arguments[:ARGUMENTS_LIMIT], Surface.TERMINAL)]
    if len(arguments) > ARGUMENTS_LIMIT:
        what_next = f"Send at most {ARGUMENTS_LIMIT} characters."
        raise UsageError("Nothing was run", why="the arguments are too long", what_next=what_next)
    if any(word.partition("=")[0] == RAW for word in words):
        why = "machines get masked lines only"
        raise UsageError("Nothing was run", why=why, what_next=f"Leave out `{RAW}`.")
    if find(words)[0] is not verb:
        why = f"these arguments turn `{name}` into another command"
        raise UsageError("Nothing was run", why=why, what_next="Call that command's own tool, if there is one.")
    return verb, words
