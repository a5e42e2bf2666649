from __future__ import annotations

import csv
import hashlib
import io
import re
from itertools import islice

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from services.csv_files.reader import (
    BLOCK_BYTES,
    MAX_LINE_LENGTH,
    MAX_LINES,
    MAX_LINES_BEFORE_HEADER,
    CsvFile,
    UnusableFileError,
    survey,
)
from services.domain.intake import Column

HEADINGS = [column.heading for column in Column]
CELL_LENGTH = MAX_LINES // (2 * len(Column))  # six cells of line ends only are no unfinished row
CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=CELL_LENGTH)
UNAMBIGUOUS = 'aéñ ,;\t\n\r"'  # no two of them in Windows-1252 are one letter in UTF-8, as “é€€” is: E9 80 80
WINDOWS = st.characters(codec="cp1252", exclude_characters="\0")


def file_of(*lines: list[str], encoding: str = "utf-8", delimiter: str = ",") -> io.BytesIO:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows(lines)
    return io.BytesIO(text.getvalue().encode(encoding))


def is_something(cells: list[str]) -> bool:
    return any(cell.strip() for cell in cells)


def is_utf8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def bytes_of(content: bytes) -> io.BytesIO:
    """A file with a good header followed by this content."""
    return io.BytesIO(",".join(HEADINGS).encode() + b"\n" + content)


def cells_of(content: io.BytesIO) -> list[list[str]]:
    return [cells for _, cells in CsvFile(content).rows()]


@given(st.lists(st.lists(CELLS, min_size=6, max_size=6).filter(is_something), min_size=1))
def test_every_cell_arrives_as_it_was_written(rows: list[list[str]]) -> None:
    assert cells_of(file_of(HEADINGS, *rows)) == rows


@given(st.lists(st.lists(CELLS, min_size=6, max_size=6).filter(is_something), min_size=1))
def test_the_raw_rows_are_the_file(rows: list[list[str]]) -> None:
    content = file_of(HEADINGS, *rows)

    file = CsvFile(content)
    raw = [text for text, _ in file.rows()]

    again = io.StringIO("\r\n".join([file.raw_header, *raw]), newline="")
    assert list(csv.reader(again)) == [HEADINGS, *rows]


@given(st.binary())
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    refused = False
    rows = []
    try:
        rows = cells_of(bytes_of(content))
    except UnusableFileError:
        refused = True

    assert refused != bool(rows)


def test_a_byte_order_mark_is_no_part_of_the_first_column() -> None:
    assert cells_of(file_of(HEADINGS, list("123456"), encoding="utf-8-sig")) == [list("123456")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
@given(st.lists(st.text(UNAMBIGUOUS, max_size=CELL_LENGTH), min_size=6, max_size=6).filter(is_something))
def test_finds_out_encoding_and_delimiter(delimiter: str, encoding: str, cells: list[str]) -> None:
    assert cells_of(file_of(HEADINGS, cells, encoding=encoding, delimiter=delimiter)) == [cells]


@given(st.lists(st.text(WINDOWS, max_size=CELL_LENGTH), min_size=6, max_size=6).filter(is_something))
@example(["é€€", *"23456"])
def test_a_file_that_is_valid_utf_8_is_read_as_utf_8_and_any_other_as_windows_1252(cells: list[str]) -> None:
    content = file_of(HEADINGS, cells, encoding="cp1252").getvalue()
    assume(not survey(io.BytesIO(content)).repaired)

    read = cells_of(io.BytesIO(content))

    encoding = "utf-8" if is_utf8(content) else "cp1252"
    assert file_of(HEADINGS, *read, encoding=encoding).getvalue() == content


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_one_byte_of_windows_1252_in_a_utf_8_file_is_repaired_and_harms_no_other_cell(mark: bytes) -> None:
    good = [["C-1", "José Núñez", *"3456"], ["C-2", "Zoë Ångström", *"3456"]]
    content = mark + file_of(HEADINGS, *good).getvalue() + b"C-3,Caf\xe9 LLC,3,4,5,6\r\n"

    file = CsvFile(io.BytesIO(content))

    assert [cells for _, cells in file.rows()] == [*good, ["C-3", "Café LLC", *"3456"]]
    assert file.notes == ("1 character read as Windows-1252 in a UTF-8 file, first at line 4",)


def test_a_byte_that_no_encoding_has_is_marked_in_its_cell_alone() -> None:
    content = file_of(HEADINGS, ["C-1", "José", *"3456"]).getvalue() + b"C-2,Ren\x81,3,4,5,6\r\n"

    assert cells_of(io.BytesIO(content)) == [["C-1", "José", *"3456"], ["C-2", "Ren\ufffd", *"3456"]]


def test_letters_on_the_border_of_two_blocks_need_no_repair() -> None:
    for shift in range(4):
        content = io.BytesIO(b"x" * (BLOCK_BYTES - shift) + "é€😀é".encode() + b"\n")

        assert survey(content).repaired == 0


@pytest.mark.parametrize(
    "before",
    [
        "Clerk of the Court - Judgments docketed 01/01/2024 to 03/31/2024\n\n",
        "Report,of,March\nPrinted,by,somebody\n",
        "sep=,\n",
        "\ufeffsep=,\r\n",
        '"A title\nover two lines"\n',
    ],
)
def test_lines_before_the_header_are_skipped_and_noted(before: str) -> None:
    rows = file_of(HEADINGS, list("123456")).getvalue()

    file = CsvFile(io.BytesIO(before.encode() + rows))

    assert [cells for _, cells in file.rows()] == [list("123456")]
    lines = before.count("\n")
    assert file.notes == (f"{lines} line{'s' * (lines > 1)} before the header skipped",)


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_the_separator_that_excel_names_is_believed(delimiter: str) -> None:
    content = f"sep={delimiter}\n".encode() + file_of(HEADINGS, list("123456"), delimiter=delimiter).getvalue()

    assert cells_of(io.BytesIO(content)) == [list("123456")]


def test_looks_for_the_header_in_the_first_lines_only() -> None:
    rows = file_of(HEADINGS, list("123456")).getvalue()

    assert cells_of(io.BytesIO(b"title\n" * MAX_LINES_BEFORE_HEADER + rows)) == [list("123456")]
    with pytest.raises(UnusableFileError, match="missing columns"):
        CsvFile(io.BytesIO(b"title\n" * (MAX_LINES_BEFORE_HEADER + 1) + rows))


def test_names_what_is_missing_of_the_line_that_was_meant_as_the_header() -> None:
    with pytest.raises(UnusableFileError, match=r"^missing columns: County$"):
        CsvFile(io.BytesIO(b"A title\n" + file_of(HEADINGS[:-1], list("12345")).getvalue()))


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"%PDF-1.7\n%\xe2\xe3", "a PDF"),
        (b"PK\x03\x04\x14\0\x06\0\x08\0\0\0!\0[Content_Types].xml", "an Excel workbook (.xlsx)"),
        (
            b"PK\x03\x04\x14\0\x06\0[Content_Types].xml\0PK\x03\x04_rels/.rels\0PK\x03\x04word/document.xml",
            "a Word document (.docx)",
        ),
        (b"PK\x03\x04\x14\0Index/Document.iwa", "an Apple Numbers document"),
        (b"PK\x03\x04\x14\0rows.csv", "a ZIP archive"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0", "an old Excel workbook (.xls)"),
        (b"\x1f\x8b\x08\0", "compressed with gzip"),
        (b"{\\rtf1\\ansi", "a text document (RTF)"),
        ("Case Number,Plaintiff\n".encode("utf-16"), "UTF-16 text"),
        ("Case Number,Plaintiff\n".encode("utf-16-le"), "UTF-16 text"),
        ("Case Number,Plaintiff\n".encode("utf-16-be"), "UTF-16 text"),
        (b"\x89PNG\r\n\x1a\n", "a picture"),
        (b"\r\n<!DOCTYPE html>\n<html>", "a web page (HTML)"),
        (b"\xef\xbb\xbf<table border=1>", "a web page (HTML)"),
        (b'<?xml version="1.0"?>', "XML"),
        (b'[{"case_number": "C-1"}]', "JSON"),
        (b'{\n  "cases": []}', "JSON"),
    ],
)
def test_a_wrong_kind_of_file_is_named_as_such(content: bytes, kind: str) -> None:
    with pytest.raises(UnusableFileError, match=re.escape(f"it is {kind}, not a CSV file")) as caught:
        CsvFile(io.BytesIO(content))

    assert caught.value.what_next.endswith(".")


@pytest.mark.parametrize("content", [b"", b" \r\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\r\n"])
def test_a_file_without_a_character_is_empty(content: bytes) -> None:
    with pytest.raises(UnusableFileError, match=r"^it is empty$"):
        CsvFile(io.BytesIO(content))


def test_a_file_of_another_kind_of_rows_names_how_to_upload_it() -> None:
    payments = b"Case Number,County,Amount,Date Paid,Receipt\nC-1,Kings,50,1/3/2024,R-1\n"

    with pytest.raises(UnusableFileError, match=r"^missing columns: ") as caught:
        CsvFile(io.BytesIO(payments))

    assert caught.value.what_next == "It has the columns of payments: upload it with source_system=payments."


def test_a_letter_beyond_ascii_in_the_last_line_decides_the_encoding() -> None:
    rows = [[str(n), *"23456"] for n in range(20_000)]

    *_, last = cells_of(file_of(HEADINGS, *rows, ["René", *"23456"], encoding="cp1252"))

    assert last[0] == "René"


def test_passes_over_lines_with_nothing_in_them() -> None:
    content = io.BytesIO(b"\n,,\n" + ",".join(HEADINGS).encode() + b"\n\n,,,,,\n1,2,3,4,5,6\n\n")
    content.seek(0, io.SEEK_END)
    content.write(b"1,2,3,4,5,6\n , ,\t,\xc2\xa0,,\n")

    assert cells_of(content) == [list("123456")] * 2


def test_keeps_short_and_long_lines_for_the_worker_to_judge() -> None:
    assert cells_of(file_of(HEADINGS, ["1", "2"], list("1234567"))) == [["1", "2"], list("1234567")]


def test_knows_the_file_by_its_bytes() -> None:
    content = file_of(HEADINGS, list("123456"))

    assert CsvFile(content).sha256 == hashlib.sha256(content.getvalue()).hexdigest()


def test_leaves_the_file_open_for_its_owner() -> None:
    content = file_of(HEADINGS, list("123456"))

    with CsvFile(content):
        pass

    assert not content.closed


def test_leaves_a_file_open_that_it_refuses() -> None:
    content = io.BytesIO(b"Case Number\n")

    with pytest.raises(UnusableFileError):
        CsvFile(content)

    assert not content.closed


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"1,2,3,4,5,6\nRen\x81,2,3,4,5,6\n", "neither UTF-8 nor Windows-1252"),
        (b'1,"2,3,4,5,6\n', "not CSV at line 2: unexpected end of data"),
        (
            b'1,2,3,4,5,6\n1,"2,3,4,5,6\n1,2,3,4,5,6\n',
            "not CSV at line 4: the quote that opens at line 3 is not closed",
        ),
        (b'1,"2,3,4,5,6\n1,2,3,4,5,6\n1,"2",3,4,5,6\n', "the quote that opens at line 2 is not closed where its cell"),
        (b'1,"2,3,4,5,6\n' + b"1,2,3,4,5,6\n" * 300, "the quote that opens at line 2 is not closed"),
        (b'"canary"x,2,3,4,5,6\n', "not CSV at line 2"),
        (b'"12 Main St\nApt 4","canary "Bob" Jones",3,4,5,6\n', "not CSV at line 3: '"),
        (
            b'"12 Main St\nApt ""4""","2,3,4,5,6\n1,2,3,4,"5",6\n',
            "line 4: the quote that opens at line 3 is not closed",
        ),
        (b"1,2,3,4,5,6\n1,2\x003,3,4,5,6\n", "NUL characters at line 3"),
        (b"1,2,3,4,5,6\n" * 50_000 + b"1,2\x003,3,4,5,6\n", "NUL characters at line 50002"),
        (b"", "a header and no rows"),
        (b"\n,,,,,\n", "a header and no rows"),
    ],
)
def test_names_what_is_wrong_with_the_file_but_not_its_text(content: bytes, why: str) -> None:
    with pytest.raises(UnusableFileError, match=why) as caught:
        cells_of(bytes_of(content))

    assert "canary" not in f"{caught.value}{caught.value.what_next}"


def test_a_byte_without_an_encoding_in_the_first_lines_is_not_placed_after_line_0() -> None:
    with pytest.raises(UnusableFileError) as early:
        cells_of(bytes_of(b"1,Ren\x81,3,4,5,6\n"))
    with pytest.raises(UnusableFileError, match=r"somewhere after line [1-9]"):
        cells_of(bytes_of(b"1,2,3,4,5,6\n" * 50_000 + b"1,Ren\x81,3,4,5,6\n"))

    assert str(early.value) == "it is neither UTF-8 nor Windows-1252"


def test_a_line_may_be_long_but_not_endless() -> None:
    rest = b",2,3,4,5,6"
    cell = b"x" * (MAX_LINE_LENGTH - len(rest))

    assert len(cells_of(bytes_of(cell + rest))) == 1
    with pytest.raises(UnusableFileError, match="a row without an end"):
        cells_of(bytes_of(cell + b"x" + rest))


def test_a_row_may_have_many_lines_but_not_all() -> None:
    def row(lines: int) -> bytes:
        return b'"' + b"\n" * (lines - 1) + b'x",2,3,4,5,6\n'

    assert len(cells_of(bytes_of(row(MAX_LINES)))) == 1
    with pytest.raises(UnusableFileError, match="a row without an end"):
        cells_of(bytes_of(row(MAX_LINES + 1)))


def test_a_row_without_an_end_is_not_held_in_memory() -> None:
    endless = bytes_of(b'1,"\n",' * 200_000)

    with pytest.raises(UnusableFileError, match="a row without an end"):
        next(islice(CsvFile(endless).rows(), 1))
