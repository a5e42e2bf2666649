"""The repository's documents, Procfile and folders agree with its code."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from bot.changes import CHANGES, changes_table
from bot.cli import TERMINAL_ONLY
from bot.commands.parsing import match
from bot.commands.registry import REGISTRY
from services.domain.services import Service
from services.domain.systems import RUNBOOK
from tests.order import LONG, LONGEST, TOGETHER
from tests.settings import variables

ROOT = Path(__file__).resolve().parents[2]
PROCESSES = {
    match["name"]: match["module"]
    for match in re.finditer(r"^(?P<name>[\w-]+): python -m (?P<module>[\w.]+)$", (ROOT / "Procfile").read_text(), re.M)
}
TREE = ("bot", "playbooks", "services", "sql", "tests", "docs", "tools", "backend", "data_in")
DOCUMENTS = {path: path.read_text() for path in (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")))}
FILES = frozenset(path.relative_to(ROOT).as_posix() for folder in TREE for path in (ROOT / folder).rglob("*"))


def _found(pattern: str, *, multiline: bool = False) -> Iterator[tuple[str, Any]]:
    """Yield `(document, match)` of this pattern in every document."""
    for path, text in DOCUMENTS.items():
        name = path.relative_to(ROOT).as_posix()
        yield from ((name, one) for one in re.findall(pattern, text, re.M if multiline else 0))


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


def test_links_between_documents_lead_somewhere() -> None:
    links = list(_found(r"\]\((?!https?:|#)([^)#\s]+)"))

    assert links
    assert [(document, link) for document, link in links if not (ROOT / document).parent.joinpath(link).exists()] == []


def test_documents_name_files_and_modules_that_exist() -> None:
    named = list(_found(r"`([^`\s]+)`"))

    assert named
    assert [(document, name) for document, name in named if not _is_found(name.rstrip("/"))] == []


def _is_found(name: str) -> bool:
    """True if the path exists, or if it is none of ours: ours have one of our folders or suffixes."""
    if re.fullmatch(rf"(?:{'|'.join(TREE)})/[\w./*-]+", name):
        return any(ROOT.glob(name))
    if re.fullmatch(r"[\w/-]+\.(?:py|sql|toml|md)", name):
        return (ROOT / name).exists() or any(file.endswith(f"/{name}") for file in FILES)
    if re.fullmatch(r"(?:bot|playbooks|services|tests)(?:\.\w+)+", name):
        return _is_module(name) or _is_module(name.rpartition(".")[0])
    return True


def test_documents_name_tests_that_exist() -> None:
    files = [*(ROOT / "tests").rglob("*.py")]
    tests = {path.stem for path in files}.union(*(re.findall(r"\bdef (\w+)\(", path.read_text()) for path in files))

    assert [(document, name) for document, name in _found(r"`(test_\w+)`") if name not in tests] == []


def _is_module(name: str) -> bool:
    return bool({f"{name.replace('.', '/')}.py", name.replace(".", "/")} & FILES)


def test_links_lead_to_headings_that_exist() -> None:
    links = list(_found(r"\]\((?!https?:)([^)#\s]*)#([^)\s]+)\)"))

    assert links
    assert [
        (document, page, anchor)
        for document, (page, anchor) in links
        if anchor not in _anchors((ROOT / document).parent / page if page else ROOT / document)
    ] == []


@cache
def _anchors(page: Path) -> list[str]:
    """GitHub's anchors of the headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.M)
    return [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]


def test_the_page_of_commands_lists_each_command() -> None:
    page = (ROOT / "docs/commands.md").read_text()

    assert [name for name in REGISTRY if not re.search(rf"`{name}\b", page)] == []
    assert [name for name in TERMINAL_ONLY if f"`dragonfly {name}`" not in page] == []


def test_the_readme_names_commands_that_exist() -> None:
    named = set(re.findall(r"`([a-z]+(?:-[a-z]+)*)[ `]", (ROOT / "README.md").read_text()))

    assert named
    assert named - {*REGISTRY, "dragonfly", "make"} == set()


def test_the_page_of_the_configuration_lists_each_variable() -> None:
    page = (ROOT / "docs/configuration.md").read_text()

    assert [name for name in variables() if not re.search(rf"`{name}[`\[]", page)] == []


def test_the_page_about_railway_has_each_start_command() -> None:
    page = (ROOT / "docs/railway.md").read_text()

    assert [process for process in PROCESSES.values() if f"`python -m {process}`" not in page] == []


def test_documents_type_commands_that_exist() -> None:
    """Commands in code spans, `/dragonfly …` or `dragonfly …`, up to a placeholder."""
    lines = [(document, line.split()) for document, line in _found(r"`(?:/|@)?dragonfly ([a-z][^`]*)`")]

    assert lines
    assert [one for one in lines if one[1][0] not in TERMINAL_ONLY and match(one[1], REGISTRY) is None] == []


def test_the_changelog_has_each_heading_once() -> None:
    """A merge that keeps the lines of both sides can bring back a section that was rewritten."""
    release = (ROOT / "CHANGELOG.md").read_text().partition("\n## ")[2].partition("\n## ")[0]
    headings = re.findall(r"^### (.+)$", release, re.M)

    assert sorted(headings) == sorted(set(headings))


def test_the_changes_are_documented_with_their_risk() -> None:
    assert changes_table() in (ROOT / "docs/changes.md").read_text()


def test_changes_name_their_highest_risk() -> None:
    assert [name for name, change in CHANGES.items() if change.risk.value not in change.risk_words] == []


def test_documents_name_make_targets_that_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    found = [(document, name) for document, name in _found(r"(?:^|`)make ([a-z-]+)", multiline=True)]

    assert found
    assert [one for one in found if not re.search(rf"^{one[1]}:", makefile, re.M)] == []


def test_time_zones_come_with_the_product_on_every_platform() -> None:
    """A slim image has no database of time zones."""
    assert re.search(r"^tzdata==\S+ \\$", (ROOT / "requirements.txt").read_text(), re.M)


def test_the_files_that_are_run_first_exist() -> None:
    assert [one for one in (*LONGEST, *LONG, *TOGETHER) if not (ROOT / one).exists()] == []
