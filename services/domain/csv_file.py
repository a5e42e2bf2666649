"""Reads a CSV file as offices save it. Pure but for the stream that it is given.

What is wrong with the file as a whole is an `UnusableFileError`; what is wrong with a row is for the ingest worker to
judge. No message repeats a cell.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import itertools
from collections.abc import Iterator, Sequence
from typing import BinaryIO, Self

from services.domain.headers import Header, HeaderFault, Layout
from services.domain.simplicity import LAYOUT as JUDGMENTS

BLOCK_BYTES = 256 * 1024
DELIMITERS = (",", ";", "\t")
# A forgotten quote could make one row of the whole file, and memory would have to hold it.
MAX_LINE_LENGTH = 100_000  # characters
MAX_LINES = 100  # of one row


Row = tuple[str, list[str]]
"""The row as it stands in the file, without its line's end, and its cells."""


class UnusableFileError(Exception):
    """`why` names the line and the rule that is broken."""

    def __init__(self, why: str, *, what_next: str) -> None:
        super().__init__(why)
        self.why = why
        self.what_next = what_next


class CsvFile:
    """One file, never held in memory. `header` is read at once, `rows()` yields the rest; `sha256` is of its bytes.

    A context manager that lets go of the stream without closing it: the stream belongs to the caller.

    The encoding is UTF-8, with or without a byte order mark, or else Windows-1252; cells are separated by commas,
    semicolons or tabs. Raises UnusableFileError where the file is no such CSV, lacks a column or has no rows.
    """

    def __init__(self, content: BinaryIO, *, layout: Layout = JUDGMENTS) -> None:
        content.seek(0)
        self.sha256, encoding = _survey(content)
        content.seek(0)
        delimiter = _delimiter_of(content.read(BLOCK_BYTES).decode(encoding, errors="replace"), layout)
        content.seek(0)
        self._text = io.TextIOWrapper(content, encoding=encoding, newline="")
        self._reader = csv.reader(self._bounded_lines(), strict=True, delimiter=delimiter)
        self._row_lines: list[str] = []
        self._rows = self._read()
        try:
            self.raw_header, cells = next(self._rows, ("", []))
            self.header = _require_columns(cells, layout)
        except UnusableFileError:
            self._text.detach()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._text.detach()

    def rows(self) -> Iterator[Row]:
        """Every row that has something in it. Once only: the file is read as they are taken."""
        first = next(self._rows, None)
        if first is None:
            raise UnusableFileError("it has a header and no rows", what_next="Export it again with its rows.")
        return itertools.chain([first], self._rows)

    def _read(self) -> Iterator[Row]:
        try:
            for cells in self._reader:
                raw = "".join(self._row_lines)
                self._row_lines.clear()
                if any(cells):
                    yield raw.rstrip("\r\n"), cells
        except UnicodeDecodeError:
            # Text is decoded some kilobytes ahead of the line that is being read.
            raise UnusableFileError(
                f"it is neither UTF-8 nor Windows-1252 somewhere after line {self._reader.line_num}",
                what_next="Save it as “CSV UTF-8”.",
            ) from None
        except csv.Error as error:
            # The csv module's messages name the rule that is broken and never the text.
            raise UnusableFileError(
                f"it is no CSV at line {self._reader.line_num}: {error}",
                what_next="Export it again, or mend that line.",
            ) from None

    def _bounded_lines(self) -> Iterator[str]:
        while line := self._text.readline(MAX_LINE_LENGTH + 1):
            self._row_lines.append(line)
            if len(line) > MAX_LINE_LENGTH or len(self._row_lines) > MAX_LINES:
                raise csv.Error("a row without an end")
            yield line


def _require_columns(cells: Sequence[str], layout: Layout) -> Header:
    header = layout.read(cells)
    if isinstance(header, HeaderFault):
        names = ", ".join(column.heading for column in layout.required)
        raise UnusableFileError(_describe(header), what_next=f"Name the columns {names}.")
    return header


def _describe(fault: HeaderFault) -> str:
    parts = []
    if fault.missing:
        parts.append("missing columns: " + ", ".join(column.heading for column in fault.missing))
    if fault.doubled:
        parts.append("columns named twice: " + ", ".join(column.heading for column in fault.doubled))
    return "; ".join(parts)


def _survey(content: BinaryIO) -> tuple[str, str]:
    """SHA-256 in hex, and the encoding.

    Excel writes "CSV UTF-8" with a byte order mark, and plain "CSV" in the encoding of an American Windows. The whole
    file has to be read for it: the first letter beyond ASCII may be in its last line.
    """
    digest, decoder = hashlib.sha256(), codecs.getincrementaldecoder("utf-8")()
    is_utf8, line = True, 1
    while block := content.read(BLOCK_BYTES):
        digest.update(block)
        if b"\0" in block:
            raise UnusableFileError(
                f"it holds NUL characters at line {line + block[: block.index(0)].count(10)}",
                what_next="Export it again as text.",
            )
        line += block.count(b"\n")
        is_utf8 = is_utf8 and _decodes(decoder, block)
    is_utf8 = is_utf8 and _decodes(decoder, b"", final=True)
    return digest.hexdigest(), "utf-8-sig" if is_utf8 else "cp1252"


def _decodes(decoder: codecs.IncrementalDecoder, block: bytes, *, final: bool = False) -> bool:
    try:
        decoder.decode(block, final)
    except UnicodeDecodeError:
        return False
    return True


def _delimiter_of(beginning: str, layout: Layout) -> str:
    """The one by which the header names the most columns; the comma when none is better."""
    return max(DELIMITERS, key=lambda delimiter: _count_columns(beginning, delimiter, layout))


def _count_columns(beginning: str, delimiter: str, layout: Layout) -> int:
    try:
        header = layout.read(next(filter(any, csv.reader(io.StringIO(beginning, newline=""), delimiter=delimiter)), []))
    except csv.Error:
        return 0
    return len(layout.required) - (len(header.missing) if isinstance(header, HeaderFault) else 0)
