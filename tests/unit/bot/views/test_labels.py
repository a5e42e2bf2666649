"""Labels of buttons fit a phone, which shows about 30 characters of them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from bot.commands.silence import REASONS
from bot.views.blocks import command_button
from bot.views.modals import PRESETS
from bot.views.run_buttons import HOWS, button
from bot.views.text import LABEL_LIMIT
from playbooks.log_patterns import ROWS
from services.domain.systems import RUNBOOK
from tests.source import ROOT, parsed

MAKERS = {"command_button", "link_button", "message_button", "button", "NextStep"}
LONGEST = {"sha": "8d02b64e", "id": "1000"}  # `id`: of a run or an incident
LONGEST_SERVICE = max((service.short for service in RUNBOOK.services), key=len)


def labels() -> Iterator[tuple[str, str]]:
    """Yield `(file:line, label)` of each button that is labeled in the code, with the longest values filled in."""
    for path, tree in parsed("bot", "playbooks", where=re.compile(rf"(?:{'|'.join(MAKERS)})\(").search):
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not node.args or _name(node.func) not in MAKERS:
                continue
            if (label := _words(node.args[0])) is not None:
                yield f"{path.relative_to(ROOT)}:{node.lineno}", label


def _name(called: ast.expr) -> str:
    return called.id if isinstance(called, ast.Name) else called.attr if isinstance(called, ast.Attribute) else ""


def _words(label: ast.expr) -> str | None:
    """The label's text; None if it is not written where the button is made."""
    match label:
        case ast.Constant(value=str(words)):
            return words
        case ast.JoinedStr(values=values):
            return "".join(str(part.value) if isinstance(part, ast.Constant) else _filled(part) for part in values)
        case _:
            return None


def _filled(part: ast.expr) -> str:
    name = ast.unparse(part)
    if "service" in name or "short}" in name or "short'" in name:
        return LONGEST_SERVICE
    return next((value for word, value in LONGEST.items() if word in name), "12345678")


def test_no_label_in_the_code_is_longer_than_a_phone_shows() -> None:
    found = list(labels())

    assert len(found) > 100
    assert [(where, label) for where, label in found if len(label) > LABEL_LIMIT] == []


@pytest.mark.parametrize(
    "label",
    [*REASONS, *PRESETS, *HOWS.values(), *(row.label.format(service=LONGEST_SERVICE) for row in ROWS.values())],
)
def test_no_label_of_a_table_is_longer_than_a_phone_shows(label: str) -> None:
    assert len(label) <= LABEL_LIMIT


def test_labels_from_outside_are_cut_to_a_phones_width() -> None:
    long = "Run " + "x" * 300

    for made in (command_button(long, "health"), button(long, "run.details", 1)):
        assert made["text"]["text"] == f"{long[:29]}…"
