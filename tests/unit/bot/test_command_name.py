"""The slash command's name is one setting, in every sentence that names the command."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bot.commands.help import topics_answer
from bot.config.environment import Settings
from bot.views.errors import no_dialog
from services.domain.errors import SourceError
from services.domain.message_origin import slash
from tests.source import ROOT, parsed, strings

SLACK = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1"}


@pytest.fixture
def staging() -> Iterator[Settings]:
    """Settings with another name for the command. Afterwards the default name is in force again."""
    yield Settings.from_environment({**SLACK, "SLACK_COMMAND": "/dragonfly-staging", "ENVIRONMENT_MARK": "🟦 staging"})
    Settings.from_environment(SLACK)
    assert slash() == "/dragonfly"


@pytest.mark.usefixtures("staging")
def test_sentences_name_the_command_as_the_setting_does() -> None:
    posted = [slash("health"), no_dialog(SourceError("Slack", "away"), "ask <x>").what_next, str(topics_answer((), ()))]

    assert all("/dragonfly-staging" in sentence for sentence in posted), posted


@pytest.mark.parametrize("name", ["dragonfly", "/Dragonfly", "/drag on", "/", "/" + "x" * 32])
def test_settings_refuse_an_invalid_command_name(name: str) -> None:
    faults = Settings.from_environment({**SLACK, "SLACK_COMMAND": name}).faults

    assert "SLACK_COMMAND" in [fault.variable for fault in faults]


@pytest.mark.parametrize(("mark", "is_fine"), [("x" * 30, True), ("x" * 31, False), ("<!channel>", False)])
def test_settings_take_a_short_mark_without_markup(mark: str, is_fine: bool) -> None:
    faults = Settings.from_environment({**SLACK, "ENVIRONMENT_MARK": mark}).faults

    assert ("ENVIRONMENT_MARK" not in [fault.variable for fault in faults]) is is_fine


def test_no_sentence_of_the_bot_has_the_name_written_into_it() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path, tree in parsed("bot", "playbooks", where=lambda text: "/dragonfly" in text)
        for node in strings(tree)
        if "/dragonfly" in str(node.value) and "/completions/" not in str(node.value)
    ]

    elsewhere = ("bot/commands/completion.py", "bot/commands/terminal_verbs.py", "bot/slack/manifest.py")
    assert [one for one in found if not one.startswith(elsewhere)] == []
