"""Splits the runbook, a file beside the repository, into items that can be covered one by one."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

RUNBOOK = Path(__file__).resolve().parents[2] / "shared" / "runbook.md"

# In CI it exists; a run without it has to fail there, not to skip.
needs_runbook = pytest.mark.skipif(
    not RUNBOOK.exists() and "CI" not in os.environ, reason="the runbook is not beside the repository"
)

_BLOCK = re.compile(
    r"^\ *```(?P<language>\w*)\n(?P<code>(?:.*\n)*?)\ *```$"
    r"|^(?P<level>\#{2,4})\ (?P<heading>.+)$"
    r"|^\ *(?:\d+\.|-)\ (?P<step>.+)$"
    r"|^\|(?P<row>.+)\|$",
    re.MULTILINE | re.VERBOSE,
)
_SQL_COMMENT = re.compile(r"--[^\n]*")
_FRAME = "┌┐└┘├┤─═│ "
_SKIPPED = "Table of Contents"
_KINDS = {"sql": "sql", "bash": "command", "powershell": "command", "text": "box", "json": "output", "": "output"}


@dataclass(frozen=True)
class Line:
    """One item of the runbook, as one line without markup.

    `section`: the heading right above it. `kind`: section, row, step, sql, command, box or output. SQL and outputs with
    many lines are one item per statement or line.
    """

    section: str
    kind: str
    text: str


def read_lines() -> list[Line]:
    """List every item to cover, in order; each section comes before its items."""
    lines, section = [], ""
    for match in _BLOCK.finditer(_without_rules(RUNBOOK.read_text(encoding="utf-8"))):
        if match["heading"]:
            section = plain(match["heading"])
            lines.append(Line(section, "section", section))
        else:
            lines += [Line(section, kind, text) for kind, text in _items(match) if plain(text)]
    return [line for line in lines if line.section not in ("", _SKIPPED)]


def statements() -> list[str]:
    """List the SQL statements, without their comments."""
    text = RUNBOOK.read_text(encoding="utf-8") if RUNBOOK.exists() else ""
    bodies = [match["code"] for match in _BLOCK.finditer(text) if match["language"] == "sql"]
    return [part.strip() for body in bodies for part in _SQL_COMMENT.sub("", body).split(";") if part.strip()]


def plain(text: str) -> str:
    """Return one line without markup, in which cells of a document and lines of the runbook are compared."""
    return " ".join(re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", lambda found: found[1] or "", text).split())


def _items(match: re.Match[str]) -> Iterator[tuple[str, str]]:
    if match["step"]:
        yield "step", plain(match["step"])
    elif match["row"]:
        yield "row", plain(match["row"].replace("|", " · "))
    else:
        kind = _KINDS[match["language"]]
        yield from ((kind, text) for text in _code_items(kind, match["code"]))


def _code_items(kind: str, code: str) -> Iterator[str]:
    match kind:
        case "sql":
            yield from (plain(part) for part in _SQL_COMMENT.sub("", code).split(";"))
        case "command":
            yield from (line.strip() for line in code.splitlines() if not line.strip().startswith("#"))
        case _:
            yield from (plain(line.strip(_FRAME)) for line in code.splitlines())


def _without_rules(text: str) -> str:
    """Remove table headings: the row above dashes, and the dashes."""
    return re.sub(r"^\|[^\n]*\|\n\|[ :|-]+\|$", "", text, flags=re.MULTILINE)
