"""The diagrams of runs, steps and incidents in docs/states.md show exactly the transitions that the code makes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

import pytest

from bot.views.findings import SIGN
from playbooks.checks.deployments import ALONE, BESIDE
from services.domain import incidents
from services.domain.deployments import INSTANCE_STATUSES, DeploymentStatus
from services.domain.runs import STEP_TRANSITIONS, TRANSITIONS

PAGE = Path(__file__).parents[2] / "docs" / "states.md"
ARROW = re.compile(r"^  (\w+) --> (\w+)", re.MULTILINE)  # between two states: not from or to [*]


@pytest.mark.parametrize(
    ("heading", "transitions"),
    [("A run", TRANSITIONS), ("A step", STEP_TRANSITIONS), ("An incident", incidents.TRANSITIONS)],
    ids=["runs", "steps", "incidents"],
)
def test_a_diagram_shows_what_may_happen(heading: str, transitions: Mapping[StrEnum, frozenset[StrEnum]]) -> None:
    section = PAGE.read_text(encoding="utf-8").partition(f"## {heading}\n")[2].partition("\n## ")[0]

    assert set(ARROW.findall(section)) == {
        (before.value, after.value) for before, to in transitions.items() for after in to
    }


def test_the_table_of_deployments_shows_what_each_status_of_railways_schema_is_worth() -> None:
    section = PAGE.read_text(encoding="utf-8").partition("## A deployment\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| (.*?) ?\| (.*?) ?\|$", section, re.MULTILINE)
    schema = (PAGE.parents[1] / "services" / "sandbox" / "railway" / "schema.graphql").read_text(encoding="utf-8")
    enum = re.search(r"enum DeploymentStatus \{(.*?)\}", schema, re.DOTALL)

    assert {status: (beside.strip(), alone.strip()) for status, beside, alone in rows} == {
        status.value: (SIGN[BESIDE[status][0]] if status in BESIDE else "", SIGN[ALONE[status][0]])
        for status in DeploymentStatus
    }
    assert enum is not None
    assert {*enum.group(1).split(), "UNKNOWN"} == {status.value for status in DeploymentStatus}


def test_statuses_of_instances_are_those_of_railways_schema() -> None:
    schema = (PAGE.parents[1] / "services" / "sandbox" / "railway" / "schema.graphql").read_text(encoding="utf-8")
    enum = re.search(r"enum DeploymentInstanceStatus \{(.*?)\}", schema, re.DOTALL)

    assert enum is not None
    assert set(enum.group(1).split()) == INSTANCE_STATUSES
