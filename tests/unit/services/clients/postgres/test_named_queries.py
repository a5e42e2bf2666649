"""Named queries and their typed calls: each has the other."""

from __future__ import annotations

import ast
import re
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

from bot import commands
from bot.commands.registry import REGISTRY
from services.clients.postgres import approvals, operated, queries
from services.domain.systems import SYSTEMS

# The call of a query that only one command uses may be in that command's file.
MODULES = [*Path(queries.__file__).parent.glob("*.py"), *Path(commands.__file__).parent.glob("*.py")]
NOT_TYPED = {"adoption", "drift", "migrations"}  # each is part of one procedure; `migrations` also of a rollback
FILES = sorted([*queries.QUERIES.glob("*.sql"), *queries.OPERATED.glob("*.sql")], key=lambda path: path.stem)
EVERY = [(name, sql) for found in (queries.SQL, *queries.DIALECTS.values()) for name, sql in found.items()]
TYPED = [path for path in FILES if path.stem not in NOT_TYPED]


def names(path: Path) -> list[str]:
    return re.findall(r"^-- name: (\w+)", path.read_text(), re.MULTILINE)


@cache
def modules() -> list[tuple[str, list[ast.AsyncFunctionDef]]]:
    """`(text, public async functions)` of each module."""
    texts = [path.read_text() for path in MODULES]
    functions_of = [[node for node in ast.parse(text).body if isinstance(node, ast.AsyncFunctionDef)] for text in texts]
    public = [[node for node in nodes if not node.name.startswith("_")] for nodes in functions_of]
    return list(zip(texts, public, strict=True))


def functions(path: Path) -> list[ast.AsyncFunctionDef]:
    """The public async functions of the modules whose text names the file."""
    return [node for text, nodes in modules() if f"{path.parent.name}/{path.name}" in text for node in nodes]


def runs(name: str, code: str) -> bool:
    """True if this code executes the query, directly or with a helper of `queries`."""
    helper = rf'fetch_(?:all|one|row)\(\s*conn,\s+\w+,\s+"{name}"'
    return re.search(rf'SQL\["{name}"\]|query_of\(conn, "{name}"\)|{helper}', code) is not None


def test_each_query_has_a_typed_call_of_its_name() -> None:
    calls = {path: {function.name for function in functions(path)} for path in TYPED}

    assert [(path.stem, name) for path in TYPED for name in names(path) if name not in calls[path]] == []


def test_each_typed_call_runs_the_query_of_its_name() -> None:
    calls = [(path.stem, call) for path in TYPED for call in functions(path) if call.name in names(path)]

    assert [(stem, call.name) for stem, call in calls if not runs(call.name, ast.unparse(call).replace("'", '"'))] == []


def test_every_name_is_used() -> None:
    code = "\n".join(path.read_text() for path in MODULES)

    assert [name for name, _ in EVERY if not runs(name, code)] == []


def test_each_query_reports_what_it_is_for_and_names_its_columns() -> None:
    assert [name for name, sql in EVERY if not sql.startswith("-- ")] == [], "these have no comment"
    assert [name for name, sql in EVERY if re.search(r"SELECT\s+(\w+\.)?\*", sql)] == [], "name the columns"


# These calls count no rows: `all_visible` reports their hidden rows, or hidden rows do not matter to them.
# `requeue_jobs` is a change whose function refuses rows that it must not touch.
NOT_COUNTED = {"requeue_jobs", "list_heartbeats", "read_queue_snapshot"}
COMMANDS = sorted({lazy.place.partition(":")[0] for verb in REGISTRY.values() for lazy in verb.places})
PLACES = (operated, approvals, *map(import_module, COMMANDS))
CALLS = {
    name: next(getattr(place, name) for place in PLACES if hasattr(place, name)) for name in queries.DIALECTS["runbook"]
}


@pytest.mark.parametrize("name", sorted(queries.DIALECTS["runbook"].keys() - NOT_COUNTED))
def test_a_read_of_rows_that_may_be_hidden_reports_so(name: str) -> None:
    sql = queries.DIALECTS["runbook"][name]
    is_change = not re.search(r"^(?:SELECT|WITH)\b", re.sub(r"(?m)^--.*\n", "", sql)) or "UPDATE" in sql

    for system in SYSTEMS:
        read = queries.tables_of(system, name)
        assert is_change or queries.tables_counted_by(CALLS[name], system) == read


def test_all_tables_of_a_system_are_found_in_its_queries() -> None:
    assert {system.name: queries.tables_of(system) for system in SYSTEMS} == {
        "runbook": [
            "intake.simplicity_batches",
            "intake.simplicity_raw_rows",
            "ops.intake_logs",
            "ops.job_queue",
            "ops.worker_heartbeats",
        ],
        "civil": ["ops.ingest_batches", "ops.intake_logs", "ops.job_queue", "ops.worker_heartbeats"],
    }


PARAMETER = re.compile(r"%\((\w+)\)s")


def test_every_system_has_each_query_with_the_same_parameters() -> None:
    found = {
        system: {name: set(PARAMETER.findall(sql)) for name, sql in dialect.items()}
        for system, dialect in queries.DIALECTS.items()
    }

    assert list(found) == [system.name for system in SYSTEMS]
    assert all(one == found["runbook"] for one in found.values())
    assert found["runbook"].keys() == {name for path in queries.OPERATED.glob("*.sql") for name in names(path)}


def test_a_query_is_for_the_systems_that_it_names_or_for_every_one(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text(
        "-- name: count\n-- All.\nSELECT 1;\n"
        "-- name: read (runbook, owl)\n-- Two.\nSELECT 2;\n-- name: read (civil)\n-- One.\nSELECT 3;\n"
    )

    found = {system: queries.read_queries(tmp_path, system) for system in ("runbook", "owl", "civil")}

    assert {system: [sql[-1] for sql in one.values()] for system, one in found.items()} == {
        "runbook": ["1", "2"],
        "owl": ["1", "2"],
        "civil": ["1", "3"],
    }


# services/clients/postgres/drift.py plans each query with NULL parameters: Postgres must be able to infer their types.
UNTYPED = re.compile(r"%\(\w+\)s\s*-\s*%\(|\)\s*-\s*%\(\w+\)s(?!::)|(?:THEN|ELSE)\s+%\(\w+\)s(?!::)")


def test_a_parameter_whose_type_cannot_be_inferred_names_it() -> None:
    assert [(name, found) for name, sql in EVERY if (found := UNTYPED.findall(sql))] == [], "write %(span)s::interval"


def test_a_name_used_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("-- name: same\n-- One.\nSELECT 1;\n")
    (tmp_path / "b.sql").write_text("-- name: same\n-- Two.\nSELECT 2;\n")

    with pytest.raises(ValueError, match="`same` exists already"):
        queries.read_queries(tmp_path)


def test_a_name_used_twice_in_one_system_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("-- name: same\n-- All.\nSELECT 1;\n-- name: same (civil)\n-- One.\nSELECT 2;\n")

    assert list(queries.read_queries(tmp_path, "runbook")) == ["same"]
    with pytest.raises(ValueError, match="`same` exists already"):
        queries.read_queries(tmp_path, "civil")


def test_sql_without_a_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("SELECT 1;\n-- name: later\nSELECT 2;\n")

    with pytest.raises(ValueError, match="before the first"):
        queries.read_queries(tmp_path)
