"""Finds the playbooks: one file each, called as its command is, with its purpose in its first lines."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import playbooks as package

_SECTION = re.compile(r"^(When|Effect):[ ]+(.+(?:\n[ ]{2,}.+)*)", re.MULTILINE)


@dataclass(frozen=True)
class Entry:
    """One playbook. `name` is its command's ("failed-jobs"), `purpose` the question that it answers.

    `when` and `effect`: when to use it, and what it changes.
    """

    name: str
    purpose: str
    when: str
    effect: str


def read_docstring(name: str, docstring: str) -> Entry:
    """Raises ValueError when the docstring lacks its purpose, `When:` or `Effect:`."""
    sections = {title: " ".join(text.split()) for title, text in _SECTION.findall(docstring)}
    purpose = docstring.strip().partition("\n")[0]
    if not purpose or not {"When", "Effect"} <= sections.keys():
        raise ValueError(f"playbook {name}: its docstring needs a first line, `When:` and `Effect:`")
    return Entry(name, purpose, sections["When"], sections["Effect"])


def _discover() -> Iterator[Entry]:
    for found in pkgutil.iter_modules(package.__path__):
        if not found.ispkg:
            docstring = importlib.import_module(f"{package.__name__}.{found.name}").__doc__ or ""
            if _SECTION.search(docstring):  # the other modules are parts that procedures share
                yield read_docstring(found.name.replace("_", "-"), docstring)


CATALOGUE: Mapping[str, Entry] = MappingProxyType({entry.name: entry for entry in _discover()})
