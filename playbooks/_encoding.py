"""Steps as JSON, as runs store them, and back."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import asdict, fields
from enum import Enum
from typing import Any, Union

from playbooks._steps import STEPS, Step

FORMAT = 1  # of stored steps; a replica claims only runs whose format and kinds it knows


def encode_step(step: Step) -> dict[str, Any]:
    """JSON-able: `{"kind": "ScaleService", "service": "dragonfly-api", "from_": 1, "to": 2}`."""
    return {"kind": type(step).__name__, **asdict(step)}


def decode_step(stored: Mapping[str, Any]) -> Step:
    """The inverse of `encode_step`. Raises ValueError for a kind or a shape that this version does not know."""
    kind = STEPS.get(stored.get("kind", ""))
    if kind is None or set(stored) - {"kind"} != {field.name for field in fields(kind)}:
        raise ValueError(f"unknown step {stored.get('kind')!r}")
    hints = typing.get_type_hints(kind)
    return kind(**{field.name: _restore(hints[field.name], stored[field.name]) for field in fields(kind)})


def _restore(wanted: Any, value: Any) -> Any:
    """A JSON value as the type that the field declares."""
    origin, inner = typing.get_origin(wanted), typing.get_args(wanted)
    if origin is tuple:
        return tuple(_restore(inner[0], item) for item in value)
    if origin in (Union, types.UnionType):
        return None if value is None else _restore(next(one for one in inner if one is not type(None)), value)
    if isinstance(wanted, type) and issubclass(wanted, Enum):
        return wanted(value)
    if not isinstance(value, wanted) or isinstance(value, bool) is not (wanted is bool):
        raise ValueError(f"{value!r} is not {wanted.__name__}")
    return value
