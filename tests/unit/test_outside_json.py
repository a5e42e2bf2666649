"""JSON from outside is parsed by one function, which removes characters that can't be stored."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
# The JSON that these files parse was made or checked by us, or is never stored.
OWN = {
    "bot/cli.py",
    "bot/machines/door.py",  # its own answer
    "bot/slack/payloads.py",  # our own metadata, of a payload that is clean
    "bot/web/app.py",  # only checks that it is JSON; Bolt parses it
    "services/clients/slack_setup.py",  # cleaned there
    "services/clients/squawk.py",
    "services/domain/message_origin.py",
    "services/domain/text.py",
    "services/domain/masking_balanced.py",  # parts of a text that is clean
    "playbooks/log_lines.py",
    "playbooks/checks/variables.py",
}


def test_json_is_read_with_read_json() -> None:
    """Models parse their own text (`model_validate_json`), and each of their fields is checked."""
    found = {
        path.relative_to(ROOT).as_posix()
        for folder in ("bot", "playbooks", "services")
        for path in (ROOT / folder).rglob("*.py")
        if "sandbox" not in path.parts and any(_raw_reads(ast.parse(path.read_text(encoding="utf-8"))))
    }

    assert found == OWN


def _raw_reads(tree: ast.AST) -> Iterator[ast.Call]:
    """Yield the calls of `json.loads(…)`, `json.load(…)` and an HTTP answer's `.json()`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            is_loads = node.func.attr in ("loads", "load") and ast.unparse(node.func.value) == "json"
            if is_loads or (node.func.attr == "json" and not node.args and not node.keywords):
                yield node
