"""Reads and changes a file of variables (`.env`), which only its owner may read."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from services.domain.errors import OperatorError

_LINE = re.compile(r"\s*(?:export\s+)?([A-Z][A-Z0-9_]*)=(.*)")
_VALUE = re.compile(r"""(?:\s*(['"])(?P<quoted>.*?)\1|(?P<plain>.*?))(?P<comment>\s+#.*)?\s*\Z""")
_PLAIN = re.compile(r"[A-Za-z0-9_./:@%+,=-]*\Z")  # a shell and Docker Compose read these without quotes


def read_env_file(path: Path) -> dict[str, str]:
    """Return `{variable: value}` as a shell reads it: without quotes and comments, the last line of a name wins.

    Empty if there is no file. Empty values count as not set. Raises OperatorError if the file can't be read.
    """
    found = map(_LINE.match, _lines(path))
    values = {match[1]: _value_and_comment(match[2])[0] for match in found if match}
    return {name: value for name, value in values.items() if value}


def write_env_file(path: Path, values: Mapping[str, str]) -> None:
    """Set these variables in each of their lines, and keep everything else, including comments.

    The file is created with mode 0600, and renamed into place, so that an abort leaves the old or the new file. Raises
    OperatorError if it can't be written.
    """
    text = "\n".join(_with_values(_lines(path), {name: _quoted(name, value) for name, value in values.items()})) + "\n"
    beside = path.with_name(f"{path.name}.new")
    try:
        beside.unlink(missing_ok=True)
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        beside.replace(path)
    except OSError as error:
        raise OperatorError(
            f"{path} was not written",
            why=f"the system refused it ({error.strerror})",
            what_next="Run it in a folder where you may write, or name another: `dragonfly init --file other.env`.",
        ) from None


def loading(path: Path) -> str:
    """Shell command that loads the file. A path without a slash gets "./", because some shells search only PATH."""
    named = path if path.is_absolute() else f"./{path}"
    return f"set -a; . {shlex.quote(str(named))}; set +a"


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    except (OSError, UnicodeDecodeError) as error:
        refused = f"the system refused it ({error.strerror})" if isinstance(error, OSError) else "it is not UTF-8"
        what_next = "Name a text file with one VARIABLE=value per line."
        raise OperatorError(f"{path} was not read", why=refused, what_next=what_next) from None


def _with_values(lines: list[str], values: dict[str, str]) -> list[str]:
    matches = [_LINE.match(line) for line in lines]
    out = [
        f"{line[: match.start(2)]}{values[match[1]]}{_value_and_comment(match[2])[1]}"
        if match and match[1] in values
        else line
        for line, match in zip(lines, matches, strict=True)
    ]
    there = {match[1] for match in matches if match}
    return [*out, *(f"{name}={value}" for name, value in values.items() if name not in there)]


def _quoted(name: str, value: str) -> str:
    if _PLAIN.match(value):
        return value
    if "'" in value or not value.isprintable():
        raise OperatorError(
            f"{name} was not stored",
            why="its value has a quotation mark or a character that is not printable",
            what_next="Write `%27` for ' in an address; otherwise copy the value again.",
        )
    return f"'{value}'"


def _value_and_comment(text: str) -> tuple[str, str]:
    """Split the text after `=` into value and comment; the comment keeps the blanks before it."""
    match = _VALUE.match(text)
    if match is None:
        return text.strip(), ""
    quoted = match["quoted"]
    return match["plain"].strip() if quoted is None else quoted, match["comment"] or ""
