"""A file of variables (`.env`): read, changed one variable at a time, and readable by its owner only."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from services.domain.errors import OperatorError

_LINE = re.compile(r"\s*(?:export\s+)?([A-Z][A-Z0-9_]*)=(.*)")
_PLAIN = re.compile(r"[A-Za-z0-9_./:@%+,=-]*\Z")  # a shell and Docker Compose read these as they stand


def read_env_file(path: Path) -> dict[str, str]:
    """`{variable: value}`, without quotes; empty where there is no file. Empty values count as not set."""
    if not path.exists():
        return {}
    found = (_LINE.match(line) for line in path.read_text(encoding="utf-8").splitlines())
    values = {match[1]: _unquoted(match[2].strip()) for match in found if match}
    return {name: value for name, value in values.items() if value}


def write_env_file(path: Path, values: Mapping[str, str]) -> None:
    """Set these variables and keep everything else as it stands, comments included. Mode 0600, from its first byte on.

    Written beside it and renamed, so that an abort leaves the old file or the new one. Raises OperatorError.
    """
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    text = "\n".join(_with_values(lines, {name: _quoted(name, value) for name, value in values.items()})) + "\n"
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


def _with_values(lines: list[str], values: dict[str, str]) -> list[str]:
    left, out = dict(values), []
    for line in lines:
        match = _LINE.match(line)
        out.append(f"{match[1]}={left.pop(match[1])}" if match and match[1] in left else line)
    return [*out, *(f"{name}={value}" for name, value in left.items())]


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


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value
