"""What a migration does to a schema: its effects, and which of them destroy something or break older code; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

MISSING = "the extra [schema] is not installed where the bot runs"  # why nothing is examined


@dataclass(frozen=True)
class Effect:
    """What one statement does, as a clause without a subject ("drops column ops.job_queue.note"). `line`: from 1.

    `is_destructive`: data, or something that others use, is gone afterwards; or a table is rewritten, read as a whole
    or closed to writers for as long as that takes. `breaks_older`: code from before the migration doesn't work with it.
    """

    words: str
    line: int
    is_destructive: bool = False
    breaks_older: bool = False


@dataclass(frozen=True)
class Examination:
    """One migration. `unexamined`: the statements of which it is not known what they do ("DO in line 4").

    `lint`: the rules of the linter that it breaks ("ban-drop-column in line 3"); None: it was not linted.
    """

    effects: tuple[Effect, ...]
    unexamined: tuple[str, ...] = ()
    lint: tuple[str, ...] | None = None

    @property
    def destructive(self) -> tuple[Effect, ...]:
        return tuple(effect for effect in self.effects if effect.is_destructive)

    @property
    def breaking(self) -> tuple[Effect, ...]:
        return tuple(effect for effect in self.effects if effect.breaks_older)


Examinations = Mapping[str, Examination]  # by `version_name`
