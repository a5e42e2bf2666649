"""The diagrams of runs, steps and incidents in docs/states.md show exactly the transitions that the code makes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

import pytest

from services.domain import incidents
from services.domain.runs import STEP_TRANSITIONS, TRANSITIONS

PAGE = Path(__file__).parents[2] / "docs" / "states.md"
ARROW = re.compile(r"^  (\w+) --> (\w+)", re.MULTILINE)  # between two states: not from or to [*]


@pytest.mark.parametrize(
    ("heading", "transitions"),
    [("A run", TRANSITIONS), ("A step", STEP_TRANSITIONS), ("An incident", incidents.TRANSITIONS)],
    ids=["runs", "steps", "incidents"],
)
def test_a_diagram_shows_what_may_happen(heading: str, transitions: Mapping[StrEnum, frozenset[StrEnum]]) -> None:
    section = PAGE.read_text(encoding="utf-8").partition(f"## {heading}: ")[2].partition("\n## ")[0]

    assert set(ARROW.findall(section)) == {
        (before.value, after.value) for before, to in transitions.items() for after in to
    }
