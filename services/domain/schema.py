"""Effects of a migration on a schema, and which of them destroy something or break older code; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

MISSING = "the extra [schema] is not installed where the bot runs"  # why nothing is examined


@dataclass(frozen=True)
class Effect:
    """The effect of one statement, as a clause without a subject ("drops column ops.job_queue.note"). `line`: from 1.

    `is_destructive`: it removes data, or something that others use; or it rewrites a table, reads all of it, or blocks
    its writers for that time. `breaks_older`: code from before the migration doesn't work with it.
    """

    words: str
    line: int
    is_destructive: bool = False
    breaks_older: bool = False


@dataclass(frozen=True)
class Examination:
    """The examination of one migration. `unexamined`: statements with unknown effects ("DO in line 4").

    `lint`: the linter's rules that it breaks ("ban-drop-column in line 3"); None if it was not linted.
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
