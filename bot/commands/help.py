"""`help [topic]`: what there is to type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from bot.commands._contract import Answer, Request, Surface
from bot.commands._matching import match, suggest
from bot.commands._topics import TOPICS, find_topic, search
from bot.commands._verbs import Command, Verb
from bot.views.help import found_answer, help_answer, list_answer, topic_answer, topics_answer
from playbooks._catalogue import CATALOGUE

if TYPE_CHECKING:
    from bot.facts import World


async def answer_help(request: Request, world: World) -> Answer:  # noqa: ARG001 - every command has this signature
    """The topics; the commands of one, of a group, or that some words are about; or one command. Raises UsageError."""
    from bot.commands._registry import REGISTRY, find  # the registry imports this module

    words, verbs = list(request.words), list(REGISTRY.values())
    if not words:
        return help_answer(verbs) if request.surface is Surface.TERMINAL else topics_answer(TOPICS, verbs)
    topic, group = find_topic(words), [verb for verb in verbs if verb.group.lower() == " ".join(words).lower()]
    if topic is not None:
        return list_answer(topic.label, [REGISTRY[name] for name in topic.names]) if topic.names else help_answer(verbs)
    if group:
        return help_answer(group)
    found, about = match(words, REGISTRY), search(words, REGISTRY)
    if found is not None or not about:
        return _about(found[0] if found else find(words)[0], REGISTRY)  # find says that there is no such command
    return found_answer(" ".join(words), about, meant=next(iter(suggest(words[:1], (), REGISTRY)), None))


def _about(verb: Verb, registry: Mapping[str, Verb]) -> Answer:
    entry = CATALOGUE.get(verb.name)
    family = [other for name, other in registry.items() if name.startswith(f"{verb.name} ")]
    return topic_answer(verb, when=entry.when if entry else None, family=family)


COMMAND = Command(
    name="help",
    summary="what there is to type: by topic, one command with its examples, or what some words are about",
    group="Start here",
    handle=answer_help,
    usage="[topic|command|words]",
    examples=("help", "help all", "help logs", "help who is on call"),
    private=True,
)
