"""Reads an uploaded CSV file line by line; whatever is wrong with the file as a whole refuses it whole.

What is wrong with a single row is the ingest worker's business: the row is stored and judged there.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import BinaryIO

from services.api.errors import RefusedError
from services.domain.simplicity import Column, Header, HeaderFault, keyed_cells, read_header

Row = dict[str, str | list[str]]


class CsvFile:
    """One file, read once and never held in memory. `header` is read at once; `rows()` yields the rest.

    Raises RefusedError (422) where the file turns out to be no CSV in UTF-8, to lack a column or to have no rows.
    """

    def __init__(self, content: BinaryIO) -> None:
        # A byte order mark is what Excel writes as "CSV UTF-8".
        self._text = io.TextIOWrapper(content, encoding="utf-8-sig", newline="")
        self._lines = csv.reader(self._text, strict=True)
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
                f"it is not UTF-8 somewhere after line {self._lines.line_num}", "Save it as “CSV UTF-8”."
            ) from None
        except csv.Error as error:
            # The csv module's messages name the rule that is broken and never the text.
            raise _refused(
                f"it is no CSV at line {self._lines.line_num}: {error}", "Export it again, or mend that line."
            ) from None
        if cells is not None and "\0" in "".join(cells):
            raise _refused(f"it holds NUL characters at line {self._lines.line_num}", "Export it again as text.")
        return cells


def _describe(fault: HeaderFault) -> str:
    parts = []
    if fault.missing:
        parts.append("missing columns: " + ", ".join(column.heading for column in fault.missing))
    if fault.doubled:
        parts.append("columns named twice: " + ", ".join(column.heading for column in fault.doubled))
    return "; ".join(parts)


def _refused(why: str, what_next: str) -> RefusedError:
    return RefusedError(422, "The file was not accepted, and nothing was stored", why=why, what_next=what_next)
