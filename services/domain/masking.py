"""Shows the shape of a log line or an error and hides its data.

Personal data cannot be found by pattern, so nothing is looked for: a word is shown only when it is known to be a
program's word, and everything else becomes "…". Whole lines that our own programs print are shown as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from services.domain._known_lines import is_known_line
from services.domain._known_words import CAPITALS, LABELS, WITH_DIGITS, WORDS

HIDDEN = "…"
READ_LIMIT = 1500  # characters looked at, for some 2 ms; the rest of a longer text counts as hidden

_SUFFIXES = ("s", "es", "ed", "d", "ing", "ly", "al", "r")
_PUNCTUATION = r"""!"#$%&'()*+,./:;<=>?@\[\\\]^_`{|}~\-─-╿═-╬"""
_IDENTIFIER = r"[a-z][a-z_]*(?:\.[a-z][a-z_]*)?"
_PIECE = re.compile(
    rf"""(?P<named>\b(?:relation|column|table|constraint|function|schema|type|role|index|sequence|database|view)
             \ "(?P<identifier>{_IDENTIFIER})")      # Postgres quotes the names of its own things too
       |(?P<status>\b(?:HTTP|[Ss]tatus(?:\ code)?|exit\ code|signal):?\ \d{{1,3}}\b)
       |(?P<row>Failing\ row\ contains\ .*)          # a whole row of data
       |(?P<key>=\ ?\(.*?\)(?=\s|\Z|[.,;]))          # Key (column)=(value)
       |(?P<json>\{{.*\}}|\{{.*\Z)
       |(?P<quoted>"[^"]*"?|'[^']*'(?!\w)|`[^`]*`?|“[^”]*”?)
       |(?P<space>\s+)
       |(?P<mark>[{_PUNCTUATION}]+(?=\s|\Z)|[()\[\],;|<>=*─-╿═-╬]+)
       |(?P<word>[^\s()\[\],;|<>="'`*─-╿═-╬]+)
       |(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_ENDING = re.compile(r"[.:!?]+\Z")
_PARTS = re.compile(r"[._/\-]+")
_HUMPS = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z]+|[a-z]+")
_CLASS_NAME = re.compile(
    r"\b(?:[A-Z][a-z]+|[A-Z]{2,}(?=[A-Z][a-z]))+(?:Error|Exception|Violation|Transaction|Timeout|Failure|Value|Exit|"
    r"Privilege|Canceled|Shutdown|Table|Column|Function|Detected|Disconnect)\b"
)
_HIDDEN_RUN = re.compile(rf"{HIDDEN}(?:[\s,.:;/@$%&+#'-]*{HIDDEN})+")


def mask_line(line: str) -> str:
    """A log line that may be shown to its asker: as it is when our own programs print such lines, else its template."""
    return line if is_known_line(line) else template(line)


def template(text: str) -> str:
    """The text in one line with every literal replaced by "…"; equal for texts that differ in their data only."""
    masked = "".join(_masked_pieces(" ".join(text[:READ_LIMIT].split())))
    return _HIDDEN_RUN.sub(HIDDEN, masked + (f" {HIDDEN}" if len(text) > READ_LIMIT else ""))


def error_class(text: str) -> str | None:
    """The name of the exception or SQL condition that an error text names first; None when it names none."""
    names = (match.group() for match in _CLASS_NAME.finditer(text[:READ_LIMIT]))
    return next((name for name in names if _is_camel(name)), None)


def _masked_pieces(line: str) -> Iterator[str]:
    starts_sentence = True
    for piece in _PIECE.finditer(line):
        kind, text = str(piece.lastgroup if piece.lastgroup != "identifier" else "named"), piece.group()
        yield _masked(kind, text, piece["identifier"] or "", starts_sentence=starts_sentence)
        if kind != "space":
            starts_sentence = text.endswith((".", ":", "]", "!", "?", "-", "│"))


def _masked(kind: str, text: str, identifier: str, *, starts_sentence: bool) -> str:
    match kind:
        case "space" | "mark" | "status":
            return text
        case "named":
            return text if _is_known_compound(identifier) else text.replace(identifier, HIDDEN)
        case "row":
            return f"Failing row contains {HIDDEN}"
        case "key":
            return f"=({HIDDEN})"
        case "json":
            return f"{{{HIDDEN}}}"
        case "quoted":
            return f'"{HIDDEN}"'
        case "word":
            return _masked_word(text, starts_sentence=starts_sentence)
        case _:
            return HIDDEN


def _masked_word(text: str, *, starts_sentence: bool) -> str:
    word = _ENDING.sub("", text)
    ending = text[len(word) :]
    return text if _is_shown(word, starts_sentence=starts_sentence) else HIDDEN + ending


def _is_shown(word: str, *, starts_sentence: bool) -> bool:
    if not word.isascii():
        return False
    if word.lower() in WITH_DIGITS or word in CAPITALS or word in LABELS:
        return True
    if word.islower() or not word.isalpha():
        return _is_known_compound(word)
    if word[0].isupper() and word[1:].islower():
        return starts_sentence and _is_known(word.lower())
    return _is_camel(word)


def _is_known_compound(word: str) -> bool:
    """`ops.job_queue`, `/api/health`, `dragonfly-api`, `psycopg.errors.UniqueViolation`: made of known words only."""
    parts = [part for part in _PARTS.split(word) if part]
    return bool(parts) and all(_is_known(part) if part.islower() else _is_camel(part) for part in parts)


def _is_camel(word: str) -> bool:
    """Whether it is written LikeThis, in two or more known words."""
    humps = _HUMPS.findall(word)
    return len(humps) > 1 and "".join(humps) == word and all(_is_known(hump.lower()) for hump in humps)


def _is_known(word: str) -> bool:
    if word in WORDS:
        return True
    return any(_stem_is_known(word.removesuffix(suffix)) for suffix in _SUFFIXES if word.endswith(suffix))


def _stem_is_known(stem: str) -> bool:
    """`retri-ed`, `writ-ing` and `stopp-ed` are words as well."""
    if len(stem) < 2:
        return False
    doubled = stem[:-1] if stem[-1] == stem[-2] else stem
    return any(form in WORDS for form in (stem, f"{stem}e", doubled, f"{stem[:-1]}y" if stem[-1] == "i" else stem))
