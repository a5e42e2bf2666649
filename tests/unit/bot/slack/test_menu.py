"""The overflow menu runs command lines as buttons do."""

from __future__ import annotations

import pytest

from bot.slack.payloads import command_line
from bot.views.blocks import command_menu


def test_the_chosen_line_is_run() -> None:
    menu = command_menu([("Logs", "logs ingest"), ("Stop", "stop-workers ingest")])

    chosen = {"action_id": menu["action_id"], "selected_option": menu["options"][1]}

    assert command_line(chosen) == "stop-workers ingest"


@pytest.mark.parametrize("option", [None, {}, {"value": 7}, {"value": ""}, "x"])
def test_a_damaged_choice_runs_nothing(option: object) -> None:
    assert command_line({"action_id": "command.run.0", "selected_option": option}) is None
