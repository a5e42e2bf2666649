"""Hides the data of a log line by its shape, and leaves its words: balanced masking (docs/adr/0010).

It is for the one person who requested a line. It hides secrets, the personal data that `services.domain.personal_data`
finds, quoted values, the values of a row, fields that are named like personal data (`plaintiff=…`), and two or more
unknown words in a row that are written like a name.
"""

from __future__ import annotations

import json
import re

from services.domain.masking import READ_LIMIT, template
from services.domain.masking_words import (
    CAPITALS,
    DATA_NAMES,
    PRODUCTS,
    PROGRAM_NAMES,
    TITLES,
    is_class_name,
    is_known_line,
    is_known_word,
    is_surname,
)
from services.domain.personal_data import hide_data
from services.domain.secret_shapes import HIDDEN, hide_secrets, is_secret_name

_QUOTED = re.compile(
    r"""(?P<row>Failing\ row\ contains\ .*)
       |(?P<key>=\ ?\(.*?\)(?=\s|\Z|[.,;]))          # Key (column)=(value)
       |(?<!\w)(?P<quoted>"[^"]*"?|'[^']*'(?!\w)|`[^`]*`?|\u201c[^\u201d]*\u201d?|\u00ab[^\u00bb]*\u00bb?)""",
    re.VERBOSE,
)
_FIELD = re.compile(
    r"""(?<![\w.-])(?P<name>[A-Za-z][\w.-]{0,60})(?P<mark>["']?\s?[=:]\s?)
        (?P<value>[^\s,;"'(){}\[\]]{1,200}(?:\s(?![\w.-]{1,60}[=:])[A-Z&][\w.'&-]{0,60}){0,6})""",
    re.VERBOSE,
)
_IDENTIFIES = re.compile(
    r"(?:case|index|docket|account|acct|card|judgment|routing)[_-]?(?:id|no|num|number|nr)?\Z", re.I
)
# Uploaded files are often named after parties: "Smith judgments.csv", "Smith_v_Jones.csv".
_DATA_FILE = re.compile(
    r"""(?P<before>(?:(?:[A-Z][\w.'&,-]{0,60}|vs?\.?|&|and|of)\s){0,6})
        (?<![^\s/\\"'(=])(?P<stem>[^\s/\\"'()=]{1,200})(?P<kind>\.(?i:csv|tsv|xlsx?|ods|pdf|docx?|zip))\b""",
    re.VERBOSE,
)
_EDGES = "\"'`()[]{}<>,.;:!?|=*#"
_BETWEEN = frozenset({"&", "of", "de", "del", "la", "van", "von", "der", "und", "y"})
_ENDS_RUN = (".", ":", "!", "?", ";", ")", "]", "}", "=")
_FEWEST_IN_A_NAME = 2  # a single capitalized word is shown; "J. Roe" counts as two
_HIDDEN_SHAPES = re.compile(rf"{HIDDEN}(?:[\s,&]*{HIDDEN})+")
_MESSAGE_FIELDS = frozenset({"message", "msg", "event", "error", "detail", "level", "severity", "logger", "status"})


def mask_balanced(text: str) -> str:
    """The text in one line, with data hidden by its shape; unchanged if our own programs print such lines."""
    if is_known_line(text):
        return text
    read = text[:READ_LIMIT]
    masked = _masked_object(read) or _mask_shapes(read)
    return masked + (f" {HIDDEN}" if len(text) > READ_LIMIT else "")


def _mask_shapes(text: str) -> str:
    line = " ".join(hide_secrets(text).split())
    line = hide_data(_DATA_FILE.sub(_file, _without_fields(_QUOTED.sub(_quoted, line))))
    return _HIDDEN_SHAPES.sub(HIDDEN, _without_names(_without_small_names(line)))


def _masked_object(text: str) -> str | None:
    """Mask a JSON line: message fields like any text, other fields by their names. None if it is not JSON."""
    if not text.startswith("{"):
        return None
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        return None
    shown = {name: _masked_value(name, value) for name, value in fields.items()}
    return json.dumps(shown, ensure_ascii=False)


def _masked_value(name: str, value: object) -> object:
    if isinstance(value, str) and name.lower() in _MESSAGE_FIELDS:
        return _mask_shapes(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float) and not (_is_data_name(name) or is_secret_name(name)):
        return value if len(str(value)) < len("100000") else HIDDEN
    return HIDDEN


def _quoted(found: re.Match[str]) -> str:
    """Hide a row entirely; of quoted text, show only text that a program wrote."""
    if found["row"]:
        return f"Failing row contains {HIDDEN}"
    if found["key"]:
        return f"=({HIDDEN})"
    text = found.group()
    return text if HIDDEN not in template(text.strip("\"'`\u201c\u201d\u00ab\u00bb")) else f'"{HIDDEN}"'


def _file(found: re.Match[str]) -> str:
    """Hide the name of a data file, unless each of its words is one of ours: "failed_rows.csv"."""
    words = [word for word in re.split(r"[\W\d_]+", found["before"] + found["stem"]) if word]
    is_ours = HIDDEN not in found["stem"] and all(is_known_word(word.lower()) for word in words)
    return found.group() if is_ours else f"{HIDDEN}{found['kind']}"


def _without_fields(line: str) -> str:
    """The line with "…" for the values of fields that are named like personal data.

    Text before a field may look like a field too ("JudgeBoom: plaintiff=…"), so its value is searched on its own.
    """
    pieces, place = [], 0
    while found := _FIELD.search(line, place):
        is_data = _is_data_name(found["name"]) and not all(map(is_known_word, found["value"].lower().split()))
        end = found.end() if is_data else found.start("value")
        pieces += [line[place : found.start("value")], HIDDEN] if is_data else [line[place:end]]
        place = end
    return "".join([*pieces, line[place:]])


def _is_data_name(name: str) -> bool:
    lowered = name.lower()
    if lowered in PROGRAM_NAMES or lowered.endswith(("error", "exception")):
        return False
    parts = re.split(r"[_.-]+", lowered)
    named = parts[-1] == "name" and lowered.removesuffix("name").rstrip("_.-") not in PROGRAM_NAMES
    return named or bool(_IDENTIFIES.match(lowered)) or any(part in DATA_NAMES for part in parts)


_ROLES = frozenset(
    ("plaintiff", "defendant", "debtor", "creditor", "claimant", "petitioner", "respondent", "garnishee")
)
_BESIDE_ROLE = frozenset({"is", "was", "named", "called", "the"})
_VERSUS = frozenset({"v", "v.", "vs", "vs."})
_MOST_IN_A_CAPTION = 4  # words before "v."


def _without_small_names(line: str) -> str:
    """The line with "…" for unknown words, also in lower case, after a party's role or field, or beside a "v."."""
    shown: list[str] = []
    is_beside = False
    for token in line.split(" "):
        if is_beside and _may_name(token):
            if shown[-1] != HIDDEN:
                shown.append(HIDDEN)
            continue
        if token in _VERSUS and (before := _count_last_names(shown)):
            shown[-before:] = [HIDDEN]
            is_beside = True
        elif not (is_beside and (_trimmed(token) in _BESIDE_ROLE or token.lower() in _JOINS or HIDDEN in token)):
            is_beside = _opens_name(token)
        shown.append(token)
    return " ".join(shown)


_JOINS = _BETWEEN | {"and"}


def _opens_name(token: str) -> bool:
    word = _trimmed(token)
    is_field = token.endswith((f"={HIDDEN}", f":{HIDDEN}"))
    return word.removesuffix("s") in _ROLES or (is_field and _is_data_name(word.rstrip(HIDDEN).strip(_EDGES)))


def _may_name(token: str) -> bool:
    """True if it is written in letters and is no word of a program: `jane`, `o'neil`, `mary-ann`."""
    word = _trimmed(token)
    letters = word.replace("-", "").replace("'", "").replace("\u2019", "").replace(".", "")
    return letters.isalpha() and word not in DATA_NAMES and word not in _VERSUS and not is_known_word(word)


def _count_last_names(tokens: list[str]) -> int:
    last = tokens[-_MOST_IN_A_CAPTION:][::-1]
    return next((count for count, token in enumerate(last) if not _may_name(token)), len(last))


def _trimmed(token: str) -> str:
    return token.strip(_EDGES).lower()


def _without_names(line: str) -> str:
    """The line with "…" for each run of two or more words that form a name, and for a word that can only be a name."""
    shown: list[str] = []
    run: list[str] = []
    for token in line.split(" "):
        if _is_like_name(token) or (run and token.lower() in _BETWEEN):
            run.append(token)
            if token.endswith(_ENDS_RUN) and not _is_initial(token):
                shown, run = [*shown, *_run_shown(run)], []
        else:
            shown, run = [*shown, *_run_shown(run), token], []
    return " ".join([*shown, *_run_shown(run)])


def _run_shown(run: list[str]) -> list[str]:
    if sum(map(_is_like_name, run)) < _FEWEST_IN_A_NAME and not any(map(_is_surely_name, run)):
        return run
    last = next(place for place in reversed(range(len(run))) if _is_like_name(run[place]))
    ending = run[last][len(run[last].rstrip(_EDGES)) :]
    return [HIDDEN + ("" if _is_initial(run[last]) else ending), *run[last + 1 :]]


def _is_like_name(token: str) -> bool:
    """True if it is written like a name and is no word of ours: `Kowalski`, `ROE`, `J.`, a word in another script."""
    if _is_initial(token):
        return True
    word = token.strip(_EDGES)
    if not word or not word[0].isalpha() or HIDDEN in word:
        return False
    if _is_surely_name(token):
        return True
    is_written_so = word[0].isupper() and word.replace("-", "").replace("'", "").replace(".", "").isalpha()
    return is_written_so and not _is_ours(word, token)


def _is_ours(word: str, token: str) -> bool:
    if word in CAPITALS or word in TITLES or word in PRODUCTS or is_known_word(word.lower()):
        return True
    return is_class_name(word) and not is_surname(word) and token.endswith((":", "("))


def _is_surely_name(token: str) -> bool:
    word = token.strip(_EDGES)
    return (not word.isascii() and any(c.isalpha() and not c.isascii() for c in word)) or is_surname(word)


def _is_initial(token: str) -> bool:
    return len(token) == 2 and token[0].isalpha() and token[0].isupper() and token[1] == "."
