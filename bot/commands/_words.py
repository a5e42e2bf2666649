"""A typed line as words, tolerant of phones: smart quotes, long dashes, unbalanced quotes, Slack's own markup."""

from __future__ import annotations

import html
import re

from bot.commands._contract import Surface

_MENTION = re.compile(r"<@[UW][A-Z0-9]+(?:\|[^>]*)?>")
_LINK = re.compile(r"<((?:https?|mailto):[^|>]*)(?:\|([^>]*))?>")
_WORD = re.compile(r'"([^"]*)"|\'([^\']*)\'(?=\s|\Z)|(\S+)')
_QUOTES = str.maketrans(dict.fromkeys("“”„‟«»", '"') | dict.fromkeys("‘’‚‛", "'"))  # noqa: RUF001
_LONG_DASH = re.compile(r"(?<!\S)(?:\N{EM DASH}|\N{EN DASH}(?=\w\w))")
_SHORT_DASH = re.compile(r"(?<!\S)\N{EN DASH}(?=\w)")


def split_words(line: str, surface: Surface) -> list[str]:
    """The words of a line; quoted ones stay together. Of a mention those after the bot's name, else those before it."""
    if surface is Surface.MENTION:
        line = _addressed(line)
    if surface in (Surface.SLASH, Surface.MENTION):
        line = html.unescape(_LINK.sub(lambda link: link[2] or link[1], line)).replace("`", "")  # as it was meant
    line = _SHORT_DASH.sub("-", _LONG_DASH.sub("--", line.translate(_QUOTES)))
    return [double or single or bare for double, single, bare in _WORD.findall(line) if double or single or bare]


def _addressed(line: str) -> str:
    mention = _MENTION.search(line)
    if mention is None:
        return line
    return line[mention.end() :] if line[mention.end() :].strip() else line[: mention.start()]
