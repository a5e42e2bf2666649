"""Shows the shape of a log line or an error and hides its data; also what a person wrote.

This is the strict way (docs/adr/0010), for whatever more than one person reads. Personal data cannot be found by
pattern, so a word is shown only when it is known to be a program's word or is written as only programs write (an
identifier, an exception's class, a module, a source file); everything else becomes "…". Whole lines that our own
programs print are shown as they are.

Their own words stay, what they pasted becomes its template, and what has the shape of data or of a secret goes wherever
it stands (docs/adr/0009).

The balanced way, below, is for the one person who requested a line: words stay, data is hidden by shape. Hidden are
secrets, what `services.domain.personal_data` knows, quoted values, the values of a row, fields that are named like
personal data (`plaintiff=…`), and two or more words in a row that are written like a name and are unknown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from enum import StrEnum

from services.domain.masking_words import (
    CAPITALS,
    DATA_NAMES,
    LABELS,
    PRODUCTS,
    PROGRAM_NAMES,
    TITLES,
    WITH_DIGITS,
    is_class_name,
    is_exception,
    is_identifier,
    is_known_line,
    is_known_word,
    is_qualified,
    is_source_path,
    is_surname,
)
from services.domain.personal_data import hide_data
from services.domain.secrets import HIDDEN, hide_secrets, is_secret_name

READ_LIMIT = 1500  # characters looked at, for some 2 ms; the rest of a longer text counts as hidden

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
    """A log line that may be shown to everyone: as it is when our own programs print such lines, else its template."""
    return line if is_known_line(line) else template(line)


def template(text: str) -> str:
    """The text in one line with every literal replaced by "…"; equal for texts that differ in their data only."""
    line = " ".join(hide_secrets(text[:READ_LIMIT]).split())
    masked = "".join(_masked_pieces(line))
    return _HIDDEN_RUN.sub(HIDDEN, masked + (f" {HIDDEN}" if len(text) > READ_LIMIT else ""))


def error_class(text: str) -> str | None:
    """The name of the exception or SQL condition that an error text names first; None when it names none."""
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
            names_class = _is_where_classes_stand(line, piece.start(), piece.end())
            yield _masked_word(text, starts_sentence=starts_sentence, names_class=names_class)
        else:
            yield _masked(kind, text, piece["identifier"] or "")
        if kind != "space":
            starts_sentence = text.endswith((".", ":", "]", "!", "?", "-", "│"))


def _is_where_classes_stand(line: str, start: int, end: int) -> bool:
    """Before a colon or a parenthesis, behind "Job failed:" and the like, or alone."""
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
    """Whether it is written as only programs write."""
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
    """`ops.job_queue`, `/api/health`, `dragonfly-api`, `psycopg.errors.UniqueViolation`: made of known words only."""
    parts = [part for part in _PARTS.split(word) if part]
    return bool(parts) and all(is_known_word(part) if part.islower() else _is_camel(part) for part in parts)


def _is_camel(word: str) -> bool:
    """Whether it is written LikeThis, in two or more known words."""
    humps = _HUMPS.findall(word)
    return len(humps) > 1 and "".join(humps) == word and all(is_known_word(hump.lower()) for hump in humps)


# An unclosed block goes to the end, as Slack shows it.
_PASTED = re.compile(r"```(?P<block>.*?)(?:```|\Z)|`(?P<code>[^`\n]+)`|(?m:^>\s?(?P<quote>[^\n]*)$)", re.DOTALL)
# A full SHA and a UUID too: a sentence doesn't need them, and tokens look like them.
_TOKENS = re.compile(
    r"""\b\w{1,20}://\S+
       |\b(?!\d{4}-\d\d-\d\dT)(?=\w{0,100}\d)[\w-]{12,}\b|\b\d{5,}\b""",
    re.VERBOSE,
)


def mask_message(text: str) -> str:
    """Of Slack's markup: code and quotes lose every literal; names of parties and data go wherever they are."""
    import html  # its table of entities takes half a megabyte, which a worker never needs

    words = _PASTED.sub(lambda pasted: template(pasted[str(pasted.lastgroup)]), html.unescape(text))
    return _TOKENS.sub(HIDDEN, hide_data(hide_secrets(words))).strip()


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
_HIDDEN_SHAPES = re.compile(rf"{HIDDEN}(?:[\s,&]*{HIDDEN})+")
_MESSAGE_FIELDS = frozenset({"message", "msg", "event", "error", "detail", "level", "severity", "logger", "status"})


def mask_balanced(text: str) -> str:
    """The text in one line, without data that its shape gives away; whole when our own programs print such lines."""
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
        return _mask_shapes(value)
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


def _without_fields(line: str) -> str:
    """The line with "…" for the values of fields that are named like personal data.

    What stands before one may look like a field too ("JudgeBoom: plaintiff=…"): its value is looked at on its own.
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
    """The line with "…" for unknown words, also in lower case, behind a party's role or field, or beside a "v."."""
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
        elif not (is_beside and (_edgeless(token) in _BESIDE_ROLE or token.lower() in _JOINS or HIDDEN in token)):
            is_beside = _opens_name(token)
        shown.append(token)
    return " ".join(shown)


_JOINS = _BETWEEN | {"and"}


def _opens_name(token: str) -> bool:
    word = _edgeless(token)
    is_field = token.endswith((f"={HIDDEN}", f":{HIDDEN}"))
    return word.removesuffix("s") in _ROLES or (is_field and _is_data_name(word.rstrip(HIDDEN).strip(_EDGES)))


def _may_name(token: str) -> bool:
    """Written in letters, and no word of a program: `jane`, `o'neil`, `mary-ann`."""
    word = _edgeless(token)
    letters = word.replace("-", "").replace("'", "").replace("\u2019", "").replace(".", "")
    return letters.isalpha() and word not in DATA_NAMES and word not in _VERSUS and not is_known_word(word)


def _count_last_names(tokens: list[str]) -> int:
    last = tokens[-_MOST_IN_A_CAPTION:][::-1]
    return next((count for count, token in enumerate(last) if not _may_name(token)), len(last))


def _edgeless(token: str) -> str:
    return token.strip(_EDGES).lower()


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
