"""Finds the playbooks: one file each, named after its command, with its purpose in its first lines."""

from __future__ import annotations

import importlib
import pkgutil
import re
from dataclasses import dataclass

import playbooks as package

_SECTION = re.compile(r"^(When|Effect):[ ]+(.+(?:\n[ ]{2,}.+)*)", re.MULTILINE)


@dataclass(frozen=True)
class Entry:
    """One playbook. `name` is its command's ("failed-jobs"), `purpose` the first line of its docstring.

    `when` and `effect`: when to use it, and what it changes.
    """

    name: str
    purpose: str
    when: str
    effect: str


def read_docstring(name: str, docstring: str) -> Entry:
    """Parse a playbook's docstring. Raises ValueError if it lacks its purpose, `When:` or `Effect:`."""
    sections = {title: " ".join(text.split()) for title, text in _SECTION.findall(docstring)}
    purpose = docstring.strip().partition("\n")[0]
    if not purpose or not {"When", "Effect"} <= sections.keys():
        raise ValueError(f"playbook {name}: its docstring needs a first line, `When:` and `Effect:`")
    return Entry(name, purpose, sections["When"], sections["Effect"])


def find_entry(name: str) -> Entry | None:
    """The playbook of this command; None for a command that has none. Imports only that playbook."""
    module = name.replace("-", "_")
    return _read(module) if module in _modules() else None


def catalogue() -> dict[str, Entry]:
    """Every playbook, by name."""
    return {entry.name: entry for entry in map(_read, _modules()) if entry is not None}


def _modules() -> list[str]:
    return [found.name for found in pkgutil.iter_modules(package.__path__) if not found.ispkg]


def _read(module: str) -> Entry | None:
    """The playbook in a module; None for a module that playbooks share."""
    docstring = importlib.import_module(f"{package.__name__}.{module}").__doc__ or ""
    return read_docstring(module.replace("_", "-"), docstring) if _SECTION.search(docstring) else None
