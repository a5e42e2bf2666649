"""Slack's text objects."""

from __future__ import annotations

from markupsafe import Markup

from services.sandbox.page.drawing.context import Drawing, Json
from services.sandbox.page.drawing.emoji import with_emoji
from services.sandbox.page.drawing.html import el, join
from services.sandbox.page.drawing.mrkdwn import mrkdwn

TEXT_TYPES = frozenset({"mrkdwn", "plain_text"})


def text_object(text: Json | str | None, drawing: Drawing) -> Markup:
    """A `mrkdwn` or `plain_text` object; a bare string counts as plain text."""
    if not text:
        return Markup("")
    if isinstance(text, str):
        return _with_breaks(with_emoji(text))
    body = str(text.get("text", ""))
    if text.get("type") == "mrkdwn":
        return mrkdwn(body, drawing)
    return _with_breaks(join([body]) if text.get("emoji") is False else with_emoji(body))


def plain(text: Json | str | None) -> str:
    """The bare words of a text object: for options of a native menu and for labels."""
    if not text:
        return ""
    return text if isinstance(text, str) else str(text.get("text", ""))


def _with_breaks(markup: Markup) -> Markup:
    return markup.replace("\n", el("br"))
