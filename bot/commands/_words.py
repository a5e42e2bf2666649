"""A typed line as words, tolerant of phones and of Slack: smart quotes, long dashes, unbalanced quotes, emphasis, what
cannot be seen, and the punctuation of a sentence."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Sequence

from bot.commands._contract import Surface

_LINK = re.compile(r"<((?:https?|mailto):[^|>]*)(?:\|([^>]*))?>")
_WORD = re.compile(r'"([^"]*)"|\'([^\']*)\'(?=\s|\Z)|(\S+)')
_QUOTES = str.maketrans(dict.fromkeys("“”„‟«»", '"') | dict.fromkeys("‘’‚‛", "'"))  # noqa: RUF001
_LONG_DASH = re.compile(r"(?<!\S)(?:\N{EM DASH}|\N{EN DASH}(?=\w\w))")
_SHORT_DASH = re.compile(r"(?<!\S)\N{EN DASH}(?=\w)")


_EMPHASIS = re.compile(r"(?<!\w)([*_])(?=\S)(.{1,200}?)(?<=\S)\1(?!\w)")  # not ~: what is struck out is not meant
_DEEPEST, _EMPHASIZED = 4, 1000  # emphasis within emphasis, characters: a line may be 40,000 stars
_OPENING = re.compile(r"(?:[\s,;:.!]|[-\N{EN DASH}\N{EM DASH}]+(?=\s))+")
_CLOSING = re.compile(r"(?<=\w)[.,;:!?]+\Z")
_TYPED_IN_SLACK = (Surface.SLASH, Surface.MENTION)


def split_words(line: str, surface: Surface) -> list[str]:
    """The words of a line; quoted ones stay together. Of Slack's markup the words are left, as they were meant."""
    line = "".join(character for character in line if unicodedata.category(character) != "Cf")
    if surface in _TYPED_IN_SLACK:
        line = _without_markup(line)
    line = _SHORT_DASH.sub("-", _LONG_DASH.sub("--", line.translate(_QUOTES)))
    return [double or single or bare for double, single, bare in _WORD.findall(line) if double or single or bare]


def join_words(words: Sequence[str]) -> str | None:
    """A line of which a button makes the same words; None when there is none."""
    line = " ".join(map(_quoted, words))
    return line if split_words(line, Surface.BUTTON) == list(words) else None


def _quoted(word: str) -> str:
    if not any(character.isspace() for character in word):
        return word
    return f"'{word}'" if '"' in word else f'"{word}"'


def _without_markup(line: str) -> str:
    line = html.unescape(_LINK.sub(lambda link: link[2] or link[1], line)).replace("`", "")
    begins, rest = line[:_EMPHASIZED], line[_EMPHASIZED:]
    for _ in range(_DEEPEST):
        begins = _EMPHASIS.sub(r"\2", begins)
    line = begins + rest
    opening = _OPENING.match(line)
    return _CLOSING.sub("", line[opening.end() if opening else 0 :].rstrip())
