"""Every named query has its typed call, and the other way round."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from services.clients.postgres import queries

MODULES = Path(queries.__file__).parent
NOT_TYPED = {"drift", "migrations"}  # steps of one procedure, called in the module of that name only
FILES = sorted([*queries.QUERIES.glob("*.sql"), *queries.OPERATED.glob("*.sql")], key=lambda path: path.stem)
TYPED = [path for path in FILES if path.stem not in NOT_TYPED]


def names(path: Path) -> list[str]:
    return re.findall(r"^-- name: (\w+)", path.read_text(), re.MULTILINE)


def functions(path: Path) -> list[ast.AsyncFunctionDef]:
    """Those of the module whose docstring names the file."""
    texts = [text for text in map(Path.read_text, MODULES.glob("*.py")) if f"{path.parent.name}/{path.name}" in text]
    nodes = [node for text in texts for node in ast.parse(text).body]
    return [node for node in nodes if isinstance(node, ast.AsyncFunctionDef) and not node.name.startswith("_")]


@pytest.mark.parametrize("path", TYPED, ids=lambda path: path.stem)
def test_each_query_has_a_typed_call_of_its_name(path: Path) -> None:
    assert {function.name for function in functions(path)} >= set(names(path))


@pytest.mark.parametrize("path", TYPED, ids=lambda path: path.stem)
def test_each_typed_call_runs_the_query_of_its_name(path: Path) -> None:
    calls = [function for function in functions(path) if function.name in names(path)]

    assert [call.name for call in calls if f"SQL['{call.name}']" not in ast.unparse(call)] == []


def test_every_name_is_used() -> None:
    code = "\n".join(path.read_text() for path in MODULES.glob("*.py"))

    assert [name for name in queries.SQL if f'SQL["{name}"]' not in code] == []


@pytest.mark.parametrize(("name", "sql"), queries.SQL.items(), ids=list(queries.SQL))
def test_each_query_says_what_it_is_for_and_names_its_columns(name: str, sql: str) -> None:
    assert sql.startswith("-- "), f"{name} has no comment"
    assert not re.search(r"SELECT\s+(\w+\.)?\*", sql), f"{name} must name its columns"


# services/clients/postgres/drift.py plans each query with NULL for its parameters: Postgres has to know their types.
UNTYPED = re.compile(r"%\(\w+\)s\s*-\s*%\(|\)\s*-\s*%\(\w+\)s(?!::)|(?:THEN|ELSE)\s+%\(\w+\)s(?!::)")


@pytest.mark.parametrize(("name", "sql"), queries.SQL.items(), ids=list(queries.SQL))
def test_a_parameter_whose_type_cannot_be_inferred_names_it(name: str, sql: str) -> None:
    assert UNTYPED.findall(sql) == [], f"{name}: write %(span)s::interval"


def test_a_name_used_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("-- name: same\n-- One.\nSELECT 1;\n")
    (tmp_path / "b.sql").write_text("-- name: same\n-- Two.\nSELECT 2;\n")

    with pytest.raises(ValueError, match="`same` exists already"):
        queries.read_queries(tmp_path)


def test_sql_without_a_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("SELECT 1;\n-- name: later\nSELECT 2;\n")

    with pytest.raises(ValueError, match="before the first"):
        queries.read_queries(tmp_path)
