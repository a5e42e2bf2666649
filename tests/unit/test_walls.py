"""Rules beside import-linter: no import of a private module from outside, no import cycle, no package of re-exports."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from tests.source import CODE, ROOT, files, parsed


def _imports(tree: ast.Module) -> Iterator[str]:
    """The modules that a file imports, type-only and lazy ones included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _modules() -> dict[str, Path]:
    return {_module(path): path for path in files(*CODE)}


def _is_private(part: str) -> bool:
    return part.startswith("_") and not part.startswith("__")


def _private_package(module: str, modules: dict[str, Path]) -> str | None:
    """The only package that may import it: the parent of its first underscore module; None if it is public."""
    parts = module.split(".")
    for end, part in enumerate(parts):
        if _is_private(part) and ".".join(parts[: end + 1]) in modules:
            return ".".join(parts[:end])
    return None


def test_no_underscore_module_is_imported_from_outside_its_package() -> None:
    modules = _modules()
    private = {part for module in modules for part in module.split(".") if _is_private(part)}
    reached = [
        f"{name} imports {module}"
        for path, tree in parsed(*CODE, where=lambda text: any(part in text for part in private))
        for name in [_module(path)]
        for module in _imports(tree)
        if (package := _private_package(module, modules)) and not f"{name}.".startswith(f"{package}.")
    ]

    assert reached == []


# By regular expression: parsing all of the code takes seconds.
_FROM = re.compile(r"^[ \t]*from (\w[\w.]*) import (?:\(([^)]*)\)|(.*))$", re.MULTILINE)


def _imported_files(text: str, modules: dict[str, Path]) -> set[str]:
    """Imported modules: the imported name itself if it is a module, otherwise the module that defines the name."""
    named = {
        (module, f"{module}.{name}")
        for module, *lists in _FROM.findall(text)
        for name in re.findall(r"\w+", " ".join(lists))
    }
    return {name if name in modules else module for module, name in named if name in modules or module in modules}


def test_no_files_import_each_other_in_a_circle() -> None:
    """Type-only imports, imports inside functions and those of the sandbox count too."""
    modules = _modules()
    graph = {
        name: _imported_files(path.read_text(encoding="utf-8"), modules) - {name} for name, path in modules.items()
    }

    circle: list[str] = []
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle = error.args[1]
    assert sum(map(len, graph.values())) > len(graph), "imports are not found"
    assert circle == []


def test_no_import_is_hidden_from_the_walls() -> None:
    """import-linter reads type-only imports too; nothing may switch that off again."""
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8")

    assert "exclude_type_checking_imports = true" not in settings
    assert "ignore_imports" not in settings


def _only_re_exports(path: Path) -> bool:
    body = [node for node in ast.parse(path.read_text(encoding="utf-8")).body if not isinstance(node, ast.Expr)]
    own = [
        node
        for node in body
        if not isinstance(node, ast.Import | ast.ImportFrom) and "__all__" not in ast.unparse(node)
    ]
    return bool(body) and not own


def test_no_package_is_a_face_that_only_re_exports() -> None:
    assert [name for name, path in _modules().items() if path.name == "__init__.py" and _only_re_exports(path)] == []
