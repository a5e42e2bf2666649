"""What import-linter can't check: no import of a private module from outside, and few tiny files per folder."""

from __future__ import annotations

import ast
from collections.abc import Iterator
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
    """The package whose own matter this import is: the parent of its first underscore module."""
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
