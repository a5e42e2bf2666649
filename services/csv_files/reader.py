"""Reads a CSV file as offices save it. Pure except for the given stream.

A fault of the file as a whole is an `UnusableFileError`; lines that were skipped or repaired give a note; the ingest
worker judges the rows. No message repeats a cell.

Excel writes "CSV UTF-8" with a byte order mark, and plain "CSV" in the encoding of an American Windows. Files that were
merged from both are UTF-8 with some bytes of Windows-1252: each such byte is decoded as Windows-1252, and the cells
around it are not touched.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Self

from services.csv_files.identifiers import UNREADABLE
from services.domain.intake import LAYOUTS, Header, HeaderFault, Layout
from services.domain.intake import SIMPLICITY_LAYOUT as JUDGMENTS
from services.domain.text import counted

BLOCK_BYTES = 256 * 1024
REPAIRING = "dragonfly-windows-1252-bytes"  # the name of the error handler, for `open` and `decode`


@dataclass(frozen=True)
class Survey:
    """The SHA-256 of the bytes in hex, the encoding, and the number of bytes to repair, with the line of the first one.

    `nul_line` is the line of the first NUL character, None without one.
    """

    sha256: str
    encoding: str
    first_repaired_line: int | None
    repaired: int
    nul_line: int | None


def survey(content: BinaryIO) -> Survey:
    """Read a file from beginning to end: the first letter beyond ASCII may be in its last line."""
    digest, counter = hashlib.sha256(), _Counter()
    while block := content.read(BLOCK_BYTES):
        digest.update(block)
        counter.count(block)
        if counter.nul_line is not None:
            break
    counter.count(b"", final=True)
    is_windows = counter.repaired > counter.letters and not counter.has_mark
    return Survey(
        digest.hexdigest(),
        "cp1252" if is_windows else "utf-8-sig",
        None if is_windows else counter.first_repaired_line,
        0 if is_windows else counter.repaired,
        counter.nul_line,
    )


class _Counter:
    """Counts, block by block, letters beyond ASCII in valid UTF-8, and bytes that are not valid UTF-8."""

    def __init__(self) -> None:
        self.letters = self.repaired = 0
        self.first_repaired_line: int | None = None
        self.nul_line: int | None = None
        self.has_mark: bool | None = None
        self._line = 1
        self._rest = b""

    def count(self, block: bytes, *, final: bool = False) -> None:
        if self.has_mark is None:
            self.has_mark = block.startswith(codecs.BOM_UTF8)
        if self.nul_line is None and b"\0" in block:
            self.nul_line = self._line + block[: block.index(0)].count(b"\n")
        if self._rest or not block.isascii():
            self._count_letters(self._rest + block, final=final)
        self._line += block.count(b"\n")

    def _count_letters(self, block: bytes, *, final: bool) -> None:
        position = 0
        while position < len(block):
            try:
                text, read = codecs.utf_8_decode(block[position:], "strict", final)
            except UnicodeDecodeError as error:
                self._count_good(block[position : position + error.start].decode())
                position += error.start
                self._note_repair(block, position)
                position += 1
                continue
            self._count_good(text)
            position += read
            break
        self._rest = block[position:]

    def _count_good(self, text: str) -> None:
        if not text.isascii():
            self.letters += len(text) - len(text.encode("ascii", "ignore"))

    def _note_repair(self, block: bytes, position: int) -> None:
        self.repaired += 1
        if self.first_repaired_line is None:
            self.first_repaired_line = self._line + block[:position].count(b"\n")


def _repair(error: UnicodeError) -> tuple[str, int]:
    """Decode one byte as Windows-1252; the five bytes that it does not define become U+FFFD."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.start + 1].decode("cp1252", "replace") or UNREADABLE, error.start + 1


codecs.register_error(REPAIRING, _repair)

# The first bytes that identify each kind of file, and advice for it.
_EXPORT = "Open it in the program it comes from, and save it as “CSV UTF-8”."
_TABLE = "Export the table itself as CSV."
_SIGNATURES: tuple[tuple[re.Pattern[bytes], str, str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), kind, what_next)
    for pattern, kind, what_next in (
        (rb"%PDF-", "a PDF", "Export the table itself as CSV; a printed report cannot be read."),
        (rb"PK\x03\x04(?=.{0,4000}word/)", "a Word document (.docx)", _TABLE),
        (rb"PK\x03\x04(?=.{0,4000}ppt/)", "a presentation (.pptx)", _TABLE),
        (rb"PK\x03\x04(?=.{0,4000}Index/[A-Za-z]+\.iwa)", "an Apple Numbers document", _EXPORT),
        (rb"PK\x03\x04(?=.{0,4000}(?:xl/|\[Content_Types\]\.xml))", "an Excel workbook (.xlsx)", _EXPORT),
        (rb"PK\x03\x04(?=.{0,4000}opendocument)", "an OpenDocument file (.ods)", _EXPORT),
        (rb"PK(?:\x03\x04|\x05\x06|\x07\x08)", "a ZIP archive", "Unpack it, and upload the CSV file that is in it."),
        (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook (.xls)", _EXPORT),
        (rb"\x1f\x8b", "compressed with gzip", "Unpack it, and upload the CSV file that is in it."),
        (rb"(?:7z\xbc\xaf\x27\x1c|Rar!)", "an archive", "Unpack it, and upload the CSV file that is in it."),
        (rb"\{\\rtf", "a text document (RTF)", _EXPORT),
        (rb"(?:\xff\xfe|\xfe\xff|(?:[ -~]\0){4}|(?:\0[ -~]){4})", "UTF-16 text", "Save it as “CSV UTF-8”."),
        (rb"(?:\x89PNG|\xff\xd8\xff|GIF8|II\*\0|MM\0\*)", "a picture", "Upload the table itself, as CSV."),
        (rb"PAR1|SQLite format 3", "a database file", "Export the table as CSV."),
        (rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html|head|body|table|!--)", "a web page (HTML)", _EXPORT),
        (rb"(?:\xef\xbb\xbf)?\s*<\?xml", "XML", _EXPORT),
        (rb"(?:\xef\xbb\xbf)?\s*(?:\{\s*[\"}]|\[\s*[\[{\"\]0-9])", "JSON", "Export the table as CSV."),
    )
)
SIGNATURE_BYTES = 4096  # bytes at the start of a file that the patterns need


def name_kind(beginning: bytes) -> tuple[str, str] | None:
    """The kind of a file that is known not to be CSV, and advice: `("a PDF", "Export …")`; None for other files."""
    for pattern, kind, what_next in _SIGNATURES:
        if pattern.match(beginning):
            return kind, what_next
    return None


DELIMITERS = (",", ";", "\t", "|")
# A missing quote could turn the whole file into one row, which memory would have to hold.
MAX_LINE_LENGTH = 100_000  # characters
MAX_LINES = 100  # of one row
MAX_LINES_BEFORE_HEADER = 20  # a title, the clerk's name, the range of dates

_SEPARATOR_LINE = re.compile(r"\ufeff?\"?sep=([,;\t|])\"?\r?\n", re.IGNORECASE)


Row = tuple[str, list[str]]
"""The row's text in the file, without its line ending, and its cells."""


class UnusableFileError(Exception):
    """The file as a whole can't be used. `why` names the line and the rule that is broken."""

    def __init__(self, why: str, *, what_next: str) -> None:
        super().__init__(why)
        self.why = why
        self.what_next = what_next


class CsvFile:
    """One file, never held in memory as a whole. `header` is read at once, `rows()` yields the rest; `sha256` is of its
    bytes.

    A context manager that detaches the stream without closing it: the stream belongs to the caller.

    The encoding is UTF-8, with or without a byte order mark, or else Windows-1252; cells are separated by commas,
    semicolons, tabs or bars. Lines before the header (a title, Excel's `sep=;`) are skipped; `notes` reports these and
    all other repairs, one sentence each. Raises UnusableFileError if the file is no such CSV, lacks a column or has no
    rows.
    """

    def __init__(self, content: BinaryIO, *, layout: Layout = JUDGMENTS) -> None:
        surveyed = _survey(content)
        self.sha256 = surveyed.sha256
        content.seek(0)
        beginning = content.read(BLOCK_BYTES).decode(surveyed.encoding, errors="replace")
        delimiter = _delimiter_of(beginning, layout)
        content.seek(0)
        errors = REPAIRING if surveyed.repaired else "strict"
        self._text = io.TextIOWrapper(content, encoding=surveyed.encoding, errors=errors, newline="")
        self._reader = csv.reader(self._bounded_lines(), strict=True, delimiter=delimiter)
        self._row_lines: list[str] = []
        self._line = 0
        self._rows = self._read()
        try:
            self.raw_header, self.header, skipped = self._find_header(layout)
        except UnusableFileError:
            self._text.detach()
            raise
        self.notes = (*_skipped_note(skipped), *_repaired_note(surveyed))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._text.detach()

    def rows(self) -> Iterator[Row]:
        """Every row with more than white space in it. Call it only once: the file is read as rows are taken."""
        first = next(self._rows, None)
        if first is None:
            raise UnusableFileError("it has a header and no rows", what_next="Export it again with its rows.")
        return itertools.chain([first], self._rows)

    def _find_header(self, layout: Layout) -> tuple[str, Header, int]:
        """The header's text, its columns, and the number of lines before it."""
        first: Sequence[str] | None = None
        for raw, cells in itertools.islice(self._rows, MAX_LINES_BEFORE_HEADER + 1):
            header = layout.read(cells)
            if isinstance(header, Header):
                return raw, header, self._reader.line_num - len(raw.splitlines())
            if first is None or _names_columns(cells, layout):
                first = cells
        raise _describe_missing_header(layout, first or ())

    def _read(self) -> Iterator[Row]:
        try:
            for cells in self._reader:
                raw = "".join(self._row_lines)
                self._row_lines.clear()
                if any(map(str.strip, cells)):
                    yield raw.rstrip("\r\n"), cells
        except UnicodeDecodeError:
            # Text is decoded some kilobytes ahead of the current line.
            read = self._reader.line_num
            raise UnusableFileError(
                "it is neither UTF-8 nor Windows-1252" + (f" somewhere after line {read}" if read else ""),
                what_next="Save it as “CSV UTF-8”.",
            ) from None
        except csv.Error as error:
            # The csv module's messages name the broken rule and never the text.
            raise self._describe_broken_row(str(error)) from None

    def _describe_broken_row(self, rule: str) -> UnusableFileError:
        text, first = "".join(self._row_lines), self._line - len(self._row_lines) + 1
        cells = _quoted_cells(self._reader.dialect.delimiter).finditer(text)
        opens_at = next(
            (first + text.count("\n", 0, cell.start()) for cell in cells if cell["broken"] is not None), None
        )
        if opens_at is None or opens_at == self._line:
            return UnusableFileError(
                f"it is not CSV at line {self._line}: {rule}", what_next="Export it again, or fix that line."
            )
        return UnusableFileError(
            f"it is not CSV at line {self._line}: the quote that opens at line {opens_at} is not closed where its cell "
            f"ends ({rule})",
            what_next=f"Export it again, or fix the quote at line {opens_at}.",
        )

    def _bounded_lines(self) -> Iterator[str]:
        while line := self._text.readline(MAX_LINE_LENGTH + 1):
            self._row_lines.append(line)
            self._line += 1
            if len(line) > MAX_LINE_LENGTH or len(self._row_lines) > MAX_LINES:
                raise csv.Error("a row without an end")
            yield line


def _quoted_cells(delimiter: str) -> re.Pattern[str]:
    """A pattern of quoted cells; `broken` matches if the closing quote is missing or more text follows it."""
    end = re.escape(delimiter)
    return re.compile(rf"""(?:\A|(?<=[\r\n{end}]))"(?:[^"]|"")*+(?:"(?=[\r\n{end}]|\Z)|(?P<broken>"|\Z))""")


def _describe_missing_header(layout: Layout, cells: Sequence[str]) -> UnusableFileError:
    header = layout.read(cells)
    fault = header if isinstance(header, HeaderFault) else HeaderFault((), ())
    names = ", ".join(column.heading for column in layout.required)
    kind = next((kind for kind, other in LAYOUTS.items() if isinstance(other.read(cells), Header)), None)
    what_next = f"It has the columns of {kind}: upload it with source_system={kind}." if kind else None
    return UnusableFileError(_describe(fault), what_next=what_next or f"Name the columns {names}.")


def _names_columns(cells: Sequence[str], layout: Layout) -> bool:
    """True if this line was meant as the header: it names more than one column."""
    return _columns_of(cells, layout) > 1


def _describe(fault: HeaderFault) -> str:
    parts = []
    if fault.missing:
        parts.append("missing columns: " + ", ".join(column.heading for column in fault.missing))
    if fault.doubled:
        parts.append("columns named twice: " + ", ".join(column.heading for column in fault.doubled))
    return "; ".join(parts)


def _survey(content: BinaryIO) -> Survey:
    content.seek(0)
    beginning = content.read(SIGNATURE_BYTES)
    if not beginning.removeprefix(codecs.BOM_UTF8).strip():
        raise UnusableFileError("it is empty", what_next="Export it again with its rows.")
    if (kind := name_kind(beginning)) is not None:
        raise UnusableFileError(f"it is {kind[0]}, not a CSV file", what_next=kind[1])
    content.seek(0)
    surveyed = survey(content)
    if surveyed.nul_line is not None:
        raise UnusableFileError(
            f"it holds NUL characters at line {surveyed.nul_line}", what_next="Export it again as text."
        )
    return surveyed


def _skipped_note(lines: int) -> list[str]:
    return [f"{counted(lines, 'line')} before the header skipped"] if lines else []


def _repaired_note(surveyed: Survey) -> list[str]:
    if not surveyed.repaired:
        return []
    characters = counted(surveyed.repaired, "character")
    return [f"{characters} read as Windows-1252 in a UTF-8 file, first at line {surveyed.first_repaired_line}"]


def _delimiter_of(beginning: str, layout: Layout) -> str:
    """The delimiter in Excel's `sep=` line, else the one with which a header names the most columns; else the comma."""
    named = _SEPARATOR_LINE.match(beginning)
    if named is not None:
        return named[1]
    return max(DELIMITERS, key=lambda delimiter: _count_columns(beginning, delimiter, layout))


def _count_columns(beginning: str, delimiter: str, layout: Layout) -> int:
    """The highest number of columns that one of the first lines names."""
    found = 0
    try:
        lines = filter(any, csv.reader(io.StringIO(beginning, newline=""), delimiter=delimiter))
        for cells in itertools.islice(lines, MAX_LINES_BEFORE_HEADER + 1):
            found = max(found, _columns_of(cells, layout))
    except csv.Error:
        return found
    return found


def _columns_of(cells: Sequence[str], layout: Layout) -> int:
    header = layout.read(cells)
    return len(layout.required) - (len(header.missing) if isinstance(header, HeaderFault) else 0)
