"""What a file is that is no CSV, by how it begins. Pure."""

from __future__ import annotations

import re

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
