"""Names that only programs have, by how they are written: identifiers, exception classes, modules, source files."""

from __future__ import annotations

import re

_PART = r"[a-z][a-z0-9]{0,30}"
_IDENTIFIER = re.compile(
    rf"_{{0,2}}{_PART}(?:_{{1,2}}[a-z0-9]{{1,30}}){{1,10}}_{{0,2}}|__{_PART}__|_{_PART}"
    r"|[A-Z][A-Z0-9]{0,30}(?:_[A-Z0-9]{1,30}){1,10}"
)
_SMALL_CAMEL = re.compile(r"[a-z]{2,20}(?:[A-Z][a-z0-9]{1,20}){1,6}")
_LONG_NUMBER = re.compile(r"\d{4}")
_CAMEL = re.compile(r"(?:[A-Z]{2,10}(?=[A-Z][a-z])|[A-Z][a-z0-9]{1,40}){2,10}")
_ENDINGS = (
    "Error", "Errors", "Exception", "Warning", "Violation", "Transaction", "Timeout", "Failure", "Exit", "Interrupt",
    "Refused", "Canceled", "Cancelled", "Shutdown", "Detected", "Disconnect", "Exceeded", "NotFound", "Iteration",
)  # fmt: skip
# "McDonald" is written like a class, and is none.
_SURNAMES = re.compile(r"(?:Mac|Mc|De|Del|Della|Di|Du|El|Fitz|La|Le|Lo|O|St|Van|Von)[A-Z][a-z]")
_QUALIFIED = re.compile(rf"_{{0,2}}{_PART}(?:_[a-z0-9]{{1,30}}){{0,8}}(?:\.\w{{1,60}}){{1,8}}")
_SOURCE_FILE = re.compile(
    r"[\w.@+/~-]{1,300}\.(?:py|pyx|pyi|pyc|so|sql|toml|ya?ml|cfg|ini|sh|js|ts|go|rs)(?::\d{1,6}){0,2}"
)
_SYSTEM_PATH = re.compile(
    r"/(?:app|bin|dev|etc|lib|lib64|nix|opt|proc|root|run|sbin|sys|usr|var|workspace)(?:/[\w.@+/-]{0,300})?"
    r"(?::\d{1,6}){0,2}"
)
_DATA_FILE = re.compile(r"\.(?:csv|docx?|eml|html?|jsonl?|log|pdf|tsv|txt|xlsx?|xml|zip)\Z", re.IGNORECASE)
_PATH_PART = re.compile(r"[a-z0-9_.@+-]{0,80}|[A-Z]{1,12}")


def is_identifier(word: str) -> bool:
    """`claim_pending_job`, `_read`, `SUPABASE_DB_URL`, `postMessage`."""
    if _LONG_NUMBER.search(word):
        return False
    return bool(
        _IDENTIFIER.fullmatch(word) or (_SMALL_CAMEL.fullmatch(word) and not is_surname(word[0].upper() + word[1:]))
    )


def is_surname(word: str) -> bool:
    """`McDonald`, `O'Brien`, `DeLuca`: written as names are that begin with a particle."""
    return _SURNAMES.match(word.replace("\u2019", "").replace("'", "")) is not None


def is_class_name(word: str) -> bool:
    """`JudgeBoom`: two words written as one, and no surname. Whether it is a class, its place in the text tells."""
    return _CAMEL.fullmatch(word) is not None and _SURNAMES.match(word) is None


def is_exception(word: str) -> bool:
    """`ReadTimeout`, `HTTPStatusError`: a class, wherever it is written."""
    return word.endswith(_ENDINGS) and _CAMEL.fullmatch(word) is not None


def is_qualified(word: str) -> bool:
    """`backend.workers.ingest.JudgeBoom`, `asyncio.run`, `self._read`: parts of which one is no plain word."""
    if _QUALIFIED.fullmatch(word) is None:
        return False
    parts = word.split(".")
    telling = [part for part in parts if is_identifier(part) or is_class_name(part)]
    plain = [part for part in parts if part not in telling]
    return bool(telling) and all(
        part.isascii() and part.islower() and _LONG_NUMBER.search(part) is None for part in plain
    )


def is_source_path(word: str) -> bool:
    """`/app/backend/workers/ingest.py:42`, `handler.py`, `/usr/lib/python3.11`: where programs lie, never data."""
    is_path = _SYSTEM_PATH.fullmatch(word) or _SOURCE_FILE.fullmatch(word)
    if not is_path or _DATA_FILE.search(word):
        return False
    parts = re.sub(r"(?::\d{1,6}){1,2}\Z", "", word).split("/")
    return all(_PATH_PART.fullmatch(part) and not re.search(r"\d{4}", part) for part in parts)
