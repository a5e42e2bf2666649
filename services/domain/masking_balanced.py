"""A log line for the one person who requested it: words stay, data is hidden by shape (docs/adr/0010).

Hidden are secrets, what `services.domain.secrets` knows, quoted values, the values of a row, fields that are
named like personal data (`plaintiff=…`), and two or more words in a row that are written like a name and are unknown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from enum import StrEnum

from services.domain.masking import READ_LIMIT, is_known_word, mask_line, template
from services.domain.masking_words import (
    CAPITALS,
    DATA_NAMES,
    PRODUCTS,
    PROGRAM_NAMES,
    TITLES,
    is_class_name,
    is_known_line,
    is_surname,
)
from services.domain.secrets import HIDDEN, hide_data, hide_secrets, is_secret_name

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
# What people upload is called after parties: "Smith judgments.csv", "Smith_v_Jones.csv".
_DATA_FILE = re.compile(
    r"""(?P<before>(?:(?:[A-Z][\w.'&,-]{0,60}|vs?\.?|&|and|of)\s){0,6})
        (?<![^\s/\\"'(=])(?P<stem>[^\s/\\"'()=]{1,200})(?P<kind>\.(?i:csv|tsv|xlsx?|ods|pdf|docx?|zip))\b""",
    re.VERBOSE,
)
_EDGES = "\"'`()[]{}<>,.;:!?|=*#"
_BETWEEN = frozenset({"&", "of", "de", "del", "la", "van", "von", "der", "und", "y"})
_ENDS_RUN = (".", ":", "!", "?", ";", ")", "]", "}", "=")
_FEWEST_IN_A_NAME = 2  # a single capitalised word is shown; "J. Roe" are two
_HIDDEN_RUN = re.compile(rf"{HIDDEN}(?:[\s,&]*{HIDDEN})+")
_MESSAGE_FIELDS = frozenset({"message", "msg", "event", "error", "detail", "level", "severity", "logger", "status"})


def mask_balanced(text: str) -> str:
    """The text in one line, without data that its shape gives away; whole when our own programs print such lines."""
    if is_known_line(text):
        return text
    read = text[:READ_LIMIT]
    masked = _masked_object(read) or _masked(read)
    return masked + (f" {HIDDEN}" if len(text) > READ_LIMIT else "")


def _masked(text: str) -> str:
    line = " ".join(hide_secrets(text).split())
    line = hide_data(_DATA_FILE.sub(_file, _FIELD.sub(_field, _QUOTED.sub(_quoted, line))))
    return _HIDDEN_RUN.sub(HIDDEN, _without_names(line))


def _masked_object(text: str) -> str | None:
    """A structured line: its words are masked like any text, its other fields by their names. None when it is none."""
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
        return _masked(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float) and not (_is_data_name(name) or is_secret_name(name)):
        return value if len(str(value)) < len("100000") else HIDDEN
    return HIDDEN


def _quoted(found: re.Match[str]) -> str:
    """Nothing of a row; of what is quoted, only what a program wrote."""
    if found["row"]:
        return f"Failing row contains {HIDDEN}"
    if found["key"]:
        return f"=({HIDDEN})"
    text = found.group()
    return text if HIDDEN not in template(text.strip("\"'`\u201c\u201d\u00ab\u00bb")) else f'"{HIDDEN}"'


def _file(found: re.Match[str]) -> str:
    """The name of a data file goes, unless each of its words is one of ours: "failed_rows.csv"."""
    words = [word for word in re.split(r"[\W\d_]+", found["before"] + found["stem"]) if word]
    is_ours = HIDDEN not in found["stem"] and all(is_known_word(word.lower()) for word in words)
    return found.group() if is_ours else f"{HIDDEN}{found['kind']}"


def _field(found: re.Match[str]) -> str:
    is_shown = not _is_data_name(found["name"]) or all(map(is_known_word, found["value"].lower().split()))
    return found.group() if is_shown else f"{found['name']}{found['mark']}{HIDDEN}"


def _is_data_name(name: str) -> bool:
    lowered = name.lower()
    if lowered in PROGRAM_NAMES or lowered.endswith(("error", "exception")):
        return False
    parts = re.split(r"[_.-]+", lowered)
    named = parts[-1] == "name" and lowered.removesuffix("name").rstrip("_.-") not in PROGRAM_NAMES
    return named or bool(_IDENTIFIES.match(lowered)) or any(part in DATA_NAMES for part in parts)


def _without_names(line: str) -> str:
    """The line with "…" for each run of two or more words that make a name, and for a word that can be nothing else."""
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
    """Written like a name, and no word of ours: `Kowalski`, `ROE`, `J.`; every word of another script is."""
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


class Privacy(StrEnum):
    """STRICT: what a channel sees. BALANCED: words stay, data goes by its shape."""

    STRICT = "strict"
    BALANCED = "balanced"

    @property
    def mask(self) -> Callable[[str], str]:
        """For a log line or an error."""
        return mask_line if self is Privacy.STRICT else mask_balanced


def is_masked(shown: str) -> bool:
    """Whether something was left out of it."""
    return HIDDEN in shown
