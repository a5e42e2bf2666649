"""The box that takes the place of what the page cannot draw, so that it is seen in the demo."""

from __future__ import annotations

from markupsafe import Markup

from services.sandbox.page.drawing.html import el


def cannot_draw(what: str, kind: str) -> Markup:
    """Name the kind that is unknown here: `what` is "block", "element", …"""
    return el(
        "div",
        el("strong", "This page cannot draw it"),
        el("span", f"The {what} type “{kind}” is unknown here. Either the message is wrong or the page must learn it."),
        class_="problem",
        role="alert",
    )
