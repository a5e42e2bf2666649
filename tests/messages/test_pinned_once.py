"""A sentence that people see is pinned by one golden file: a rewording changes one string and that file.

Other tests assert outcomes and facts: types, numbers, names, buttons, or up to three words that tell messages apart.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.messages.render import FOLDER
from tests.source import CODE, ROOT, parsed, strings

LENGTH = 4  # this many words in a row are a sentence's wording, and not a fact in it
SQL = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE)\b")  # what a person may type by hand, and what a test asks
ASSERTING = {"raises", "parametrize", "fullmatch", "match", "search"}
WAITING = {"expect", "expect_direct", "expect_directly", "wait_for", "until", "answered", "answer_to", "reported"}


def test_no_other_test_pins_a_sentence_of_a_golden_file() -> None:
    here = Path(__file__).parent

    again = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path, tree in parsed("tests", where=holds_a_pinned_sentence)
        if here not in path.parents
        for text, line in asserted(tree)
        if holds_a_pinned_sentence(text)
    ]

    assert pinned()
    assert again == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('assert "no run has this number" in text', True),
        ('with pytest.raises(UsageError, match="no run has this number"): ...', True),
        ('assert "No run has this" in text', True),
        ('with raises(UsageError, match="no run has this number"): ...', True),
        ('await channel.expect("DONE", "no run has this number")', True),
        ('await wait_for(lambda one: "no run has this number" in one.text)', True),
        ('assert f"{number}: no run has this number" in text', True),
        ('assert "no run " "has this number" in text', True),
        ('LINE = "no run has this number"', False),
        ('assert "this number" in text', False),
    ],
)
def test_an_asserted_sentence_is_seen(source: str, found: bool) -> None:
    sentence = "no run has this number"

    assert any(windows(text) & windows(sentence) for text, _ in asserted(ast.parse(source))) is found


def asserted(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Every text in an assertion, in what a test waits for, or in tables and patterns of assertions, with its line."""
    for node in ast.walk(tree):
        match node:
            case ast.Assert():
                yield from texts(node)
            case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name)) if name in ASSERTING | WAITING:
                yield from texts(node)


def texts(node: ast.AST) -> Iterator[tuple[str, int]]:
    for child in ast.walk(node):
        if isinstance(child, ast.Constant) and isinstance(child.value, str) and not SQL.match(child.value):
            yield child.value, child.lineno


def holds_a_pinned_sentence(text: str) -> bool:
    return not pinned().isdisjoint(windows(text))


@functools.cache
def pinned() -> frozenset[tuple[str, ...]]:
    """Windows of words that a golden file has from a string of the code; names that tests invent are not among them."""
    shown = golden()
    trees = [
        tree for path, tree in parsed(*CODE, where=lambda text: windows(text) & shown) if "sandbox" not in path.parts
    ]
    return frozenset(shown & {found for tree in trees for node in strings(tree) for found in windows(str(node.value))})


@functools.cache
def golden() -> frozenset[tuple[str, ...]]:
    lines = (line for file in FOLDER.rglob("*.txt") for line in file.read_text(encoding="utf-8").splitlines())
    return frozenset(found for line in lines for found in windows(line))


def windows(text: str) -> set[tuple[str, ...]]:
    """Every `LENGTH` words in a row, the first with a small letter: a line begins a sentence with a capital one."""
    words = re.findall(r"[A-Za-z][\w'\u2019-]*", text)
    found = zip(*(words[start:] for start in range(LENGTH)), strict=False)
    return {(first[0].lower() + first[1:], *rest) for first, *rest in found}
