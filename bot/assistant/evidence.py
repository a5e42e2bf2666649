"""Turns the output of reads into evidence: masked lines, each with an id that claims refer to. Pure.

A line keeps numbers, times, SHAs, our own words and words that only programs write. Every other word becomes "…": names
of people, what they typed, and what a log line, a commit message or a file name could say to a model.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from bot.assistant.words import OWN_WORDS
from services.domain.masking_words import is_known_word
from services.domain.personal_data import hide_data
from services.domain.secret_shapes import HIDDEN, hide_secrets

MAX_LINES, MAX_LINES_PER_READ, LINE_LIMIT = 160, 60, 300
BUTTON = "→"  # how a terminal shows a button: a command is not evidence

_NUMBER = r"\d{1,7}(?:[.,]\d{1,3})*"  # longer ones are case or account numbers
_FACT = re.compile(
    rf"""{_NUMBER}(?:ms|s|min|m|h|d|%|x)?     # a number with its unit
       |\d{{1,2}}:\d{{2}}(?::\d{{2}})?Z?      # a time
       |\d{{4}}-\d{{2}}-\d{{2}}               # a date
       |(?=[0-9a-f]*\d)[0-9a-f]{{7,40}}       # a commit, or the beginning of an id
       |[0-9a-f]{{8}}-(?:[0-9a-f]{{4}}-){{3}}[0-9a-f]{{12}}""",
    re.VERBOSE,
)
_PIECE = re.compile(r"[\w][\w.,:%'/-]*[\w%]|\w|[^\w\s]+|\s+")
_PARTS = re.compile(r"[-_./:]+")
_MARK_UP = re.compile(r"[<>@#*_~`|\[\]{}\\]")
_HIDDEN_RUN = re.compile(rf"{HIDDEN}(?:[\s,.:;/$%&+'()\"-]*{HIDDEN})+")


@dataclass(frozen=True)
class Line:
    """One line of evidence. `id` ("E7") is unique within one answer. `source`: the command that showed it.
    `is_finding`: it is the doctor's own conclusion. `is_unknown`: it reports something that could not be read."""

    id: str
    source: str
    text: str
    is_finding: bool = False

    @property
    def is_unknown(self) -> bool:
        return "unknown" in self.text.casefold() or "❔" in self.text


def collect(reads: Iterable[tuple[str, str]], *, first: int = 1) -> tuple[Line, ...]:
    """Collect the masked lines of answers, given as (command, text of a terminal). `first`: the number of the first
    id."""
    lines: list[Line] = []
    for source, text in reads:
        masked = (line for raw in text.splitlines() if (line := _line(raw)))
        is_finding = source.partition(" ")[0] in ("doctor", "health")
        for line in islice(masked, min(MAX_LINES_PER_READ, MAX_LINES - len(lines))):
            lines.append(Line(f"E{first + len(lines)}", source, line, is_finding))
    return tuple(lines)


def _line(raw: str) -> str:
    line = " ".join(raw.split())
    return "" if not line or line.startswith(BUTTON) else mask_evidence(line[:LINE_LIMIT])


def mask_evidence(line: str) -> str:
    """Replace every word that is neither ours nor a program's by "…"."""
    shown = "".join(map(_shown, _PIECE.findall(hide_data(hide_secrets(line)))))
    first, rest = shown[:1], _SIGNS.sub("", shown[1:])  # a status sign is ours only at the beginning of a line
    return _HIDDEN_RUN.sub(HIDDEN, _EMOJI.sub("", first + rest))


_SIGNS = re.compile("[^\\w\\s\\x20-\\x7e·—→…“”]+")
_EMOJI = re.compile(r"(?<!\w):(?=[\w+-]+:)")


def _shown(piece: str) -> str:
    if piece.isspace() or not any(map(str.isalnum, piece)):
        return _MARK_UP.sub("", piece)
    return piece.strip("_") if _is_shown(piece) else HIDDEN


@lru_cache(maxsize=4096)
def _is_shown(piece: str) -> bool:
    if not piece.isascii():
        return False
    if _FACT.fullmatch(piece):
        return True
    if _HOST.search(piece):
        return False  # Slack makes a link of it
    bare = piece.removesuffix("'s").replace("n't", "")
    parts = [part for part in _PARTS.split(bare.rstrip(",")) if part]
    return bool(parts) and len(parts) <= _MOST_PARTS and all(map(_is_shown_part, parts))


_HOST = re.compile(r"[A-Za-z0-9]\.[a-z]{2,}(?![A-Za-z])")
_MOST_PARTS = 4
_CAMEL = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")


def _is_shown_part(part: str) -> bool:
    if part.lower() in OWN_WORDS:
        return True
    if any(map(str.isdigit, part)) and not part.isdigit():
        return False  # an id, a code, a name with a number
    words = _CAMEL.findall(part)
    return "".join(words) == part and all(map(_is_known, words))


def _is_known(word: str) -> bool:
    lowered = word.lower()
    return (word.isdigit() and len(word) <= 3) or lowered in OWN_WORDS or is_known_word(lowered)


def unknown_sources(lines: Sequence[Line]) -> tuple[Line, ...]:
    """Return the first line of each read that our own sign marks as unknown. The word alone could come from a log."""
    first: dict[str, Line] = {}
    for line in lines:
        if line.text.startswith("❔"):
            first.setdefault(line.source, line)
    return tuple(first.values())
