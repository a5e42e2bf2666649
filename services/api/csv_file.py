"""Reads an uploaded CSV file line by line; whatever is wrong with the file as a whole refuses it whole.

What is wrong with a single row is the ingest worker's business: the row is stored and judged there.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from typing import BinaryIO

from services.api.errors import RefusedError
from services.domain.simplicity import Column, Header, HeaderFault, keyed_cells, read_header

Row = dict[str, str | list[str]]

BLOCK_BYTES = 64 * 1024
DELIMITERS = (",", ";", "\t")


class CsvFile:
    """One file, read once and never held in memory. `header` is read at once; `rows()` yields the rest.

    The encoding is UTF-8, with or without a byte order mark, or else Windows-1252; cells are separated by commas,
    semicolons or tabs. Raises RefusedError (422) where the file is no such CSV, lacks a column or has no rows.
    """

    def __init__(self, content: BinaryIO) -> None:
        start = content.tell()
        encoding = _encoding_of(content)
        content.seek(start)
        delimiter = _delimiter_of(content.read(BLOCK_BYTES).decode(encoding, errors="replace"))
        content.seek(start)
        self._text = io.TextIOWrapper(content, encoding=encoding, newline="")
        self._lines = csv.reader(self._text, strict=True, delimiter=delimiter)
        self.header = self._read_header()

    def rows(self) -> Iterator[Row]:
        """Every row that has a cell with something in it, as `{key: cell}`."""
        empty = True
        while (cells := self._next_line()) is not None:
            if any(cells):
                empty = False
                yield keyed_cells(self.header, cells)
        if empty:
            raise _refused("it has a header and no rows", "Export it again with its rows.")

    def release(self) -> None:
        """Let go of the file without closing it: it belongs to the request."""
        self._text.detach()

    def _read_header(self) -> Header:
        header = read_header(self._next_line() or [])
        if isinstance(header, HeaderFault):
            raise _refused(_describe(header), "Name the columns " + ", ".join(c.heading for c in Column) + ".")
        return header

    def _next_line(self) -> list[str] | None:
        try:
            cells = next(self._lines, None)
        except UnicodeDecodeError:
            # Text is decoded some kilobytes ahead of the line that is being read.
            raise _refused(
                f"it is neither UTF-8 nor Windows-1252 somewhere after line {self._lines.line_num}",
                "Save it as “CSV UTF-8”.",
            ) from None
        except csv.Error as error:
            # The csv module's messages name the rule that is broken and never the text.
            raise _refused(
                f"it is no CSV at line {self._lines.line_num}: {error}", "Export it again, or mend that line."
            ) from None
        if cells is not None and "\0" in "".join(cells):
            raise _refused(f"it holds NUL characters at line {self._lines.line_num}", "Export it again as text.")
        return cells


def _encoding_of(content: BinaryIO) -> str:
    """Excel writes "CSV UTF-8" with a byte order mark, and plain "CSV" in the encoding of an American Windows.

    The whole file has to be read for it: the first letter beyond ASCII may be in its last line.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while block := content.read(BLOCK_BYTES):
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8-sig"


def _delimiter_of(beginning: str) -> str:
    """The one by which the header names the most columns; the comma when none is better."""
    return max(DELIMITERS, key=lambda delimiter: _count_columns(beginning, delimiter))


def _count_columns(beginning: str, delimiter: str) -> int:
    try:
        header = read_header(next(csv.reader(io.StringIO(beginning, newline=""), delimiter=delimiter), []))
    except csv.Error:
        return 0
    return len(Column) - len(header.missing) if isinstance(header, HeaderFault) else len(Column)


def _describe(fault: HeaderFault) -> str:
    parts = []
    if fault.missing:
        parts.append("missing columns: " + ", ".join(column.heading for column in fault.missing))
    if fault.doubled:
        parts.append("columns named twice: " + ", ".join(column.heading for column in fault.doubled))
    return "; ".join(parts)


def _refused(why: str, what_next: str) -> RefusedError:
    return RefusedError(422, "The file was not accepted, and nothing was stored", why=why, what_next=what_next)
