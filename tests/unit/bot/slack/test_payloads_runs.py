"""A click on a button of a run is read as what it asks for; a damaged one is ignored."""

import pytest

from bot.slack.payloads import RunClick, read_click


def test_a_click_names_its_run() -> None:
    assert read_click({"action_id": "run.approve", "value": "12"}) == RunClick("run.approve", 12)


def test_a_resolution_reports_how() -> None:
    assert read_click({"action_id": "run.resolve.retry", "value": "12"}) == RunClick("run.resolve", 12, "retry")


@pytest.mark.parametrize(
    "action",
    [
        {},
        {"action_id": "command.run.0", "value": "12"},
        {"action_id": "run.approve"},
        {"action_id": "run.approve", "value": "twelve"},
        {"action_id": "run.approve", "value": "-1"},
        {"action_id": "run.approve", "value": "²"},
        {"action_id": "run.approve", "value": "9" * 40},
        {"action_id": "run.resolve.maybe", "value": "12"},
    ],
)
def test_a_damaged_action_is_none_of_ours(action: dict[str, str]) -> None:
    assert read_click(action) is None
