"""docs/runbook-coverage.md has every line of the runbook, and names only commands, files and tests that exist."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.changes import Change
from bot.cli import TERMINAL_ONLY
from bot.commands.registry import REGISTRY, find
from playbooks.log_patterns import RUNBOOK as PATTERNS
from playbooks.log_patterns import TABLE, Sign
from services.domain.errors import UsageError
from tests.runbook import RUNBOOK, needs_runbook, plain, read_lines

PAGE = Path(__file__).resolve().parents[2] / "docs/runbook-coverage.md"
LATER = re.compile(r"\*later: `([a-z-]+)`\*")
REASON = "— "  # instead of a command


@dataclass(frozen=True)
class Row:
    """A row of the page. `lines`: of the runbook, with "…" for any text. The other cells are kept as written."""

    section: str
    lines: tuple[str, ...]
    command: str
    code: str
    test: str

    @property
    def commands(self) -> list[str]:
        """Commands to type, without the start commands of processes."""
        return [line for line in re.findall(r"`([^`]+)`", self.command) if not line.startswith("python ")]

    def covers(self, text: str) -> bool:
        return any(_pattern(line).fullmatch(text) for line in self.lines)


def _pattern(line: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, plain(line).split("…"))))


def read_rows() -> tuple[list[str], list[Row]]:
    """The headings and the rows below them."""
    headings: list[str] = []
    rows: list[Row] = []
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("##"):
            headings.append(plain(line.lstrip("#")))
        elif line.startswith("| `"):
            cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            rows.append(Row(headings[-1], tuple(cells[0].split("<br>")), *cells[1:]))
    return headings, rows


HEADINGS, ROWS = read_rows()


def row_id(row: Row) -> str:
    return f"{row.section}: {row.lines[0]}"


@needs_runbook
def test_the_page_has_the_sections_of_the_runbook() -> None:
    assert [line.section for line in read_lines() if line.kind == "section"] == HEADINGS


@needs_runbook
def test_every_line_of_the_runbook_is_covered() -> None:
    lines = [line for line in read_lines() if line.kind != "section"]
    missing = [line for line in lines if not any(row.section == line.section and row.covers(line.text) for row in ROWS)]

    assert len(lines) > 150
    assert missing == []


@needs_runbook
def test_the_page_has_no_line_that_the_runbook_lacks() -> None:
    lines = read_lines()
    stale = [
        (row.section, entry)
        for row in ROWS
        for entry in row.lines
        if not any(line.section == row.section and _pattern(entry).fullmatch(line.text) for line in lines)
    ]

    assert stale == []


def test_rows_name_commands_that_can_be_typed() -> None:
    named = [(row_id(row), command) for row in ROWS if not LATER.search(row.command) for command in row.commands]

    assert named
    assert [one for one in named if one[1] not in TERMINAL_ONLY and not can_be_typed(one[1])] == []


def can_be_typed(command: str) -> bool:
    try:
        verb, rest = find(command.split())
        if isinstance(verb, Change):
            verb.parse(rest)
    except UsageError:
        return False
    return True


def test_rows_are_answered_by_code_and_a_test_or_report_why_not() -> None:
    assert [row_id(row) for row in ROWS if not is_answered(row)] == []


def is_answered(row: Row) -> bool:
    if row.command.startswith(REASON):
        return len(row.command) > len(REASON)
    has_links = "](../" in row.code and "](../tests/" in row.test
    return bool(LATER.search(row.command) or (row.commands and has_links))


def test_later_is_reported_only_of_what_does_not_exist() -> None:
    promised = [name for row in ROWS for name in LATER.findall(row.command)]

    assert [name for name in promised if name in REGISTRY] == []


def test_a_command_that_is_gone_is_noticed() -> None:
    with pytest.raises(UsageError):
        find(["golden-pathway"])


@needs_runbook
def test_the_troubleshooting_table_is_the_runbooks() -> None:
    rows = [line.text for line in read_lines() if (line.section, line.kind) == ("Common Issues", "row")]

    assert rows == [f"{symptom} · {row.cause} · {row.resolution}" for symptom, row in TABLE.items()]


@needs_runbook
def test_the_key_log_patterns_are_recognised_as_the_runbook_marks_them() -> None:
    text = RUNBOOK.read_text(encoding="utf-8").partition("### Key Log Patterns")[2].partition("### Log Queries")[0]
    marked = re.findall(r"\*\*(✅|❌)[^\n]*\n\n```\n(.*?)```", text, re.DOTALL)
    reported = [(mark, line, PATTERNS.recognise(line)) for mark, block in marked for line in block.splitlines()]

    assert len(reported) == 14
    wrong = [
        line for mark, line, found in reported if found is None or (found.sign is Sign.SUCCESS) is not (mark == "✅")
    ]
    assert wrong == []
