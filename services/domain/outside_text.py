"""Text as it comes from outside, made fit to be stored, sent and printed.

Neither Postgres nor UTF-8 takes a lone surrogate (half an emoji), and Postgres takes no NUL. Either of them in a commit
message would fail every statement that carries it, so each client replaces them at its door. What is then printed as a
line shows what would move the cursor or turn the reading direction as an escape instead.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TypeVar

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
# Escaped in JSON, these two are what may become such a character.
_ESCAPED = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
# Controls (also DEL and C1), line separators, and marks that turn or hide what stands around them; no line feed or tab.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)

T = TypeVar("T")


def clean_text(text: str) -> str:
    """The text with U+FFFD for NUL and for lone surrogates."""
    return _UNSTORABLE.sub(_REPLACEMENT, text)


def cleaned(value: T) -> T:
    """A JSON value with every text in it, keys too, passed through `clean_text`."""
    return _cleaned(value)  # type: ignore[return-value]


def read_json(content: bytes | str) -> object:
    """What `json.loads` gives, and raises, with nothing in it that cannot be stored."""
    value = json.loads(content)
    raw = content.encode("utf-8", "replace") if isinstance(content, str) else content
    return cleaned(value) if b"\0" in raw or _ESCAPED.search(raw) else value


def printable(text: str) -> str:
    """The text for a terminal or a log: what would act on them is written as an escape (`\\x1b`, `\\u202e`)."""
    return _UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def printable_json(text: str) -> str:
    """JSON in which these characters are escaped as JSON has it; the value that it stands for is the same."""
    return _UNPRINTABLE.sub(lambda found: json.dumps(found[0])[1:-1], text)


def _cleaned(value: object) -> object:
    match value:
        case str():
            return clean_text(value)
        case Mapping():
            return {_cleaned(key): _cleaned(one) for key, one in value.items()}
        case list() | tuple():
            return [_cleaned(one) for one in value]
        case _:
            return value
