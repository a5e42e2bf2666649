"""The workflows: CI on GitHub runs the same commands as on a developer's machine, with actions pinned by hash."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS: dict[str, dict[str, Any]] = {
    path.name: yaml.safe_load(path.read_text()) for path in sorted((ROOT / ".github/workflows").glob("*.yml"))
}
TEXTS = {name: (ROOT / ".github/workflows" / name).read_text() for name in WORKFLOWS}


def _commands(name: str) -> Iterator[str]:
    for job in WORKFLOWS[name]["jobs"].values():
        yield from (step["run"] for step in job["steps"] if "run" in step)


def test_ci_runs_the_same_script_and_builds_what_is_shipped() -> None:
    commands = "\n".join(_commands("ci.yml"))

    assert "bash .ci/run" in commands
    for wanted in ("docker build", "cyclonedx-py", "pip-audit", "promtool test rules", "docker compose config"):
        assert wanted in commands


@pytest.mark.parametrize("name", WORKFLOWS)
def test_actions_are_pinned_to_a_commit_and_name_its_release(name: str) -> None:
    used = re.findall(r"uses: (.+)$", TEXTS[name], re.M)

    assert used
    assert [one for one in used if not re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", one)] == []


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_may_only_read_and_ends_by_itself(name: str) -> None:
    assert WORKFLOWS[name]["permissions"] == {"contents": "read"}
    assert all(job["timeout-minutes"] <= 90 for job in WORKFLOWS[name]["jobs"].values())


@pytest.mark.parametrize("name", WORKFLOWS)
def test_no_text_of_strangers_becomes_part_of_a_script(name: str) -> None:
    """`${{ github.event… }}` in `run:` is pasted before the shell reads it."""
    assert [command for command in _commands(name) if "${{" in command] == []


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_keeps_no_token_in_the_checkout(name: str) -> None:
    checkouts = [
        step
        for job in WORKFLOWS[name]["jobs"].values()
        for step in job["steps"]
        if step.get("uses", "").startswith("actions/checkout@")
    ]

    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_ci_pins_the_version_of_each_pip_install() -> None:
    installs = [command for command in _commands("ci.yml") if "pip install" in command]

    assert all(re.fullmatch(r"python -m pip install(?: [\w-]+==[\d.]+)+", command) for command in installs)
