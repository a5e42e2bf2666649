"""Builds HTML from parts: every string is escaped, only `Markup` passes unchanged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

from markupsafe import Markup, escape

Child: TypeAlias = "str | Iterable[Child] | None"  # `Markup` is a `str` that is already safe

_VOID = frozenset({"br", "hr", "img", "input"})


def el(tag: str, /, *children: Child, **attributes: object) -> Markup:
    """One element. `class_` becomes `class`, `data_id` becomes `data-id`; None and False leave an attribute out."""
    start = f"<{tag}{''.join(_attributes(attributes))}>"
    end = "" if tag in _VOID else f"</{tag}>"
    return Markup(f"{start}{''.join(_strings(children))}{end}")  # noqa: S704 - each part is escaped where it comes in


def join(children: Iterable[Child]) -> Markup:
    """The children one after the other, nested lists flattened, plain strings escaped."""
    return Markup("".join(_strings(children)))  # noqa: S704 - as above


def _strings(children: Iterable[Child]) -> Iterator[str]:
    """The children as escaped text. Plain strings, not `Markup`: a page is joined from thousands of them."""
    for child in children:
        if isinstance(child, str):
            yield str(escape(child))
        elif child is not None:
            yield from _strings(child)


def _attributes(attributes: dict[str, object]) -> Iterator[str]:
    for name, value in attributes.items():
        if value is None or value is False:
            continue
        shown = name.rstrip("_").replace("_", "-")
        yield f" {shown}" if value is True else f' {shown}="{escape(str(value))}"'
