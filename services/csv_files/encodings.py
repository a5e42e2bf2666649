"""Detects a file's encoding and kind; pure.

Excel writes "CSV UTF-8" with a byte order mark, and plain "CSV" in the encoding of an American Windows. Files that were
put together from both are UTF-8 with some bytes of Windows-1252: each such byte is read as what it was meant to be,
and the cells around it are not touched.
"""

from __future__ import annotations

import codecs
import hashlib
import re
from dataclasses import dataclass
from typing import BinaryIO

from services.csv_files.identifiers import UNREADABLE

BLOCK_BYTES = 256 * 1024
REPAIRING = "dragonfly-windows-1252-bytes"  # the name of the error handler, for `open` and `decode`


@dataclass(frozen=True)
class Survey:
    """The SHA-256 of the bytes in hex, how to decode them, and how many bytes have to be repaired, first in which line.

    `nul_line` is the line of the first NUL character, None where there is none.
    """

    sha256: str
    encoding: str
    first_repaired_line: int | None
    repaired: int
    nul_line: int | None


def survey(content: BinaryIO) -> Survey:
    """Read a file from its beginning to its end: the first letter beyond ASCII may be in its last line."""
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
    """Counts, block by block, letters beyond ASCII in good UTF-8, and bytes that are none of it."""

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
    """One byte at a time, as Windows-1252 has it; the five bytes that it does not have cannot be read."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.start + 1].decode("cp1252", "replace") or UNREADABLE, error.start + 1


codecs.register_error(REPAIRING, _repair)

# The first bytes by which each kind is known, and what to do instead.
_EXPORT = "Open it in the program it comes from, and save it as “CSV UTF-8”."
_SIGNATURES: tuple[tuple[re.Pattern[bytes], str, str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), kind, what_next)
    for pattern, kind, what_next in (
        (rb"%PDF-", "a PDF", "Export the table itself as CSV; a printed report cannot be read."),
        (rb"PK\x03\x04(?=.{0,4000}(?:xl/|\[Content_Types\]\.xml))", "an Excel workbook (.xlsx)", _EXPORT),
        (rb"PK\x03\x04(?=.{0,4000}opendocument)", "an OpenDocument file (.ods)", _EXPORT),
        (rb"PK(?:\x03\x04|\x05\x06|\x07\x08)", "a ZIP archive", "Unpack it, and upload the CSV file that is in it."),
        (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook (.xls)", _EXPORT),
        (rb"\x1f\x8b", "compressed with gzip", "Unpack it, and upload the CSV file that is in it."),
        (rb"(?:7z\xbc\xaf\x27\x1c|Rar!)", "an archive", "Unpack it, and upload the CSV file that is in it."),
        (rb"\{\\rtf", "a text document (RTF)", _EXPORT),
        (rb"(?:\xff\xfe|\xfe\xff)", "UTF-16 text", "Save it as “CSV UTF-8”."),
        (rb"(?:\x89PNG|\xff\xd8\xff|GIF8|II\*\0|MM\0\*)", "a picture", "Upload the table itself, as CSV."),
        (rb"PAR1|SQLite format 3", "a database file", "Export the table as CSV."),
        (rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html|head|body|table|!--)", "a web page (HTML)", _EXPORT),
        (rb"(?:\xef\xbb\xbf)?\s*<\?xml", "XML", _EXPORT),
        (rb"(?:\xef\xbb\xbf)?\s*(?:\{\s*[\"}]|\[\s*[\[{\"\]0-9])", "JSON", "Export the table as CSV."),
    )
)
SIGNATURE_BYTES = 4096  # how much of a file has to be seen


def name_kind(beginning: bytes) -> tuple[str, str] | None:
    """What the file is and what to do, where it is known to be no CSV: `("a PDF", "Export …")`."""
    for pattern, kind, what_next in _SIGNATURES:
        if pattern.match(beginning):
            return kind, what_next
    return None
