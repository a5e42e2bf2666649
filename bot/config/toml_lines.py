"""The text of a TOML file, and the line of each place in it, for the loaders of such files."""

from __future__ import annotations

import re
from collections import Counter

Path = tuple[str | int, ...]  # as pydantic names places: ("levels", 0, "wait")

_HEADER = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]")
_KEY = re.compile(r"\s*[\"']?([\w-]+)[\"']?\s*=")


def decode_toml(content: bytes) -> str:
    """The text of a file, without the byte order mark that some editors write first. Raises UnicodeDecodeError."""
    return content.decode("utf-8-sig")


class TomlLines:
    """The lines of headers and keys, by their path; an array of tables counts its tables from 0."""

    def __init__(self, text: str) -> None:
        self._lines: dict[Path, int] = {}
        tables: Counter[Path] = Counter()
        path: Path = ()
        for number, line in enumerate(text.splitlines(), start=1):
            if header := _HEADER.match(line):
                path = tuple(part.strip(" \"'") for part in header[2].split("."))
                self._lines.setdefault(path, number)
                if header[1] == "[[":
                    tables[path] += 1
                    path = (*path, tables[path] - 1)
                    self._lines[path] = number
            elif key := _KEY.match(line):
                self._lines.setdefault((*path, key[1]), number)

    def find(self, *path: str | int) -> int | None:
        """The line of this place, or of the nearest place around it; None if there is none."""
        while path:
            if path in self._lines:
                return self._lines[path]
            path = path[:-1]
        return None
