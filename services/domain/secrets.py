"""Our own secrets, and their removal from any text by value.

`secret_shapes` finds secrets by shape; a password such as "swordfish" has none. So the code that reads the environment
registers every secret here, and every output (Slack, pagers, e-mail, terminal, log, API errors, model prompts) removes
them by value: as they are, percent-encoded, in base64 at any offset, and broken by whitespace or invisible characters.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import quote, quote_plus, unquote, urlsplit

from services.domain.masking_words import WORDS
from services.domain.secret_shapes import HIDDEN, SHORTEST, without_invisible
from services.domain.text import printable


@dataclass(frozen=True)
class Secret:
    """A secret that hides its value from `repr`, logs and tracebacks; only `reveal()` returns it."""

    _value: str

    def reveal(self) -> str:
        """The value itself: for comparisons and calls, never for output."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__


_SHORTEST_PATH = 16  # characters; in a web address, a path part of this length or more is a secret

_ESCAPE = re.compile(r"%[0-9a-fA-F]{2}")

_remembered: dict[str, frozenset[str]] = {}
_forms: tuple[str, ...] = ()  # of all remembered secrets, without whitespace, the longest first

T = TypeVar("T")


def remember_secrets(owner: str, secrets: Iterable[Secret]) -> None:
    """Remove these values from every output from now on. They replace the owner's ("bot", "API") previous ones.

    A value that is one of our own common words ("postgres" as a password) is not searched for: that would hide the
    word.
    """
    global _forms
    _remembered[owner] = frozenset(form for secret in secrets for form in _forms_of(secret.reveal()))
    _forms = tuple(sorted(frozenset().union(*_remembered.values()), key=len, reverse=True))


def without_own_secrets(text: str) -> str:
    """The text with "…" for each of our own secrets."""
    if not _forms or not text:
        return text
    squeezed = _squeezed(text)
    return _hide(text) if any(form in squeezed for form in _forms) else text


def fit_to_print(text: str) -> str:
    """The text without our own secrets; characters that would control the terminal or imitate a line are escaped."""
    return printable(without_own_secrets(text))


def redacted(value: T) -> T:
    """The same JSON value with every text in it passed through `without_own_secrets`; keys stay."""
    if not _forms:
        return value
    squeezed = _squeezed("\0".join(_texts(value)))
    return _redacted(value) if any(form in squeezed for form in _forms) else value  # type: ignore[return-value]


def _redacted(value: object) -> object:
    match value:
        case str():
            return without_own_secrets(value)
        case Mapping():
            return {key: _redacted(one) for key, one in value.items()}
        case list() | tuple():
            return [_redacted(one) for one in value]
        case _:
            return value


def _texts(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case Mapping():
            for one in value.values():
                yield from _texts(one)
        case list() | tuple():
            for one in value:
                yield from _texts(one)


def _hide(text: str) -> str:
    places = [place for place, character in enumerate(text) if not _is_squeezed_out(character)]
    squeezed = _squeezed(text)
    spans = sorted((places[start], places[end - 1] + 1) for start, end in _found(squeezed))
    return "".join(_around(text, spans))


def _found(squeezed: str) -> Iterator[tuple[int, int]]:
    for form in _forms:
        start = squeezed.find(form)
        while start >= 0:
            yield start, start + len(form)
            start = squeezed.find(form, start + len(form))


def _around(text: str, spans: Sequence[tuple[int, int]]) -> Iterator[str]:
    """The text between the spans, and one "…" for each span that doesn't start inside the one before."""
    end = 0
    for start, stop in spans:
        if start >= end:
            yield text[end:start]
            yield HIDDEN
        end = max(end, stop)
    yield text[end:]


def _squeezed(text: str) -> str:
    """The text without whitespace and invisible characters, with percent escapes in upper case, as all forms are."""
    squeezed = without_invisible("".join(text.split()))
    return _ESCAPE.sub(lambda escape: escape[0].upper(), squeezed) if "%" in squeezed else squeezed


def _is_squeezed_out(character: str) -> bool:
    return character.isspace() or not without_invisible(character)


def _forms_of(value: str) -> Iterator[str]:
    for part in _parts(value):
        plain = _squeezed(part)
        if len(plain) < SHORTEST or part.lower() in WORDS:
            continue
        yield plain
        for encoded in (quote(part, safe=""), quote(part), quote_plus(part), json.dumps(part)[1:-1]):
            yield _squeezed(encoded)
        yield from _in_base64(part.encode("utf-8", "replace"))


def _parts(value: str) -> Iterator[str]:
    """The value; for an address also its password, and each path part that is long enough to be a secret."""
    yield value
    if "://" not in value:
        return
    try:
        address = urlsplit(value)
        password, path = address.password, address.path
    except ValueError:
        return
    if password:
        yield password
        yield unquote(password)
    if address.scheme in ("http", "https"):
        yield from (part for part in path.split("/") if len(part) >= _SHORTEST_PATH)


def _in_base64(value: bytes) -> Iterator[str]:
    """The characters that don't depend on neighboring bytes, for each of the 3 offsets at which the value may begin."""
    for offset in range(3):
        whole = base64.b64encode(bytes(offset) + value).decode()
        certain = whole[-(-offset * 8 // 6) : (offset + len(value)) * 8 // 6]
        yield certain
        yield certain.translate({ord("+"): "-", ord("/"): "_"})
