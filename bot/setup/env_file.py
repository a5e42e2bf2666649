"""A file of variables (`.env`): read, changed one variable at a time, and readable by its owner only."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from services.domain.errors import OperatorError

_LINE = re.compile(r"\s*(?:export\s+)?([A-Z][A-Z0-9_]*)=(.*)")
_VALUE = re.compile(r"""(?:\s*(['"])(?P<quoted>.*?)\1|(?P<plain>.*?))(?P<comment>\s+#.*)?\s*\Z""")
_PLAIN = re.compile(r"[A-Za-z0-9_./:@%+,=-]*\Z")  # a shell and Docker Compose read these as they stand


def read_env_file(path: Path) -> dict[str, str]:
    """`{variable: value}`, as a shell reads it: without quotes and comments, the last line of a name counts.

    Empty where there is no file. Empty values count as not set. Raises OperatorError.
    """
    found = map(_LINE.match, _lines(path))
    values = {match[1]: _value_and_comment(match[2])[0] for match in found if match}
    return {name: value for name, value in values.items() if value}


def write_env_file(path: Path, values: Mapping[str, str]) -> None:
    """Set these variables, in each of their lines, and keep everything else as it stands, comments included.

    Mode 0600, from its first byte on.
    Written beside it and renamed, so that an abort leaves the old file or the new one. Raises OperatorError.
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
            why=f"the system refuses it ({error.strerror})",
            what_next="Run it in a folder where you may write, or name another: `dragonfly init --file other.env`.",
        ) from None


def loading(path: Path) -> str:
    """The command that loads it, for any shell: without a slash some look in PATH alone."""
    named = path if path.is_absolute() else f"./{path}"
    return f"set -a; . {shlex.quote(str(named))}; set +a"


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    except (OSError, UnicodeDecodeError) as error:
        refused = f"the system refuses it ({error.strerror})" if isinstance(error, OSError) else "it is not UTF-8"
        what_next = "Name a text file with lines as VARIABLE=value."
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
    """Of what stands behind the `=`; the comment with the blanks before it."""
    match = _VALUE.match(text)
    if match is None:
        return text.strip(), ""
    quoted = match["quoted"]
    return match["plain"].strip() if quoted is None else quoted, match["comment"] or ""
