"""What an executor says: before an act, after it, and while it looks or waits. Notes are plain words for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Ready:
    """The act fits what is there; `intent` holds what was seen, and is all that reading back needs."""

    intent: Json


@dataclass(frozen=True)
class Differs:
    """The world is not what the step rests on: acting would be another change than the approved one."""

    note: str


@dataclass(frozen=True)
class Done:
    """It is so. `proved` False: as far as anybody can tell; the note names what is missing."""

    note: str = ""
    evidence: Json = field(default_factory=dict)
    proved: bool = True


@dataclass(frozen=True)
class NotThere:
    """Everything that could show it was read, and it did not happen (yet)."""

    note: str


@dataclass(frozen=True)
class Waiting:
    """Not yet; the note says how far it is."""

    note: str


@dataclass(frozen=True)
class Broken:
    """It will not come right by waiting."""

    note: str
    evidence: Json = field(default_factory=dict)


@dataclass(frozen=True)
class Unseen:
    """A source is not available, so nobody can tell."""

    note: str


Before = Ready | Done | Differs | Unseen
ReadBack = Done | NotThere | Unseen
Sight = Done | Waiting | Broken | Unseen
