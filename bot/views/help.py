"""The help as a message: everything by group, or one command with its examples."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from bot.commands._contract import Answer, Block
from bot.commands._topics import Topic
from bot.commands._verbs import Change, Verb
from bot.views.blocks import actions, command_button, context, header, section, sections
from bot.views.message import fit_message
from bot.views.text import code, escape

WAYS = (
    "Type `/dragonfly &lt;command&gt;`; inside a thread mention the bot instead; on a terminal "
    "`dragonfly &lt;command&gt;`, which has `migrate` and `manifest` besides. "
    "Services: `api`, `ingest`, `enforcement`. `help &lt;command&gt;` tells more."
)
FIRST_GROUP = "Start here"
FIRST_STEPS = ("health", "queue", "failed-jobs")
MOST_BUTTONS = 5


def topics_answer(topics: Sequence[Topic], commands: Sequence[Verb]) -> Answer:
    """What one comes for, as buttons; `--json` has every command all the same."""
    first = "*What do you need?*"
    buttons = [command_button(topic.label, f"help {topic.word}") for topic in topics]
    blocks = [section(first), *actions(buttons), context(WAYS)]
    words = ", ".join(f"`help {topic.word}` ({topic.label})" for topic in topics)
    return Answer(*fit_message(f"What do you need? {words}", blocks), commands_data(commands), private=True)


def list_answer(title: str, commands: Sequence[Verb]) -> Answer:
    """A few commands in this order; those that can be run as they are have a button."""
    at_once = [one for one in commands if one.is_read and not one.usage.startswith("<") and one.name != "policy"]
    blocks = [
        *sections([f"*{escape(title)}*", *map(_line, commands)]),
        *actions([command_button(one.name, one.name) for one in at_once[:MOST_BUTTONS]]),
        context("`help &lt;command&gt;` tells more of one, `help all` lists them all."),
    ]
    text = f"{escape(title)}: " + ", ".join(f"`{command.name}`" for command in commands)
    return Answer(*fit_message(text, blocks), commands_data(commands), private=True)


def found_answer(words: str, commands: Sequence[Verb], *, meant: str | None) -> Answer:
    """The words name no command: those that are about them, and the name that was probably meant."""
    hint = f" Did you mean {code(meant, limit=80)}?" if meant else ""
    first = f"{code(words, limit=80)} is no command.{hint} These are about it:"
    rows = [section(_line(one), accessory=command_button("More", f"help {one.name}")) for one in commands]
    return Answer(*fit_message(first, [section(first), *rows]), commands_data(commands), private=True)


def help_answer(commands: Sequence[Verb]) -> Answer:
    """Every command in one line, grouped."""
    blocks = [header("Dragonfly commands")]
    for group, members in groupby(sorted(commands, key=_by_group), key=lambda command: command.group):
        blocks += sections([f"*{escape(group)}*", *(_line(command) for command in members)])
    known = {command.name for command in commands}
    blocks += actions([command_button(name, name) for name in FIRST_STEPS if name in known])
    blocks.append(context(WAYS))
    text = "Dragonfly commands: " + ", ".join(f"`{command.name}`" for command in commands)
    return Answer(*fit_message(text, blocks), commands_data(commands), private=True)


def topic_answer(command: Verb, *, when: str | None, family: Sequence[Verb] = ()) -> Answer:
    """One command: usage, what it does, when to use it, examples, its `family`, and who sees the answer."""
    lines = [f"*{_call(command)}*", command.summary]
    lines += [f"*When:* {escape(when)}"] if when else []
    lines += [f"*Risk:* {escape(command.risk)}"] if isinstance(command, Change) else []
    lines += [f"• {code(line)}" for line in command.examples]
    lines += ["*See also*", *map(_line, family)] if family else []
    seen_by = "Only you see the answer." if command.private else "Everybody in the channel sees the answer."
    blocks: list[Block] = [*sections(lines), context(seen_by)]
    if command.examples:
        blocks[1:1] = actions([command_button(f"Run {command.examples[0]}", command.examples[0])])
    text = f"{_call(command)}: {command.summary}"
    return Answer(*fit_message(text, blocks), commands_data([command])[0], private=True)


def commands_data(commands: Iterable[Verb]) -> list[dict[str, object]]:
    """What `help --json` prints: one object a command, in the given order."""
    return [
        {
            "name": command.name,
            "usage": command.usage,
            "summary": command.summary,
            "group": command.group,
            "examples": list(command.examples),
            "private": command.private,
            "risk": command.risk if isinstance(command, Change) else None,
        }
        for command in commands
    ]


def _by_group(command: Verb) -> tuple[bool, str, str]:
    return command.group != FIRST_GROUP, command.group, command.name


def _line(command: Verb) -> str:
    return f"{_call(command)} — {command.summary}"


def _call(command: Verb) -> str:
    """`logs <service> [filter]`, in which the brackets must not look like a link to Slack."""
    return code(f"{command.name} {command.usage}".strip())
