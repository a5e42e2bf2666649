from __future__ import annotations

import csv
import io

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from services.api.csv_file import CsvFile
from services.api.errors import RefusedError
from services.domain.simplicity import SURPLUS, Column

HEADINGS = [column.heading for column in Column]
CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


def file_of(*lines: list[str], encoding: str = "utf-8", delimiter: str = ",") -> io.BytesIO:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows(lines)
    return io.BytesIO(text.getvalue().encode(encoding))


@given(st.lists(st.lists(CELLS, min_size=6, max_size=6).filter(any), min_size=1))
def test_every_cell_arrives_as_it_was_written(rows: list[list[str]]) -> None:
    csv_file = CsvFile(file_of(HEADINGS, *rows))

    assert [list(row.values()) for row in csv_file.rows()] == rows


@given(st.binary())
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    header = ",".join(HEADINGS).encode() + b"\n"
    refused = False
    rows = []
    try:
        rows = list(CsvFile(io.BytesIO(header + content)).rows())
    except RefusedError:
        refused = True

    assert refused != bool(rows)


def test_a_byte_order_mark_is_no_part_of_the_first_column() -> None:
    csv_file = CsvFile(file_of(HEADINGS, list("123456"), encoding="utf-8-sig"))

    assert [row["case_number"] for row in csv_file.rows()] == ["1"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
@given(st.lists(st.text('aé€ ,;\t\n\r"'), min_size=6, max_size=6).filter(any))
def test_finds_out_encoding_and_delimiter(delimiter: str, encoding: str, cells: list[str]) -> None:
    assume(encoding != "cp1252" or not _is_utf8("".join(cells).encode(encoding)))  # nobody can tell these two apart
    csv_file = CsvFile(file_of(HEADINGS, cells, encoding=encoding, delimiter=delimiter))

    assert [list(row.values()) for row in csv_file.rows()] == [cells]


def _is_utf8(content: bytes) -> bool:
    """Whether bytes beyond ASCII happen to be UTF-8 too."""
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return not content.isascii()


def test_a_letter_beyond_ascii_in_the_last_line_decides_the_encoding() -> None:
    rows = [[str(n), *"23456"] for n in range(20_000)]

    *_, last = CsvFile(file_of(HEADINGS, *rows, ["René", *"23456"], encoding="cp1252")).rows()

    assert last["case_number"] == "René"


def test_keeps_short_and_long_lines_for_the_worker_to_judge() -> None:
    csv_file = CsvFile(file_of(HEADINGS, ["1", "2"], list("1234567")))

    short, long = csv_file.rows()
    assert short == {"case_number": "1", "plaintiff": "2"}
    assert long[SURPLUS] == ["7"]


def test_leaves_the_file_open_for_its_owner() -> None:
    content = file_of(HEADINGS, list("123456"))
    csv_file = CsvFile(content)

    csv_file.release()

    assert not content.closed


def test_names_the_line_but_not_its_text() -> None:
    content = io.BytesIO(",".join(HEADINGS).encode() + b'\n1,2,3,4,5,6\n"canary"x,2,3,4,5,6\n')

    with pytest.raises(RefusedError) as caught:
        list(CsvFile(content).rows())

    assert "at line 3" in caught.value.why
    assert "canary" not in str(caught.value)
