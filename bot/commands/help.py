"""`help [topic]`: what there is to type."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.commands._arguments import no_more
from bot.commands._contract import Answer, Request
from bot.commands._verbs import Command
from bot.views.help import help_answer, topic_answer
from playbooks._catalogue import CATALOGUE

if TYPE_CHECKING:
    from bot.facts import World


async def answer_help(request: Request, world: World) -> Answer:  # noqa: ARG001 - every command has this signature
    """All commands, the commands of a group, or one command. Raises UsageError for a topic that is none of these."""
    from bot.commands._registry import REGISTRY, find  # the registry imports this module

    if not request.words:
        return help_answer(list(REGISTRY.values()))
    group = [c for c in REGISTRY.values() if c.group.lower() == " ".join(request.words).lower()]
    if group:
        return help_answer(group)
    command, rest = find(list(request.words))
    no_more(rest, 0)
    entry = CATALOGUE.get(command.name)
    family = [other for name, other in REGISTRY.items() if name.startswith(f"{command.name} ")]
    return topic_answer(command, when=entry.when if entry else None, family=family)


COMMAND = Command(
    name="help",
    summary="all commands, or one with its examples",
    group="Start here",
    handle=answer_help,
    usage="[command]",
    examples=("help", "help logs"),
    private=True,
)
