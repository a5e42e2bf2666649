"""The repository keeps its own promises: Procfile, folders, documents."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from bot.commands._registry import REGISTRY
from bot.terminal import TERMINAL_ONLY

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


@pytest.mark.parametrize("name", TERMINAL_ONLY)
def test_the_readme_lists_what_only_a_terminal_has(name: str) -> None:
    assert f"`dragonfly {name}`" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("target", re.findall(r"`make ([a-z-]+)", (ROOT / "README.md").read_text()))
def test_the_readme_names_targets_that_exist(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.M)


def test_the_coverage_of_the_runbook_names_what_exists() -> None:
    named = re.findall(r"`((?:tests|playbooks|services|bot)/[\w/.]+)`", (ROOT / "docs/runbook-coverage.md").read_text())

    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []
