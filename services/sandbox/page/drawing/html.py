"""Builds HTML from parts: every string is escaped, only `Markup` passes unchanged."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from markupsafe import Markup, escape

Child: TypeAlias = "str | Iterable[Child] | None"  # `Markup` is a `str` that is already safe

_VOID = frozenset({"br", "hr", "img", "input"})


def el(tag: str, /, *children: Child, **attributes: object) -> Markup:
    """One element. `class_` becomes `class`, `data_id` becomes `data-id`; None and False leave an attribute out."""
    start = Markup("<{}{}>").format(Markup(tag), _attributes(attributes))  # noqa: S704 - names are our own constants
    if tag in _VOID:
        return start
    return start + join(children) + Markup("</{}>").format(Markup(tag))  # noqa: S704


def join(children: Iterable[Child]) -> Markup:
    """The children one after the other, nested lists flattened, plain strings escaped."""
    return Markup("").join(_part(child) for child in children)


def _part(child: Child) -> Markup:
    if child is None:
        return Markup("")
    if isinstance(child, str):
        return escape(child)
    return join(child)


def _attributes(attributes: dict[str, object]) -> Markup:
    parts = []
    for name, value in attributes.items():
        if value is None or value is False:
            continue
        shown = name.rstrip("_").replace("_", "-")
        parts.append(f" {shown}" if value is True else Markup(' {}="{}"').format(shown, str(value)))
    return Markup("").join(parts)
