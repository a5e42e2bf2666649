"""Columns: which ones a table shows, and rows of plain text aligned for the terminal and fixed-width boxes."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Sequence


def align(rows: Sequence[Sequence[str]]) -> str:
    """One line a row; columns as wide as their widest cell, two spaces apart, no trailing spaces."""
    columns = max((len(row) for row in rows), default=0)
    widths = [max((width(row[n]) for row in rows if n < len(row)), default=0) for n in range(columns)]
    return "\n".join("  ".join(_padded(cell, widths[n]) for n, cell in enumerate(row)).rstrip() for row in rows)


def without_equal(
    columns: Sequence[str], rows: Sequence[Sequence[str]], droppable: Collection[str]
) -> tuple[list[str], list[list[str]]]:
    """The table without the `droppable` columns in which every row has the same: a phone shows two or three columns."""
    kept = [n for n, name in enumerate(columns) if name not in droppable or len({row[n] for row in rows}) > 1]
    return [columns[n] for n in kept], [[row[n] for n in kept] for row in rows]


def width(text: str) -> int:
    """Cells that the text takes on a terminal: wide characters take two, combining ones none."""
    return sum(_cells(character) for character in text)


def _cells(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _padded(cell: str, wanted: int) -> str:
    return cell + " " * (wanted - width(cell))
