"""Our own code as syntax trees, for tests that search it for sentences, names and calls.

Parsing all of it takes seconds of processor time, and most files contain no match, so their text is searched first.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
CODE = ("bot", "playbooks", "services")


def files(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


def parsed(*folders: str, where: Callable[[str], object]) -> Iterator[tuple[Path, ast.Module]]:
    """Yield the files below these folders for whose text `where` is true. Each is parsed once per process."""
    for path in files(*folders):
        if where(_text(path)):
            yield path, _tree(path)


def strings(tree: ast.Module) -> Iterator[ast.Constant]:
    """Yield every string of a file but its docstrings."""
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node


@functools.cache
def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@functools.cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(_text(path))
