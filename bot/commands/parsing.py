"""Splits a typed line into words, tolerant of phones and of Slack's formatting; pure."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Sequence
from difflib import get_close_matches

from bot.types import Surface
from services.domain.incidents import Incident
from services.domain.services import Service, find_service, find_services

_NAMES = [service.short for service in Service] + [service.value for service in Service]


def with_service(words: tuple[str, ...], usage: str, incident: Incident | None) -> tuple[str, ...]:
    """The incident's service where a verb needs one and none is named; an incident of several implies none.

    A word that may be a mistyped service is left for the verb to complain about.
    """
    needs = usage.startswith(("<service>", "<service|"))
    if not needs or incident is None or len(incident.services) != 1 or (words and _may_be_service(words[0])):
        return words
    service = find_service(incident.services[0])
    return (service.short, *words) if service else words


def _may_be_service(word: str) -> bool:
    return find_services(word) is not None or bool(get_close_matches(word.lower(), _NAMES, n=1))


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
