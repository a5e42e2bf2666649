"""`help [topic]`: lists and explains the commands."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from bot.changes import Change
from bot.commands.command import NO_MARKS, Marks
from bot.commands.parsing import SYNONYMS, key, match, suggest
from bot.commands.registry import REGISTRY, find
from bot.commands.verbs import TOPICS, Topic
from bot.types import Answer, Block, Request, Surface, Verb
from bot.views.blocks import actions, command_button, context, fit_message, header, section, sections
from bot.views.text import code, escape
from services.domain.message_origin import slash
from services.domain.services import DECLARED, Service

if TYPE_CHECKING:
    from bot.approvals.service import ApprovalService
    from bot.world import World


MOST_FOUND = 6

_WORD = re.compile(r"[a-z0-9]+")
_EMPTY = frozenset(  # words that say nothing about the topic
    _WORD.findall(
        "a an and are at be by can do does for from get have how i in is it its me my of on or our please see show "
        "tell that the there this to us was we what when where which who why will with you your"
    )
)


def find_topic(words: Sequence[str]) -> Topic | None:
    """Return the topic with this word or this label ("something is wrong"); None if there is none."""
    typed = key(words)
    return next((topic for topic in TOPICS if typed in (topic.word, key(topic.label.split()))), None)


def search(words: Sequence[str], registry: Mapping[str, Verb]) -> list[Verb]:
    """List the commands whose names, synonyms or summaries share the most words with these, best first."""
    asked = set(_WORD.findall(" ".join(words).lower()))
    content_words = {_stem(word) for word in asked - _EMPTY}
    scored = [(_score(content_words, asked, verb), verb) for verb in registry.values()]
    best = max((score for score, _ in scored), default=0)
    found = sorted((one for one in scored if one[0] and one[0] * 2 >= best), key=lambda one: -one[0])
    return [verb for _, verb in found[:MOST_FOUND]]


def _score(content_words: set[str], asked: set[str], verb: Verb) -> int:
    """Score: 10 per synonym of several words ("who is on call"), 3 per word of a name, 2 per word of the summary."""
    names = [verb.name, *(synonym for synonym, name in SYNONYMS.items() if name == verb.name)]
    whole = sum(len(parts) > 1 and parts <= asked for parts in (set(_WORD.findall(name)) for name in names))
    named, in_summary = content_words & _stems(" ".join(names)), content_words & _stems(verb.summary)
    return 10 * whole + 2 * len(named | in_summary) + len(named)


def _stems(text: str) -> set[str]:
    return {_stem(word) for word in set(_WORD.findall(text.lower())) - _EMPTY}


def _stem(word: str) -> str:
    return word.removesuffix("s")


def _how_to_type(services: Collection[Service]) -> str:
    names = ", ".join(code(service.short) for service in services)
    return (
        f"Type `{slash('&lt;command&gt;')}`; inside a thread mention the bot instead; on a terminal "
        "`dragonfly &lt;command&gt;`, which also has `migrate` and `manifest`. "
        f"Services: {names}. `help &lt;command&gt;` shows more."
    )


FIRST_GROUP = "Start here"
FIRST_STEPS = ("health", "queue", "failed-jobs")
MOST_BUTTONS = 5


def topics_answer(
    topics: Sequence[Topic], commands: Sequence[Verb], services: Collection[Service] = DECLARED
) -> Answer:
    """The topics as buttons; `--json` prints every command."""
    first = "*What do you need?*"
    buttons = [command_button(topic.label, f"help {topic.word}") for topic in topics]
    blocks = [section(first), *actions(buttons), context(_how_to_type(services))]
    words = ", ".join(f"`help {topic.word}` ({topic.label})" for topic in topics)
    return Answer(*fit_message(f"What do you need? {words}", blocks), commands_data(commands), private=True)


def list_answer(title: str, commands: Sequence[Verb], marks: Marks = NO_MARKS) -> Answer:
    """The commands in this order; reads that need no argument have a button."""
    at_once = [one for one in commands if one.is_read and not one.usage.startswith("<") and one.name != "policy"]
    blocks = [
        *sections([f"*{escape(title)}*", *(_line(one, marks) for one in commands)]),
        *actions([command_button(one.name, one.name) for one in at_once[:MOST_BUTTONS]]),
        context("`help &lt;command&gt;` shows one in detail, `help all` lists them all."),
    ]
    text = f"{escape(title)}: " + ", ".join(f"`{command.name}`" for command in commands)
    return Answer(*fit_message(text, blocks), commands_data(commands), private=True)


def found_answer(words: str, commands: Sequence[Verb], *, meant: str | None, marks: Marks = NO_MARKS) -> Answer:
    """Answer to words that are no command: related commands, and `meant`, the name that was probably meant."""
    hint = f" Did you mean {code(meant, limit=80)}?" if meant else ""
    first = f"{code(words, limit=80)} is not a command.{hint} Related commands:"
    rows = [section(_line(one, marks), accessory=command_button("More", f"help {one.name}")) for one in commands]
    return Answer(*fit_message(first, [section(first), *rows]), commands_data(commands), private=True)


def help_answer(commands: Sequence[Verb], marks: Marks = NO_MARKS, services: Collection[Service] = DECLARED) -> Answer:
    """All commands by group, one line per command."""
    blocks = [header("Dragonfly commands")]
    for group, members in groupby(sorted(commands, key=_by_group), key=lambda command: command.group):
        blocks += sections([f"*{escape(group)}*", *(_line(command, marks) for command in members)])
    known = {command.name for command in commands}
    blocks += actions([command_button(name, name) for name in FIRST_STEPS if name in known])
    blocks.append(context(_how_to_type(services)))
    text = "Dragonfly commands: " + ", ".join(f"`{command.name}`" for command in commands)
    return Answer(*fit_message(text, blocks), commands_data(commands), private=True)


def topic_answer(command: Verb, *, when: str | None, family: Sequence[Verb] = (), marks: Marks = NO_MARKS) -> Answer:
    """One command: usage, effect, when to use it, examples, its `family`, and the visibility of its answer."""
    lines = [f"*{_usage_code(command)}*", command.summary]
    lines += [f"🔒 *You can't use it*: only {marks[command.name]}"] if command.name in marks else []
    lines += [f"*When:* {when}"] if when else []
    lines += [f"*Risk:* {escape(command.risk_words)}"] if isinstance(command, Change) else []
    lines += [f"• {code(line)}" for line in command.examples]
    lines += ["*See also*", *(_line(one, marks) for one in family)] if family else []
    seen_by = "Only you see the answer." if command.private else "Everyone in the channel sees the answer."
    blocks: list[Block] = [*sections(lines), context(seen_by)]
    if command.examples and _can_be_tried(command) and command.name not in marks:
        blocks[1:1] = actions([command_button(f"Run {command.examples[0]}", command.examples[0])])
    text = f"{_usage_code(command)}: {command.summary}"
    return Answer(*fit_message(text, blocks), commands_data([command])[0], private=True)


def _can_be_tried(command: Verb) -> bool:
    """True if a button with the first example is harmless: a read, a change (planned first), or the bare command."""
    return command.is_read or isinstance(command, Change) or command.examples[0] == command.name


def commands_data(commands: Iterable[Verb]) -> list[dict[str, object]]:
    """Data for `help --json`: one object per command, in the given order."""
    return [
        {
            "name": command.name,
            "usage": command.usage,
            "summary": command.summary,
            "group": command.group,
            "examples": list(command.examples),
            "private": command.private,
            "risk": command.risk_words if isinstance(command, Change) else None,
        }
        for command in commands
    ]


def _by_group(command: Verb) -> tuple[bool, str, str]:
    return command.group != FIRST_GROUP, command.group, command.name


def _line(command: Verb, marks: Marks) -> str:
    return f"{_usage_code(command)} — {command.summary}{mark_words(marks, command.name)}"


def mark_words(marks: Marks, name: str) -> str:
    """ " · 🔒 only @dragonfly-operators" for a command that the person may not use, else empty."""
    return f" · 🔒 only {marks[name]}" if name in marks else ""


def _usage_code(command: Verb) -> str:
    """Name and usage as code ("`logs <service> [filter]`"), so that Slack does not take the brackets for a link."""
    return code(f"{command.name} {command.usage}".strip())


async def answer_help(request: Request, world: World, approval_service: ApprovalService | None) -> Answer:
    """Answer `help` with the requester's marks. Raises UsageError."""
    from bot.commands.help_marks import read_marks  # imports the policy, which a terminal's help does not need

    marks = await read_marks(request, world, approval_service)
    return help_for(request.words, request.surface, marks, world.known_services)


def help_for(
    words: Sequence[str], surface: Surface, marks: Marks = NO_MARKS, services: Collection[Service] = DECLARED
) -> Answer:
    """Return the topics, the commands of a topic or group, the commands found by words, or one. Raises UsageError."""
    verbs = list(REGISTRY.values())
    if not words:
        if surface is Surface.TERMINAL:
            return help_answer(verbs, marks, services)
        return topics_answer(TOPICS, verbs, services)
    topic, group = find_topic(words), [verb for verb in verbs if verb.group.lower() == " ".join(words).lower()]
    if topic is not None:
        named = [REGISTRY[name] for name in topic.names]
        return list_answer(topic.label, named, marks) if named else help_answer(verbs, marks, services)
    if group:
        return help_answer(group, marks, services)
    found, about = match(words, REGISTRY), search(words, REGISTRY)
    if found is not None or not about:
        # `find` raises if there is no such command
        return _describe(found[0] if found else find(words)[0], REGISTRY, marks)
    meant = next(iter(suggest(words[:1], (), REGISTRY)), None)
    return found_answer(" ".join(words), about, meant=meant, marks=marks)


def _describe(verb: Verb, registry: Mapping[str, Verb], marks: Marks) -> Answer:
    from playbooks.catalogue import find_entry  # imports that playbook, which the list of all does not need

    entry = find_entry(verb.name)
    family = [other for name, other in registry.items() if name.startswith(f"{verb.name} ")]
    return topic_answer(verb, when=entry.when if entry else None, family=family, marks=marks)
