"""Finds the elements in blocks that a person can use, and turns input into Slack's values."""

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from services.sandbox.slack.model import Json

Answer = str | None  # typed text, or the chosen value
Answers = Mapping[str, Mapping[str, Answer]]  # {block_id: {action_id: answer}}


@dataclass(frozen=True)
class Input:
    """The format of an element's value: under `key`, starting from `initial`."""

    key: str
    initial: str = ""
    is_option: bool = False  # the value is a whole option object, not only its `value`


INPUTS: Mapping[str, Input] = {
    "plain_text_input": Input("value", "initial_value"),
    "datepicker": Input("selected_date", "initial_date"),
    "static_select": Input("selected_option", "initial_option", is_option=True),
    "radio_buttons": Input("selected_option", "initial_option", is_option=True),
    "users_select": Input("selected_user", "initial_user"),
}
MENU = Input("selected_option", is_option=True)  # of an `overflow`, which keeps no value
INTERACTIVE = INPUTS.keys() | {"button", "overflow"}


def with_ids(blocks: list[Json]) -> list[Json]:
    """The blocks, with ids for those blocks and actions to which the app gave none."""
    return [_with_ids({"block_id": _new_id(), **block}) for block in blocks]


def _with_ids(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_ids(item) for item in value]
    if not isinstance(value, dict):
        return value
    filled = {key: _with_ids(item) for key, item in value.items()}
    if value.get("type") in INTERACTIVE:
        filled.setdefault("action_id", _new_id())
    return filled


def _new_id() -> str:
    return secrets.token_urlsafe(4)


def elements(blocks: list[Json]) -> Iterator[tuple[str, Json]]:
    """Yield every interactive element with the id of its block, in the order in which they are drawn."""
    for block in blocks:
        for element in _elements_in(block):
            yield str(block.get("block_id", "")), element


def _elements_in(value: Any) -> Iterator[Json]:
    if isinstance(value, dict):
        if value.get("type") in INTERACTIVE:
            yield value
        else:
            for item in value.values():
                yield from _elements_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from _elements_in(item)


def find_element(blocks: list[Json], action_id: str, block_id: str | None) -> tuple[str, Json] | None:
    """The block id and the element; the first with this action id if no block is given."""
    for found_block_id, element in elements(blocks):
        if element.get("action_id") == action_id and block_id in (None, found_block_id):
            return found_block_id, element
    return None


def state_values(blocks: list[Json], answers: Answers | None) -> Json:
    """Slack's `state.values`: the value of each input by block and action id; if unanswered, its initial value."""
    values: Json = {}
    for block_id, element in elements(blocks):
        if element["type"] in INPUTS:
            action_id = element["action_id"]
            answered = (answers or {}).get(block_id, {})
            value = entered(element, answered[action_id]) if action_id in answered else initial(element)
            values.setdefault(block_id, {})[action_id] = value
    return values


def initial(element: Json) -> Json:
    kind = INPUTS[element["type"]]
    return {"type": element["type"], kind.key: element.get(kind.initial)}


def entered(element: Json, answer: Answer) -> Json:
    """The value object of an element after a person has used it."""
    kind = INPUTS.get(element["type"], MENU)
    value = _option(element, answer) if kind.is_option else answer or None
    return {"type": element["type"], kind.key: value}


def _option(element: Json, value: Answer) -> Json | None:
    return next((option for option in element.get("options", ()) if option.get("value") == value), None)


def unanswered(blocks: list[Json], values: Json) -> dict[str, str]:
    """The errors that Slack itself finds before it sends a modal: missing required inputs, texts of invalid length."""
    errors: dict[str, str] = {}
    for block in blocks:
        if block.get("type") == "input":
            element = block["element"]
            value = values[block["block_id"]][element["action_id"]][INPUTS[element["type"]].key]
            problem = _problem(element, value, is_optional=bool(block.get("optional")))
            if problem:
                errors[block["block_id"]] = problem
    return errors


def _problem(element: Json, value: Any, *, is_optional: bool) -> str | None:
    if value in (None, ""):
        return None if is_optional else "Please complete this required field."
    if isinstance(value, str):
        if len(value) > element.get("max_length", 3000):
            return f"Must be at most {element.get('max_length', 3000)} characters."
        if len(value) < element.get("min_length", 0):
            return f"Must be at least {element['min_length']} characters."
    return None
