"""Text from outside: it can be stored, and it has no effect on a terminal."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.domain.text import clean_text, cleaned, printable, printable_json, read_json

ANY = st.text(st.characters(exclude_categories=()))


@given(ANY)
def test_cleaned_text_can_be_stored(text: str) -> None:
    shown = clean_text(text)

    assert "\0" not in shown
    shown.encode()


def test_everything_in_a_value_is_cleaned() -> None:
    assert cleaned({"a\ud83d": ["x\0", ("\udc00", 1, None)]}) == {"a\ufffd": ["x\ufffd", ["\ufffd", 1, None]]}


@pytest.mark.parametrize("escaped", ["\\ud83d", "\\uDC00", "\\u0000"])
def test_escapes_in_json_are_cleaned_too(escaped: str) -> None:
    assert read_json(f'{{"a": "x{escaped}y"}}'.encode()) == {"a": "x\ufffdy"}


@pytest.mark.parametrize("half", [b"\xed\xa0\xbd", b"\xed\xb0\x80", b"\xff", b"\xf0\x9f\x98"])
def test_bytes_in_json_that_are_no_text_are_replaced(half: bytes) -> None:
    """Java and JavaScript programs write half an emoji as three bytes of its own."""
    found = read_json(b'{"a": "x' + half + b'y"}')

    assert isinstance(found, dict)
    assert set(found["a"]) == set("x\ufffdy")


def test_half_an_emoji_in_json_that_is_text_already_is_cleaned_too() -> None:
    assert read_json('{"a": "x\ud83dy"}') == {"a": "x\ufffdy"}


@given(ANY)
def test_whatever_json_holds_can_be_stored(text: str) -> None:
    for encoding in ("utf-8", "utf-16", "utf-32", "utf-8-sig"):
        found = read_json(json.dumps({"a": text}, ensure_ascii=False).encode(encoding, "surrogatepass"))

        assert "\0" not in str(found)
        str(found).encode()


def test_a_whole_emoji_in_escapes_stays() -> None:
    assert read_json(b'"\\ud83d\\ude00"') == "\U0001f600"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\rb", "a\\rb"),
        ("\x1b[31m", "\\x1b[31m"),
        ("a\u2028b\u2029", "a\\u2028b\\u2029"),
        ("\x7f\x85\x9b", "\\x7f\\x85\\x9b"),
        ("\u202eabc\u2066", "\\u202eabc\\u2066"),
        ("\ud83d", "\\ud83d"),
        ("a\tb\nc ü 😀", "a\tb\nc ü 😀"),
    ],
)
def test_terminal_control_characters_are_escaped(text: str, expected: str) -> None:
    assert printable(text) == expected


@given(ANY)
def test_json_means_the_same_and_holds_nothing_that_acts(text: str) -> None:
    shown = printable_json(json.dumps({"a": text}, ensure_ascii=False))

    assert json.loads(shown) == {"a": text}
    assert printable(shown) == shown
