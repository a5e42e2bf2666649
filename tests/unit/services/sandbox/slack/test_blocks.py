from typing import Any

import pytest

from services.sandbox.slack.blocks import entered, find_element, state_values, unanswered, with_ids

Json = dict[str, Any]


def option(value: str) -> Json:
    return {"text": {"type": "plain_text", "text": value.title()}, "value": value}


def entry(element: Json, **more: Any) -> Json:
    return {"type": "input", "block_id": "b", "label": {"type": "plain_text", "text": "L"}, "element": element, **more}


TEXT: Json = {"type": "plain_text_input", "action_id": "a", "min_length": 2, "max_length": 4}


def test_ids_left_out_are_filled_in_and_given_ones_are_kept() -> None:
    button = {"type": "button", "text": {"type": "plain_text", "text": "Go"}}
    blocks = [{"type": "actions", "elements": [button, {**button, "action_id": "mine"}]}]

    filled = with_ids(blocks)[0]

    assert filled["block_id"]
    assert filled["elements"][0]["action_id"]
    assert filled["elements"][1]["action_id"] == "mine"
    assert "block_id" not in blocks[0]


def test_an_element_is_found_wherever_it_stands() -> None:
    button = {"type": "button", "action_id": "a"}
    section = {"type": "section", "block_id": "s", "accessory": button}

    assert find_element([{"type": "actions", "block_id": "row", "elements": [button]}], "a", None) == ("row", button)
    assert find_element([section], "a", "s") == ("s", button)
    assert find_element([section], "a", "other") is None


@pytest.mark.parametrize(
    ("element", "answer", "value"),
    [
        ({"type": "plain_text_input"}, "hi", {"value": "hi"}),
        ({"type": "plain_text_input"}, "", {"value": None}),
        ({"type": "static_select", "options": [option("api")]}, "api", {"selected_option": option("api")}),
        ({"type": "static_select", "options": [option("api")]}, "other", {"selected_option": None}),
        ({"type": "radio_buttons", "options": [option("x"), option("y")]}, "y", {"selected_option": option("y")}),
        ({"type": "users_select"}, "U1", {"selected_user": "U1"}),
        ({"type": "datepicker"}, "2026-11-23", {"selected_date": "2026-11-23"}),
        ({"type": "datepicker"}, "", {"selected_date": None}),
        ({"type": "overflow", "options": [option("more")]}, "more", {"selected_option": option("more")}),
    ],
)
def test_entered_converts_an_answer_to_slacks_value(element: Json, answer: Any, value: Json) -> None:
    assert entered(element, answer) == {"type": element["type"], **value}


def test_unanswered_inputs_hold_their_initial_value() -> None:
    blocks = [entry({**TEXT, "initial_value": "abc"})]

    assert state_values(blocks, None)["b"]["a"]["value"] == "abc"
    assert state_values(blocks, {"b": {"a": "xyz"}})["b"]["a"]["value"] == "xyz"


@pytest.mark.parametrize(
    ("typed", "is_refused"), [("", True), ("x", True), ("xx", False), ("xxxx", False), ("xxxxx", True)]
)
def test_slack_itself_refuses_empty_short_and_long_input(typed: str, is_refused: bool) -> None:
    blocks = [entry(TEXT)]

    assert bool(unanswered(blocks, state_values(blocks, {"b": {"a": typed}}))) is is_refused


def test_an_optional_input_may_stay_empty() -> None:
    blocks = [entry(TEXT, optional=True)]

    assert unanswered(blocks, state_values(blocks, None)) == {}
