"""The repository keeps its own promises: Procfile, folders, documents."""

from __future__ import annotations

import importlib.util
import re
from functools import cache
from pathlib import Path

import pytest

from bot.changes import CHANGES, Change, changes_table
from bot.cli import TERMINAL_ONLY
from bot.commands.parsing import match
from bot.commands.registry import REGISTRY
from services.domain.services import Service
from services.domain.systems import RUNBOOK
from tests.conftest import LONGEST
from tests.settings import variables

ROOT = Path(__file__).resolve().parents[2]
PROCESSES = {
    match["name"]: match["module"]
    for match in re.finditer(r"^(?P<name>[\w-]+): python -m (?P<module>[\w.]+)$", (ROOT / "Procfile").read_text(), re.M)
}
TREE = ("bot", "playbooks", "services", "sql", "tests", "docs", "tools", "backend", "data_in")
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
FILES = frozenset(path.relative_to(ROOT).as_posix() for folder in TREE for path in (ROOT / folder).rglob("*"))


def _name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_systems_page_names_every_command() -> None:
    """A family (`incident …`) is one entry."""
    part = (ROOT / "docs/systems.md").read_text().partition("## What each command answers")[2].partition("\n## ")[0]
    named = {words.split()[0] for words in re.findall(r"`([a-z][a-z -]*)`", part)}

    assert {name.split()[0] for name in {*REGISTRY, *TERMINAL_ONLY}} - named == set()


def test_the_procfile_starts_what_the_product_expects() -> None:
    commands = [f"python -m {module}" for module in PROCESSES.values()]

    assert list(PROCESSES) == ["api", "worker-ingest", "worker-enforcement", "bot"]
    assert commands == [*(one.start_commands[0] for one in RUNBOOK.operated), "python -m bot"]


@pytest.mark.parametrize("module", PROCESSES.values())
def test_each_process_of_the_procfile_can_be_run(module: str) -> None:
    assert importlib.util.find_spec(f"{module}.__main__") is not None


@pytest.mark.parametrize("service", list(RUNBOOK.services))
def test_the_runbook_s_start_commands_start_the_procfile_s_processes(service: Service) -> None:
    [commands] = [one.start_commands for one in RUNBOOK.operated if one.service is service]
    named = importlib.import_module(commands[1].removeprefix("python -m "))
    process = importlib.import_module(f"{PROCESSES[service.value.removeprefix('dragonfly-')]}.__main__")

    assert named.main is process.main


def test_each_runnable_folder_of_the_product_is_in_the_procfile() -> None:
    runnable = {
        ".".join(main.parent.relative_to(ROOT).parts)
        for folder in ("bot", "services")
        for main in (ROOT / folder).rglob("__main__.py")
    }

    assert runnable - {"services.sandbox"} == set(PROCESSES.values())


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name_of)
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", document.read_text())

    assert [link for link in links if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name_of)
def test_a_document_names_files_and_modules_that_exist(document: Path) -> None:
    named = [name for name in re.findall(r"`([^`\s]+)`", document.read_text()) if not _is_found(name.rstrip("/"))]

    assert named == []


def _is_found(name: str) -> bool:
    """True also for what is no path of ours: only names with a folder of ours, or with a suffix of ours, are."""
    if re.fullmatch(rf"(?:{'|'.join(TREE)})/[\w./*-]+", name):
        return any(ROOT.glob(name))
    if re.fullmatch(r"[\w/-]+\.(?:py|sql|toml|md)", name):
        return (ROOT / name).exists() or any(file.endswith(f"/{name}") for file in FILES)
    if re.fullmatch(r"(?:bot|playbooks|services|tests)(?:\.\w+)+", name):
        return _is_module(name) or _is_module(name.rpartition(".")[0])
    return True


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name_of)
def test_a_document_names_tests_that_exist(document: Path) -> None:
    named = re.findall(r"`(test_\w+)`", document.read_text())

    assert [name for name in named if f"def {name}(" not in _tests() and f"{name}.py" not in _tests()] == []


@cache
def _tests() -> str:
    """Every test's name and every test file's."""
    files = [*(ROOT / "tests").rglob("*.py")]
    return "\n".join([path.name for path in files] + [path.read_text() for path in files])


def _is_module(name: str) -> bool:
    return bool({f"{name.replace('.', '/')}.py", name.replace(".", "/")} & FILES)


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name_of)
def test_links_lead_to_headings_that_exist(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#\s]*)#([^)\s]+)\)", document.read_text())
    pages = [(document.parent / page if page else document, anchor) for page, anchor in links]

    assert [anchor for page, anchor in pages if anchor not in _anchors(page)] == []


def _anchors(page: Path) -> list[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.M)
    return [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_the_page_of_commands_lists_each_command(name: str) -> None:
    assert re.search(rf"`{name}\b", (ROOT / "docs/commands.md").read_text()), (
        f"docs/commands.md does not mention {name}"
    )


@pytest.mark.parametrize("name", re.findall(r"`([a-z]+(?:-[a-z]+)*)[ `]", (ROOT / "README.md").read_text()))
def test_the_readme_names_commands_that_exist(name: str) -> None:
    assert name == "make" or {name, name.partition(" ")[0]} & {*REGISTRY, "dragonfly"}


@pytest.mark.parametrize("name", sorted(variables()))
def test_the_page_of_the_configuration_lists_each_variable(name: str) -> None:
    assert re.search(rf"`{name}[`\[]", (ROOT / "docs/configuration.md").read_text())


@pytest.mark.parametrize("process", PROCESSES.values())
def test_the_page_about_railway_has_each_start_command(process: str) -> None:
    assert f"`python -m {process}`" in (ROOT / "docs/railway.md").read_text()


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name_of)
def test_a_document_types_commands_that_exist(document: Path) -> None:
    """What stands in code as `/dragonfly …` or `dragonfly …`, up to a placeholder."""
    lines = re.findall(r"`(?:/|@)?dragonfly ([a-z][^`]*)`", document.read_text())
    words = [line.split() for line in lines]

    assert [" ".join(line) for line in words if line[0] not in TERMINAL_ONLY and match(line, REGISTRY) is None] == []


def test_the_changelog_has_each_heading_once() -> None:
    """Branches are merged by keeping the lines of both sides, which can bring back a section that was rewritten."""
    release = (ROOT / "CHANGELOG.md").read_text().partition("\n## ")[2].partition("\n## ")[0]
    headings = re.findall(r"^### (.+)$", release, re.M)

    assert sorted(headings) == sorted(set(headings))


def test_the_changes_are_documented_with_their_risk() -> None:
    assert changes_table() in (ROOT / "docs/changes.md").read_text()


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_change_names_its_highest_risk(change: Change) -> None:
    assert change.risk.value in change.risk_words


@pytest.mark.parametrize("name", TERMINAL_ONLY)
def test_the_page_of_commands_lists_what_only_a_terminal_has(name: str) -> None:
    assert f"`dragonfly {name}`" in (ROOT / "docs/commands.md").read_text()


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name_of)
def test_a_document_names_make_targets_that_exist(document: Path) -> None:
    targets = re.findall(r"^(?:`|)make ([a-z-]+)|`make ([a-z-]+)", document.read_text(), re.M)
    makefile = (ROOT / "Makefile").read_text()

    assert [name for pair in targets for name in pair if name and not re.search(rf"^{name}:", makefile, re.M)] == []


def test_time_zones_come_with_the_product_on_every_platform() -> None:
    """A slim image has no database of them."""
    assert re.search(r"^tzdata==\S+ \\$", (ROOT / "requirements.txt").read_text(), re.M)


def test_the_files_that_are_run_first_exist() -> None:
    assert [one for one in LONGEST if not (ROOT / one).exists()] == []
