"""Masks a log line, an error or a person's message: shows its shape and hides its data.

This is strict masking (docs/adr/0010), for text that several people can read. Personal data cannot be found by pattern,
so a word is shown only if it is known as a program's word or is written as only programs write (an identifier, an
exception's class, a module, a source file); everything else becomes "…". Whole lines that our own programs print are
shown unchanged.

In a person's message their own words stay, pasted text becomes its template, and anything with the shape of data or of
a secret is hidden wherever it stands (docs/adr/0009).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from services.domain.masking_words import (
    CAPITALS,
    LABELS,
    PRODUCTS,
    TITLES,
    WITH_DIGITS,
    is_class_name,
    is_exception,
    is_identifier,
    is_known_line,
    is_known_word,
    is_qualified,
    is_source_path,
)
from services.domain.personal_data import hide_data
from services.domain.secret_shapes import HIDDEN, hide_secrets

READ_LIMIT = 1500  # characters that are read, in about 2 ms; the rest of a longer text is hidden

_PUNCTUATION = r"""!"#$%&'()*+,./:;<=>?@\[\\\]^_`{|}~\-─-╿═-╬"""
_IDENTIFIER = r"[a-z][a-z_]*(?:\.[a-z][a-z_]*)?"
_PIECE = re.compile(
    rf"""(?P<named>\b(?:relation|column|table|constraint|function|schema|type|role|index|sequence|database|view
             |attribute|argument:?|module\ named|codec|option|parameter|setting|variable)   # quoted, and no data
             \ ["'`](?P<identifier>{_IDENTIFIER})["'`])
       |(?P<contraction>\b(?:are|can|could|did|does|do|had|has|have|is|must|should|was|were|wo|would)(?:n't)\b|\bcan't\b)
       |(?P<status>\b(?:HTTP|[Ss]tatus(?:[\ _]code)?|[Ee]xit\ code|code|[Ss]ignal|[Ee]rrno|[Ee]rror)
               :?\ ?=?\ ?[1-9]\d{{0,2}}\b
           |\b(?i:SQLSTATE):?[\ =]?[0-9A-Z]{{5}}\b|\bline\ \d{{1,6}}\b|\b0x[0-9a-f]{{2}}\b
           |\b[1-5]\d\d(?=\ (?:OK|Created|Accepted|Bad|Unauthorized|Forbidden|Not|Conflict|Request|Unprocessable|Too
               |Internal|Service|Gateway)\b))
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
_ALWAYS = CAPITALS | LABELS | PRODUCTS | TITLES
_BEFORE = ("failed: ", "raise ", "raised ", "exception: ", "Exception: ", "error: ", "Error: ", "class ", "Caught ")
_NAMED_FIRST = re.compile(r"\s*(?:[a-z_][\w.]{0,100}\.)?([A-Z]\w{1,80})(?=[:(]|\s*\Z)")
_CAMEL = re.compile(r"\b[A-Z]\w{2,80}\b")
_HIDDEN_RUN = re.compile(rf"{HIDDEN}(?:[\s,.:;/@$%&+#'-]*{HIDDEN})+")


def mask_line(line: str) -> str:
    """Mask a log line for everyone: unchanged if our own programs print such lines, else its template."""
    return line if is_known_line(line) else template(line)


def template(text: str) -> str:
    """The text in one line with every literal replaced by "…"; equal for texts that differ only in their data."""
    line = " ".join(hide_secrets(text[:READ_LIMIT]).split())
    masked = "".join(_masked_pieces(line))
    return _HIDDEN_RUN.sub(HIDDEN, masked + (f" {HIDDEN}" if len(text) > READ_LIMIT else ""))


def error_class(text: str) -> str | None:
    """The exception or SQL condition that an error text names first; None if it names none."""
    first = _NAMED_FIRST.match(text[:READ_LIMIT])
    if first and (is_class_name(first[1]) or is_exception(first[1])):
        return first[1]
    names = (match.group() for match in _CAMEL.finditer(text[:READ_LIMIT]))
    return next((name for name in names if is_exception(name)), None)


def _masked_pieces(line: str) -> Iterator[str]:
    starts_sentence = True
    for piece in _PIECE.finditer(line):
        kind, text = str(piece.lastgroup if piece.lastgroup != "identifier" else "named"), piece.group()
        if kind == "word":
            names_class = _is_place_of_class(line, piece.start(), piece.end())
            yield _masked_word(text, starts_sentence=starts_sentence, names_class=names_class)
        else:
            yield _masked(kind, text, piece["identifier"] or "")
        if kind != "space":
            starts_sentence = text.endswith((".", ":", "]", "!", "?", "-", "│"))


def _is_place_of_class(line: str, start: int, end: int) -> bool:
    """True before a colon or a parenthesis, and at the end of a line after "Job failed:" and the like, or alone."""
    return line[end - 1] == ":" or line[end : end + 1] == "(" or (end == len(line) and line[:start].endswith(_BEFORE))


def _masked(kind: str, text: str, identifier: str) -> str:
    match kind:
        case "space" | "mark" | "status" | "contraction":
            return text
        case "named":
            return text if _is_shown(identifier, starts_sentence=False) else text.replace(identifier, HIDDEN)
        case "row":
            return f"Failing row contains {HIDDEN}"
        case "key":
            return f"=({HIDDEN})"
        case "json":
            return f"{{{HIDDEN}}}"
        case "quoted":
            return text if _is_quoted_name(text.strip("\"'`“”")) else f'"{HIDDEN}"'
        case _:
            return HIDDEN


def _masked_word(text: str, *, starts_sentence: bool, names_class: bool) -> str:
    word = _ENDING.sub("", text)
    ending = text[len(word) :]
    is_class = names_class and is_class_name(word)
    return text if is_class or _is_shown(word, starts_sentence=starts_sentence) else HIDDEN + ending


def _is_quoted_name(word: str) -> bool:
    return _is_name(word) or word in PRODUCTS


def _is_name(word: str) -> bool:
    """True if it is written as only programs write."""
    return is_identifier(word) or is_exception(word) or is_qualified(word) or is_source_path(word)


def _is_shown(word: str, *, starts_sentence: bool) -> bool:
    if not word.isascii():
        return False
    if word.lower() in WITH_DIGITS or word in _ALWAYS or _is_name(word):
        return True
    if word.islower() or not word.isalpha():
        return _is_known_compound(word)
    if word[0].isupper() and word[1:].islower():
        return starts_sentence and is_known_word(word.lower())
    return _is_camel(word)


def _is_known_compound(word: str) -> bool:
    """True if it is made of known words only: `ops.job_queue`, `/api/health`, `psycopg.errors.UniqueViolation`."""
    parts = [part for part in _PARTS.split(word) if part]
    return bool(parts) and all(is_known_word(part) if part.islower() else _is_camel(part) for part in parts)


def _is_camel(word: str) -> bool:
    """True if it is written LikeThis, in two or more known words."""
    humps = _HUMPS.findall(word)
    return len(humps) > 1 and "".join(humps) == word and all(is_known_word(hump.lower()) for hump in humps)


# An unclosed block goes to the end, as Slack shows it.
_PASTED = re.compile(r"```(?P<block>.*?)(?:```|\Z)|`(?P<code>[^`\n]+)`|(?m:^>\s?(?P<quote>[^\n]*)$)", re.DOTALL)
# Full SHAs and UUIDs too: a sentence doesn't need them, and tokens look like them.
_TOKENS = re.compile(
    r"""\b\w{1,20}://\S+
       |\b(?!\d{4}-\d\d-\d\dT)(?=\w{0,100}\d)[\w-]{12,}\b|\b\d{5,}\b""",
    re.VERBOSE,
)


def mask_message(text: str) -> str:
    """Mask a person's message (Slack's markup): code and quotes lose every literal, names of parties and data are
    hidden everywhere."""
    import html  # its table of entities takes half a megabyte, which a worker never needs

    words = _PASTED.sub(lambda pasted: template(pasted[str(pasted.lastgroup)]), html.unescape(text))
    return _TOKENS.sub(HIDDEN, hide_data(hide_secrets(words))).strip()
