"""Slack's mrkdwn to HTML."""

from __future__ import annotations

import re

from markupsafe import Markup

from services.sandbox.page.drawing.context import Drawing
from services.sandbox.page.drawing.emoji import EMOJI, emoji
from services.sandbox.page.drawing.entities import entity, unescape
from services.sandbox.page.drawing.html import Child, el, join

_FENCE = re.compile(r"```\n?(.*?)```\n?", re.DOTALL)
_QUOTE = re.compile(r"(?:&gt;|>) ?(.*)")
_ENTITY = re.compile(r"<([^<>\n]+)>")
# Formatting marks count only at the edge of a word, and never around blanks or across lines.
_INLINE = re.compile(
    r"`(?P<code>[^`\n]+)`"
    r"|<(?P<entity>[^<>\n]+)>"
    r"|:(?P<emoji>[a-z0-9_+'-]+):"
    r"|(?<![\w*])\*(?P<bold>(?!\s)[^*\n]*?[^*\s])\*(?![\w*])"
    r"|(?<![\w_])_(?P<italic>(?!\s)[^_\n]*?[^_\s])_(?![\w_])"
    r"|(?<![\w~])~(?P<strike>(?!\s)[^~\n]*?[^~\s])~(?![\w~])"
    r"|(?P<newline>\n)"
)
_TAGS = {"bold": "strong", "italic": "em", "strike": "s"}


def mrkdwn(text: str, drawing: Drawing) -> Markup:
    """The text as Slack shows it: fences, quotes, marks, links, mentions, dates, emoji."""
    parts: list[Child] = []
    end = 0
    for match in _FENCE.finditer(text):
        parts += [_lines(text[end : match.start()].removesuffix("\n"), drawing), _fence(match[1], drawing)]
        end = match.end()
    return join([*parts, _lines(text[end:], drawing)])


def _fence(text: str, drawing: Drawing) -> Markup:
    return el("pre", _code(text.removesuffix("\n"), drawing), class_="code-block", tabindex="0")


def _lines(text: str, drawing: Drawing) -> Markup:
    """Neighbouring quoted lines become one quote, the others stay lines of one text."""
    parts: list[Child] = []
    plain: list[str] = []
    quoted: list[str] = []

    def flush() -> None:
        if plain:
            parts.append(_inline("\n".join(plain), drawing))
        if quoted:
            parts.append(el("blockquote", _inline("\n".join(quoted), drawing)))
        plain.clear()
        quoted.clear()

    for line in text.split("\n"):
        quote = _QUOTE.fullmatch(line)
        if (quote and plain) or (not quote and quoted):
            flush()
        (quoted if quote else plain).append(quote[1] if quote else line)
    flush()
    return join(parts)


def _inline(text: str, drawing: Drawing) -> Markup:
    parts: list[Child] = []
    end = 0
    for match in _INLINE.finditer(text):
        parts += [unescape(text[end : match.start()]), _token(match, drawing)]
        end = match.end()
    return join([*parts, unescape(text[end:])])


def _token(match: re.Match[str], drawing: Drawing) -> Markup:
    kind = str(match.lastgroup)
    body = match[kind]
    if kind == "code":
        return el("code", _code(body, drawing))
    if kind == "entity":
        return entity(body, drawing)
    if kind == "emoji":
        return emoji(body) if body in EMOJI else join([match[0]])
    if kind == "newline":
        return el("br")
    return el(_TAGS[kind], _inline(body, drawing))


def _code(text: str, drawing: Drawing) -> Markup:
    """Inside code only links and mentions are special."""
    parts: list[Child] = []
    end = 0
    for match in _ENTITY.finditer(text):
        parts += [unescape(text[end : match.start()]), entity(match[1], drawing)]
        end = match.end()
    return join([*parts, unescape(text[end:])])
