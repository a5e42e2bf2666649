"""The log lines of our own processes: masking leaves their words, because people read them in Slack."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.domain.masking import mask_line
from services.domain.masking_balanced import mask_balanced

ROOT = Path(__file__).parents[4]
FOLDERS = ("api", "enforcement_worker", "ingest_worker", "job_queue", "postgres", "process")
LEVELS = {"debug", "info", "warning", "error", "critical", "exception"}
PLACE = re.compile(r"%[-+ 0#]*\d*(?:\.\d+)?[sdgfr]")


def logged() -> Iterator[str]:
    """Yield the text of each logger call that is written as a literal."""
    for folder in FOLDERS:
        for path in sorted((ROOT / "services" / folder).glob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
                    first = node.args[0]
                    if node.func.attr in LEVELS and isinstance(first, ast.Constant) and isinstance(first.value, str):
                        yield first.value


LINES = sorted(set(logged()))


def test_log_lines_of_the_operated_processes_are_found() -> None:
    assert "[%s] Claimed job: %s" in LINES
    assert len(LINES) > 15


@pytest.mark.parametrize("line", LINES)
def test_the_words_of_our_own_lines_are_shown(line: str) -> None:
    written = PLACE.sub("x", line)
    words = re.findall(r"[A-Za-z_]{2,}", PLACE.sub(" ", line))

    for masked in (mask_line(written), mask_balanced(written)):
        assert [word for word in words if word not in masked] == []
