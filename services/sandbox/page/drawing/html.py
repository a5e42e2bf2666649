"""Builds HTML from parts, with every string escaped; the drawing context; the box for unknown blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from markupsafe import Markup, escape

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Drawing:
    """The context of drawing. `users`, `channels` and `groups` are `{id: display name}`.

    `scope` makes DOM ids unique on a page that shows the same block twice (channel and thread pane). `block_id` is that
    of the block being drawn, which its controls report when they are used; `label` names the control being drawn for
    screen readers. `errors` is `{block_id: message}`.
    """

    users: Mapping[str, str] = field(default_factory=dict)
    channels: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)
    viewer: str = ""
    scope: str = ""
    block_id: str = ""
    label: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)

    def within(self, block_id: str) -> Drawing:
        """The same context inside one block."""
        return replace(self, block_id=block_id)

    def naming(self, label: str) -> Drawing:
        """The same context for one control with this name."""
        return replace(self, label=label)

    def dom_id(self, *parts: str) -> str:
        """An id that is unique on the page if `scope` and the parts are."""
        return "-".join(part for part in (self.scope, self.block_id, *parts) if part)


Child: TypeAlias = "str | Iterable[Child] | None"  # `Markup` is a `str` that is already safe

_VOID = frozenset({"br", "hr", "img", "input"})


def el(tag: str, /, *children: Child, **attributes: object) -> Markup:
    """One element. `class_` becomes `class`, `data_id` becomes `data-id`; None and False omit the attribute."""
    start = f"<{tag}{''.join(_attributes(attributes))}>"
    end = "" if tag in _VOID else f"</{tag}>"
    return Markup(f"{start}{''.join(_strings(children))}{end}")  # noqa: S704 - each part was escaped before


def join(children: Iterable[Child]) -> Markup:
    """The children one after the other, nested lists flattened, plain strings escaped."""
    return Markup("".join(_strings(children)))  # noqa: S704 - as above


def _strings(children: Iterable[Child]) -> Iterator[str]:
    """The children as escaped text; plain strings, not `Markup`, because a page is joined from thousands of them."""
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


def cannot_draw(what: str, kind: str) -> Markup:
    """An error box that names the unknown type: `what` is "block", "element", …"""
    return el(
        "div",
        el("strong", "This page cannot draw it"),
        el("span", f"The {what} type “{kind}” is unknown here. Either the message is wrong or the page must learn it."),
        class_="problem",
        role="alert",
    )
