"""A pressed button runs the line it carries, and nothing else does."""

import pytest

from bot.slack.payloads import command_line
from bot.views.blocks import command_button


def test_a_command_button_gives_back_its_line() -> None:
    assert command_line(command_button("Logs", "logs ingest", 7)) == "logs ingest"


@pytest.mark.parametrize(
    "action",
    [
        {},
        {"action_id": "approval.approve", "value": "health"},
        {"action_id": "command.run.1"},
        {"action_id": "command.run.1", "value": ""},
        {"action_id": "command.run.1", "value": "x" * 2001},
        {"action_id": "command.running", "value": "health"},
        {"action_id": "link.1", "value": "health"},
        {"action_id": None, "value": 3},
    ],
)
def test_anything_else_runs_nothing(action: dict[str, object]) -> None:
    assert command_line(action) is None
