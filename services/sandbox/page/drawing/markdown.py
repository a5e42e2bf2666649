"""The `markdown` block: the common part of Markdown, line by line. HTML in it stays text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby

from markupsafe import Markup

from services.sandbox.page.drawing.context import Drawing, Json
from services.sandbox.page.drawing.emoji import with_emoji
from services.sandbox.page.drawing.entities import link
from services.sandbox.page.drawing.html import Child, el, join

_FENCE = re.compile(r"^```[^\n]*\n(.*?)^```[^\S\n]*$\n?", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r"(#{1,6})\s+(.*)")
_RULE = re.compile(r"(?:-{3,}|\*{3,}|_{3,})\s*")
_BULLET = re.compile(r"\s*[-*+]\s+(.*)")
_NUMBER = re.compile(r"\s*\d+[.)]\s+(.*)")
_QUOTE = re.compile(r">\s?(.*)")
_TABLE_RULE = re.compile(r"\|?(?:\s*:?-+:?\s*\|)+\s*:?-*:?\s*")
_INLINE = re.compile(
    r"`(?P<code>[^`\n]+)`"
    r"|\[(?P<label>[^\]\n]*)\]\((?P<url>[^)\s]+)\)"
    r"|\*\*(?P<bold>[^\n]+?)\*\*"
    r"|~~(?P<strike>[^\n]+?)~~"
    r"|(?<![\w*])[*](?P<italic>[^*\n]+)[*](?![\w*])"
    r"|(?<![\w_])_(?P<slanted>[^_\n]+)_(?![\w_])"
)
_TAGS = {"bold": "strong", "strike": "s", "italic": "em", "slanted": "em"}


def markdown(block: Json, _drawing: Drawing) -> Markup:
    text = str(block.get("text", ""))
    parts: list[Child] = []
    end = 0
    for match in _FENCE.finditer(text):
        parts += [
            _lines(text[end : match.start()]),
            el("pre", match[1].rstrip("\n"), class_="code-block", tabindex="0"),
        ]
        end = match.end()
    return el("div", *parts, _lines(text[end:]), class_="markdown")


def _lines(text: str) -> Markup:
    """Neighbouring lines of one kind make one element."""
    groups = groupby(text.split("\n"), key=_kind)
    return join([_group(kind, list(lines)) for kind, lines in groups])


def _kind(line: str) -> str:
    shapes = (("heading", _HEADING), ("rule", _RULE), ("bullet", _BULLET), ("number", _NUMBER), ("quote", _QUOTE))
    for kind, shape in shapes:
        if shape.fullmatch(line):
            return kind
    if line.lstrip().startswith("|"):
        return "table"
    return "text" if line.strip() else "blank"


def _group(kind: str, lines: list[str]) -> Child:
    match kind:
        case "blank":
            return None
        case "heading":
            return [_heading(line) for line in lines]
        case "rule":
            return el("hr")
        case "bullet":
            return el("ul", [el("li", inline(item)) for item in _bodies(_BULLET, lines)])
        case "number":
            return el("ol", [el("li", inline(item)) for item in _bodies(_NUMBER, lines)])
        case "quote":
            return el("blockquote", _broken(list(_bodies(_QUOTE, lines))))
        case "table":
            return _table(lines)
        case _:
            return el("p", _broken(lines))


def _bodies(shape: re.Pattern[str], lines: list[str]) -> Iterator[str]:
    for line in lines:
        match = shape.fullmatch(line)
        yield match[1] if match else line


def _heading(line: str) -> Markup:
    marks, _, title = line.partition(" ")
    # A message is itself below the page's headings, so its own start two levels further down.
    return el(f"h{min(len(marks) + 2, 6)}", inline(title.strip()))


def _broken(lines: list[str]) -> list[Child]:
    return [[el("br") if number else None, inline(line)] for number, line in enumerate(lines)]


def _table(lines: list[str]) -> Markup:
    rows = [
        [cell.strip() for cell in line.strip().strip("|").split("|")]
        for line in lines
        if not _TABLE_RULE.fullmatch(line)
    ]
    head = el("thead", el("tr", [el("th", inline(cell), scope="col") for cell in rows[0]])) if rows else None
    body = el("tbody", [el("tr", [el("td", inline(cell)) for cell in row]) for row in rows[1:]])
    return el("div", el("table", head, body), class_="table-scroll", tabindex="0", role="region", aria_label="Table")


def inline(text: str) -> Markup:
    """Marks, code and links within one line."""
    parts: list[Child] = []
    end = 0
    for match in _INLINE.finditer(text):
        parts += [with_emoji(text[end : match.start()]), _token(match)]
        end = match.end()
    return join([*parts, with_emoji(text[end:])])


def _token(match: re.Match[str]) -> Markup:
    if match["code"] is not None:
        return el("code", match["code"])
    if match["url"] is not None:
        return link(match["url"], match["label"] or None)
    kind = str(match.lastgroup)
    return el(_TAGS[kind], inline(match[kind]))
