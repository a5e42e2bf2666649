"""The rules by which real Slack refuses a message, a modal or a Home tab."""

import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal

from services.sandbox.slack.blocks import INTERACTIVE
from services.sandbox.slack.limits_schema import (
    BLOCKS,
    BLOCKS_PER_SURFACE,
    HINT,
    ID,
    OBJECTS,
    SURFACES,
    TABLES,
    TYPES,
    VIEWS,
    Bool,
    ListOf,
    Num,
    Obj,
    OneOf,
    Shape,
    Spec,
    Str,
    Text,
    Typed,
)

Json = dict[str, Any]
Surface = Literal["message", "modal", "home"]
ADVICE = frozenset({"truncated", "fallback_text"})  # Slack accepts these, but shows them differently
TEXT_TYPES = {"plain_text": "emoji", "mrkdwn": "verbatim"}  # {type: its only optional key}


@dataclass(frozen=True)
class Violation:
    """A broken rule. `path` is a JSON pointer into the payload, such as `/blocks/0/text/text`."""

    path: str
    rule: str
    message: str

    @property
    def is_refused(self) -> bool:
        """True if Slack answers with an error; otherwise the message arrives, but shown differently."""
        return self.rule not in ADVICE


def check(spec: Spec, value: Any, path: str) -> Iterator[Violation]:
    """The violations in one value."""
    match spec:
        case Str():
            yield from _string(spec, value, path)
        case Text():
            yield from _text(spec, value, path)
        case ListOf():
            yield from _list(spec, value, path)
        case Typed():
            yield from _typed(spec, value, path)
        case Obj():
            yield from _object(OBJECTS[spec.name], value, path)
        case _:
            yield from _plain_value(spec, value, path)


def check_object(shape: Shape, value: Json, path: str, *, is_block: bool = False) -> Iterator[Violation]:
    """The violations in an object, except its own `type`."""
    known: dict[str, Spec] = {**shape.required, **shape.optional}
    if is_block:
        known["block_id"] = ID
    for key in shape.required:
        if value.get(key) is None:
            yield Violation(f"{path}/{key}", "required", f"missing required field: {key}")
    for key, item in value.items():
        if key in known and item is not None:
            yield from check(known[key], item, f"{path}/{key}")
        elif key not in known and key != "type":
            yield Violation(f"{path}/{key}", "unknown_property", f"invalid additional property: {key} ({HINT})")
    if shape.any_of and all(value.get(key) is None for key in shape.any_of):
        yield Violation(path, "required", f"must have at least one of: {', '.join(sorted(shape.any_of))}")


def _string(spec: Str, value: Any, path: str) -> Iterator[Violation]:
    if not isinstance(value, str):
        yield Violation(path, "wrong_type", "must be a string")
    elif len(value) < spec.low:
        yield Violation(path, "too_short", f"must be at least {spec.low} characters")
    elif spec.high and len(value) > spec.high:
        yield Violation(path, "too_long", f"must be at most {spec.high} characters, is {len(value)}")
    elif spec.pattern and not re.fullmatch(spec.pattern, value):
        yield Violation(path, "format", f"must match {spec.pattern}")


def _text(spec: Text, value: Any, path: str) -> Iterator[Violation]:
    if not isinstance(value, dict):
        yield Violation(path, "wrong_type", "must be a text object")
        return
    kind = str(value.get("type"))
    if kind not in TEXT_TYPES or (spec.is_plain and kind != "plain_text"):
        allowed = "plain_text" if spec.is_plain else "plain_text or mrkdwn"
        yield Violation(f"{path}/type", "unknown_type", f"must be {allowed}, is {kind}")
        return
    shape = Shape({"text": Str(spec.high)}, {TEXT_TYPES[kind]: Bool()})
    yield from check_object(shape, value, path)


def _list(spec: ListOf, value: Any, path: str) -> Iterator[Violation]:
    if not isinstance(value, list):
        yield Violation(path, "wrong_type", "must be a list")
        return
    if len(value) < spec.low:
        yield Violation(path, "too_few", f"no fewer than {spec.low} items allowed")
    if len(value) > spec.high:
        yield Violation(path, "too_many", f"no more than {spec.high} items allowed, there are {len(value)}")
    for index, item in enumerate(value):
        yield from check(spec.item, item, f"{path}/{index}")


def _typed(spec: Typed, value: Any, path: str) -> Iterator[Violation]:
    kind = str(value.get("type")) if isinstance(value, dict) else "nothing"
    if kind not in spec.types:
        message = f"`{kind}` is not allowed here" if kind in TYPES else f"unsupported type: {kind} ({HINT})"
        yield Violation(f"{path}/type", "unknown_type", message)
        return
    yield from check_object(TABLES[spec.where][kind], value, path, is_block=kind in BLOCKS)


def _object(shape: Shape, value: Any, path: str) -> Iterator[Violation]:
    if not isinstance(value, dict):
        yield Violation(path, "wrong_type", "must be an object")
        return
    yield from check_object(shape, value, path)


def _plain_value(spec: Spec, value: Any, path: str) -> Iterator[Violation]:
    match spec:
        case OneOf(values) if not isinstance(value, str) or value not in values:
            yield Violation(path, "choice", f"must be one of: {', '.join(sorted(values))}")
        case Bool() if not isinstance(value, bool):
            yield Violation(path, "wrong_type", "must be true or false")
        case Num(low, high):
            if isinstance(value, bool) or not isinstance(value, int | float):
                yield Violation(path, "wrong_type", "must be a number")
            elif not low <= value <= high:
                yield Violation(path, "range", f"must be between {low:g} and {high:g}")
        case _:
            return


TABLE_TOTAL = 10_000  # characters in all cells together
AT_MOST_PER_MESSAGE = {"table": 1, "plan": 1, "data_visualization": 2}
TOO_MANY_CODES = {"table": "only_one_table_allowed"}


def across_blocks(blocks: list[Json]) -> Iterator[Violation]:
    """The violations between these blocks."""
    yield from _block_ids(blocks)
    for index, block in enumerate(blocks):
        yield from _action_ids(block, f"/blocks/{index}")
        yield from CHECKS.get(str(block.get("type")), _nothing)(block, f"/blocks/{index}")
    yield from _counts(blocks)


def _block_ids(blocks: list[Json]) -> Iterator[Violation]:
    seen: set[str] = set()
    for index, block in enumerate(blocks):
        block_id = block.get("block_id")
        if isinstance(block_id, str) and block_id in seen:
            yield Violation(f"/blocks/{index}/block_id", "duplicate_block_id", f"`{block_id}` already exists")
        elif isinstance(block_id, str):
            seen.add(block_id)


def _action_ids(block: Json, path: str) -> Iterator[Violation]:
    counted = Counter(item["action_id"] for item in _interactive(block) if isinstance(item.get("action_id"), str))
    for action_id, count in counted.items():
        if count > 1:
            yield Violation(path, "duplicate_action_id", f"`{action_id}` already exists in this block")


def _interactive(value: Any) -> Iterator[Json]:
    if isinstance(value, dict):
        if str(value.get("type")) in INTERACTIVE:
            yield value
        for item in value.values():
            yield from _interactive(item)
    elif isinstance(value, list):
        for item in value:
            yield from _interactive(item)


def _counts(blocks: list[Json]) -> Iterator[Violation]:
    counted = Counter(str(block.get("type")) for block in blocks)
    for kind, limit in AT_MOST_PER_MESSAGE.items():
        if counted[kind] > limit:
            yield Violation("/blocks", TOO_MANY_CODES.get(kind, "too_many"), f"no more than {limit} `{kind}` allowed")


def characters(value: Any) -> int:
    """The number of characters of text in a block."""
    if isinstance(value, dict):
        own = len(value["text"]) if isinstance(value.get("text"), str) else 0
        return own + sum(characters(item) for item in value.values())
    return sum(characters(item) for item in value) if isinstance(value, list) else 0


def _table(block: Json, path: str) -> Iterator[Violation]:
    if characters(block.get("rows")) > TABLE_TOTAL:
        yield Violation(f"{path}/rows", "too_long", f"all cells together must be at most {TABLE_TOTAL} characters")


def _input(block: Json, path: str) -> Iterator[Violation]:
    element = block.get("element")
    if not isinstance(element, dict):
        return
    low, high = element.get("min_length"), element.get("max_length")
    if isinstance(low, int) and isinstance(high, int) and low > high:
        yield Violation(f"{path}/element/min_length", "range", "must not be more than max_length")


def _nothing(_block: Json, _path: str) -> Iterator[Violation]:
    return iter(())


def _chart(block: Json, path: str) -> Iterator[Violation]:
    """Series need unique names and one point per category; an unknown value can't be sent."""
    chart = block.get("chart")
    series = chart.get("series") if isinstance(chart, dict) else None
    axis = chart.get("axis_config") if isinstance(chart, dict) else None
    if not isinstance(series, list) or not isinstance(axis, dict):
        return
    names = [one.get("name") for one in series if isinstance(one, dict)]
    if len(set(names)) < len(names):
        yield Violation(f"{path}/chart/series", "duplicate", "names of series must be unique")
    for index, one in enumerate(series):
        points = one.get("data") if isinstance(one, dict) else None
        labels = [point.get("label") for point in points if isinstance(point, dict)] if isinstance(points, list) else []
        if labels != axis.get("categories"):
            yield Violation(f"{path}/chart/series/{index}", "categories", "must have one point for each category")


CHECKS: dict[str, Callable[[Json, str], Iterator[Violation]]] = {
    "table": _table,
    "data_visualization": _chart,
    "input": _input,
}

BROADCAST = re.compile(r"<!(?:channel|here|everyone|subteam\^\w+)(?:\|[^>]*)?>")
# Keys whose plain string Slack parses; a text object is parsed only if it is mrkdwn.
PARSED_TOP = ("text", "initial_comment")


def broadcasts(payload: Json, groups: Collection[str] = ()) -> Iterator[Violation]:
    """A violation `broadcast` per mention of many people; text that Slack shows literally is safe.

    Literal texts are plain_text and rich_text. `groups`: ids of user groups that may be mentioned.
    """
    allowed = {_violation("", f"<!subteam^{group}>").message for group in groups}
    return (violation for violation in _all_broadcasts(payload) if violation.message not in allowed)


def _all_broadcasts(payload: Json) -> Iterator[Violation]:
    yield from _strings(payload, PARSED_TOP, "")
    yield from _in_blocks(payload.get("blocks"), "/blocks")


def _strings(holder: Json, keys: tuple[str, ...], path: str) -> Iterator[Violation]:
    for key in keys:
        for found in BROADCAST.finditer(holder[key]) if isinstance(holder.get(key), str) else ():
            yield _violation(f"{path}/{key}", found[0])


def _in_blocks(value: Any, path: str) -> Iterator[Violation]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _in_blocks(item, f"{path}/{index}")
    elif isinstance(value, dict):
        if value.get("type") == "mrkdwn":
            yield from _strings(value, ("text",), path)
            return
        for key, item in value.items():
            yield from _in_blocks(item, f"{path}/{key}")


def _violation(path: str, what: str) -> Violation:
    return Violation(path, "broadcast", f"notifies many people: {what}")


TEXT_LIMIT = 40_000  # Slack cuts a longer text without an error
UPDATE_TEXT_LIMIT = 4_000  # for chat.update, which refuses longer texts that chat.postMessage accepts
NOT_SENT = ("attachments", "markdown_text")  # arguments that Slack accepts, but the bot does not send
WHY_NOT_SENT = "the bot does not send it: see NOT_SENT in services/sandbox/slack/limits.py"
VIEW_SIZE_LIMIT = 250_000  # bytes


def violations(payload: Json, *, surface: Surface, method: str = "", groups: Collection[str] = ()) -> list[Violation]:
    """Every broken rule, in the order of the payload; empty if Slack would accept it unchanged.

    payload: the arguments of a chat method or a response URL, or the `view` itself for a modal or a Home tab. method:
    enables rules of one method only, such as `chat.update`. groups: ids of user groups that may be mentioned, which
    Slack permits to apps unless an admin forbids it.
    """
    loud = broadcasts(payload, groups)
    if surface == "message":
        return [*_message(payload, method), *_blocks(payload.get("blocks"), surface), *loud]
    return [*_view(payload, surface), *_blocks(payload.get("blocks", []), surface), *loud]


def _message(payload: Json, method: str) -> Iterator[Violation]:
    text = payload.get("text") or ""
    limit = UPDATE_TEXT_LIMIT if method == "chat.update" else TEXT_LIMIT
    if len(text) > limit:
        rule = "msg_too_long" if method == "chat.update" else "truncated"
        yield Violation("/text", rule, f"must be at most {limit} characters, is {len(text)}")
    if payload.get("blocks") and not text and method.startswith(("chat.", "response_url")):
        yield Violation("/text", "fallback_text", "blocks need a text beside them for notifications and screen readers")
    for key in NOT_SENT:
        if payload.get(key):
            yield Violation(f"/{key}", "unknown_argument", f"unsupported argument: {key} ({WHY_NOT_SENT})")
    if payload.get("metadata"):
        for found in check(Obj("metadata"), payload["metadata"], "/metadata"):
            yield Violation(found.path, "metadata", found.message)


def _view(view: Json, surface: Surface) -> Iterator[Violation]:
    if view.get("type") != surface:
        yield Violation("/type", "unknown_type", f"must be `{surface}`")
        return
    yield from check_object(VIEWS[surface], view, "")
    if len(json.dumps(view).encode()) > VIEW_SIZE_LIMIT:
        yield Violation("", "view_too_large", f"must be at most {VIEW_SIZE_LIMIT} bytes")
    has_input = any(isinstance(block, dict) and block.get("type") == "input" for block in view.get("blocks") or [])
    if surface == "modal" and has_input and not view.get("submit"):
        yield Violation("/submit", "required", "a modal with an input block needs a submit button")


def _blocks(blocks: object, surface: Surface) -> Iterator[Violation]:
    if blocks is None:
        return
    if not isinstance(blocks, list):
        yield Violation("/blocks", "wrong_type", "must be a list")
        return
    limit = BLOCKS_PER_SURFACE[surface]
    if len(blocks) > limit:
        rule = "msg_blocks_too_many" if surface == "message" else "too_many"
        yield Violation("/blocks", rule, f"no more than {limit} items allowed, there are {len(blocks)}")
    checked = (_block(block, f"/blocks/{index}", surface) for index, block in enumerate(blocks))
    yield from chain.from_iterable(checked)
    yield from across_blocks([block for block in blocks if isinstance(block, dict)])


def _block(block: object, path: str, surface: Surface) -> Iterator[Violation]:
    if not isinstance(block, dict):
        yield Violation(path, "wrong_type", "must be an object")
        return
    kind = str(block.get("type"))
    shape = BLOCKS.get(kind)
    if shape is None:
        yield Violation(f"{path}/type", "unknown_type", f"unsupported block type: {kind} ({HINT})")
        return
    if surface not in SURFACES.get(kind, BLOCKS_PER_SURFACE):
        yield Violation(f"{path}/type", "not_allowed_here", f"`{kind}` is not supported in a {surface}")
    yield from check_object(shape, block, path, is_block=True)
