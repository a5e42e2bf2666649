"""The stored form of a plan's steps: as JSON, and back."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from enum import Enum
from functools import cache
from typing import Any, Union

from playbooks.steps import STEPS, Step
from services.domain.runs import RunStep, StepState
from services.domain.services import Service

FORMAT = 1  # of stored steps; a replica claims only runs whose format and kinds it knows


def encode_step(step: Step) -> dict[str, Any]:
    """The step as JSON values: `{"kind": "ScaleService", "service": "dragonfly-api", "from_": 1, "to": 2}`."""
    return {"kind": type(step).__name__, **asdict(step)}


def decode_step(stored: Mapping[str, Any]) -> Step:
    """The inverse of `encode_step`. Raises ValueError for a kind or a shape that this version does not know."""
    kind = kind_of(stored)
    if kind is None or set(stored) - {"kind"} != {field.name for field in fields(kind)}:
        raise ValueError(f"unknown step {stored.get('kind')!r}")
    hints = _types_of(kind)
    return kind(**{field.name: _restore(hints[field.name], stored[field.name]) for field in fields(kind)})


@cache  # resolving the types costs more than the rest of reading a step
def _types_of(kind: type[Step]) -> Mapping[str, Any]:
    return typing.get_type_hints(kind)


def _restore(wanted: Any, value: Any) -> Any:
    """Convert a JSON value to the type that the field declares."""
    origin, inner = typing.get_origin(wanted), typing.get_args(wanted)
    if origin is tuple:
        return tuple(_restore(inner[0], item) for item in value)
    if origin in (Union, types.UnionType):
        return None if value is None else _restore(next(one for one in inner if one is not type(None)), value)
    if isinstance(wanted, type) and issubclass(wanted, Enum):
        return wanted(value)
    if wanted is Service and isinstance(value, str):  # also one that this version does not know
        return Service(value)
    if not isinstance(value, wanted) or isinstance(value, bool) is not (wanted is bool):
        raise ValueError(f"{value!r} is not {wanted.__name__}")
    return value


def kind_of(stored: Mapping[str, Any]) -> type[Step] | None:
    """The kind of a stored step; None for one of a newer version of the bot."""
    return STEPS.get(stored.get("kind", ""))


def describe_stored(stored: Mapping[str, Any]) -> str:
    """The description of a stored step; for one of a newer version of the bot, its kind."""
    try:
        return decode_step(stored).describe()
    except ValueError:
        return f"{stored.get('kind', 'a step')} (a newer version of the bot knows it)"


def is_left_to_clean_up(steps: Sequence[RunStep]) -> bool:
    """True if cleanup steps are still pending."""
    kinds = (kind_of(step.step) for step in steps if step.state is StepState.PENDING)
    return any(kind is not None and kind.cleans_up for kind in kinds)
