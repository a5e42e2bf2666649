"""Holds a value against its description in the schema."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from services.sandbox.slack.limits_schema import (
    BLOCKS,
    ELEMENTS,
    ID,
    OBJECTS,
    RICH,
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
TABLES: Mapping[str, Mapping[str, Shape]] = {"block": BLOCKS, "element": ELEMENTS, "rich": RICH, "object": OBJECTS}
ADVICE = frozenset({"truncated", "fallback_text"})  # Slack takes it, but not as it was meant
TEXT_TYPES = {"plain_text": "emoji", "mrkdwn": "verbatim"}  # type -> the one optional key it may have


@dataclass(frozen=True)
class Violation:
    """`path` is a JSON pointer into the payload, such as `/blocks/0/text/text`."""

    path: str
    rule: str
    message: str

    @property
    def is_refused(self) -> bool:
        """Whether Slack answers with an error; otherwise the message arrives, but not as it was meant."""
        return self.rule not in ADVICE


def check(spec: Spec, value: Any, path: str) -> Iterator[Violation]:
    """What is wrong with one value."""
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
    """What is wrong with an object, its own `type` aside."""
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
            yield Violation(f"{path}/{key}", "unknown_property", f"invalid additional property: {key}")
    yield from _groups(shape, value, path)


def _groups(shape: Shape, value: Json, path: str) -> Iterator[Violation]:
    for group in shape.one_of:
        if sum(1 for key in group if value.get(key) is not None) != 1:
            yield Violation(path, "required", f"must have exactly one of: {', '.join(sorted(group))}")
    for group in shape.any_of:
        if not any(value.get(key) is not None for key in group):
            yield Violation(path, "required", f"must have at least one of: {', '.join(sorted(group))}")


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
        yield Violation(f"{path}/type", "unknown_type", f"`{kind}` is not allowed here")
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
