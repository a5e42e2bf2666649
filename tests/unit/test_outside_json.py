"""JSON from outside is read in one way, which leaves nothing in it that can't be stored."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
# What these read was made or checked by us, or is never stored.
OWN = {
    "bot/cli.py",
    "bot/machines/door.py",  # its own answer
    "bot/slack/payloads.py",  # our own metadata, of a payload that is clean
    "bot/web/app.py",  # whether it is JSON; Bolt reads it
    "services/clients/slack_setup.py",  # cleaned there
    "services/clients/squawk.py",
    "services/domain/message_origin.py",
    "services/domain/text.py",
    "services/domain/masking_balanced.py",  # parts of a text that is clean
    "playbooks/log_lines.py",
    "playbooks/checks/variables.py",
}


def test_json_is_read_with_read_json() -> None:
    """Models read their text themselves (`model_validate_json`): their fields are checked one by one."""
    found = {
        path.relative_to(ROOT).as_posix()
        for folder in ("bot", "playbooks", "services")
        for path in (ROOT / folder).rglob("*.py")
        if "sandbox" not in path.parts and any(_raw_reads(ast.parse(path.read_text(encoding="utf-8"))))
    }

    assert found == OWN


def _raw_reads(tree: ast.AST) -> Iterator[ast.Call]:
    """`json.loads(…)`, and an HTTP answer's `.json()`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            is_loads = node.func.attr in ("loads", "load") and ast.unparse(node.func.value) == "json"
            if is_loads or (node.func.attr == "json" and not node.args and not node.keywords):
                yield node
