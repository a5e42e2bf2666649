"""The help begins with five buttons and finds commands by what people call them."""

from __future__ import annotations

import pytest

from bot.commands.dispatch import run
from bot.commands.help import search
from bot.commands.registry import REGISTRY
from bot.commands.verbs import TOPICS
from bot.config.environment import Settings
from bot.types import Answer, Request, Surface
from bot.world import World
from playbooks.catalogue import catalogue
from services.domain.errors import UsageError
from services.sandbox.slack.limits import violations

SLACK = Request(surface=Surface.SLASH)
WORLD = World.from_settings(Settings.from_environment({}))


async def ask(line: str) -> Answer:
    answer = await run(line, SLACK, WORLD)
    assert not violations({"text": answer.text, "blocks": list(answer.blocks)}, surface="message")
    return answer


async def test_help_is_five_buttons_and_nothing_to_scroll() -> None:
    answer = await ask("help")

    [buttons] = [block["elements"] for block in answer.blocks if block["type"] == "actions"]
    labels = ["Something is wrong", "See", "Change", "On call", "All"]
    assert [button["text"]["text"] for button in buttons] == labels
    assert len(answer.blocks) == 3


async def test_what_a_command_is_for_shows_code_as_code() -> None:
    assert "`--through-zero` is the runbook" in str((await ask("help restart")).blocks[0])
    assert not [entry.name for entry in catalogue().values() if set("<>&") & set(entry.when)], "shown as it is written"


async def test_each_button_leads_on() -> None:
    for button in (await ask("help")).blocks[1]["elements"]:
        assert (await ask(button["value"])).blocks


async def test_the_last_button_has_every_command() -> None:
    shown = str((await ask("help all")).blocks)

    assert all(f"`{name}" in shown for name in REGISTRY)


def test_every_command_is_in_a_topic() -> None:
    named = {name for topic in TOPICS for name in topic.names}

    assert named <= set(REGISTRY)
    assert set(REGISTRY) - named == {"home", "help"}


async def test_a_terminal_prints_the_list_at_once() -> None:
    answer = await run("help", Request(surface=Surface.TERMINAL), WORLD)

    assert "`rollback-db" in str(answer.blocks)


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("who is on-call", "oncall"),
        ("who is paged tonight", "oncall"),
        ("restart something", "restart"),
        ("put back failed jobs", "requeue"),
        ("grants", "security-audit"),
        ("postmortem of an incident", "incident export"),
        ("return to an older deployment", "rollback"),
        ("heartbeat of the workers", "heartbeats"),
    ],
)
def test_commands_are_found_by_what_they_are_about(words: str, name: str) -> None:
    assert name in [verb.name for verb in search(words.split(), REGISTRY)]


async def test_help_who_is_on_call_is_about_oncall() -> None:
    assert "*`oncall`*" in str((await ask("help who is on-call")).blocks)


async def test_help_suggests_commands_for_words_that_are_no_command() -> None:
    answer = await ask("help put back failed jobs")

    assert answer.text.startswith("`put back failed jobs` is not a command.")
    assert "help requeue" in [block["accessory"]["value"] for block in answer.blocks[1:]]


async def test_help_suggests_the_nearest_command_for_a_typo() -> None:
    with pytest.raises(UsageError, match=r"`hlth`.*`health`"):
        await run("help hlth", SLACK, WORLD)
    with pytest.raises(UsageError, match="no command `foo`"):
        await run("help foo", SLACK, WORLD)


async def test_words_behind_a_command_do_not_hide_its_help() -> None:
    assert "*`restart" in str((await ask("help restart ingest")).blocks)
