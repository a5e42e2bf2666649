"""The repository keeps its own promises: Procfile, folders, documents."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from bot.cli import TERMINAL_ONLY
from bot.commands.command import Change
from bot.commands.plans import PLANS
from bot.commands.registry import REGISTRY, changes_table
from bot.config.policy import RISKS
from playbooks.checks.agreement import RUNBOOK_COMMANDS
from playbooks.model import Risk
from services.domain.services import Service

ROOT = Path(__file__).resolve().parents[2]
PROCESSES = {
    match["name"]: match["module"]
    for match in re.finditer(r"^(?P<name>[\w-]+): python -m (?P<module>[\w.]+)$", (ROOT / "Procfile").read_text(), re.M)
}
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_the_procfile_has_the_processes_of_the_design() -> None:
    assert set(PROCESSES) == {"api", "worker-ingest", "worker-enforcement", "bot"}


@pytest.mark.parametrize("module", PROCESSES.values())
def test_each_process_of_the_procfile_can_be_run(module: str) -> None:
    assert importlib.util.find_spec(f"{module}.__main__") is not None


@pytest.mark.parametrize("service", list(Service))
def test_the_runbook_s_start_commands_start_the_procfile_s_processes(service: Service) -> None:
    named = importlib.import_module(RUNBOOK_COMMANDS[service].removeprefix("python -m "))
    process = importlib.import_module(f"{PROCESSES[service.value.removeprefix('dragonfly-')]}.__main__")

    assert named.main is process.main


def test_each_runnable_folder_of_the_product_is_in_the_procfile() -> None:
    runnable = {
        ".".join(main.parent.relative_to(ROOT).parts)
        for folder in ("bot", "services")
        for main in (ROOT / folder).rglob("__main__.py")
    }

    assert runnable - {"services.sandbox"} == set(PROCESSES.values())


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", document.read_text())

    assert [link for link in links if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_the_readme_lists_each_command(name: str) -> None:
    assert re.search(rf"`{name}\b", (ROOT / "README.md").read_text()), f"README.md does not mention {name}"


def test_the_changes_are_documented_with_their_risk() -> None:
    assert changes_table() in (ROOT / "docs/changes.md").read_text()


@pytest.mark.parametrize(("name", "risk"), RISKS.items())
def test_a_change_names_the_risk_that_the_policy_expects(name: str, risk: Risk) -> None:
    change = REGISTRY[name]

    assert isinstance(change, Change)
    assert risk.value in change.risk


def test_each_change_can_be_planned() -> None:
    assert {name for name, verb in REGISTRY.items() if isinstance(verb, Change)} == set(PLANS) == set(RISKS)


@pytest.mark.parametrize("name", TERMINAL_ONLY)
def test_the_readme_lists_what_only_a_terminal_has(name: str) -> None:
    assert f"`dragonfly {name}`" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("target", re.findall(r"`make ([a-z-]+)", (ROOT / "README.md").read_text()))
def test_the_readme_names_targets_that_exist(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.M)


def test_time_zones_come_with_the_product_on_every_platform() -> None:
    """A slim image has no database of them."""
    assert re.search(r"^tzdata==\S+ \\$", (ROOT / "requirements.txt").read_text(), re.M)
