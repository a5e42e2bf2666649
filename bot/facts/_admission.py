"""How many commands may read the world at the same time, in all and for each person."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from services.domain.errors import OperatorError

AT_ONCE, PER_PERSON = 4, 2  # doctor reads some twenty things; leading, pages and runs share the process with it
WAITING = 6  # of one person, before more are refused


@dataclass
class _Person:
    turns: asyncio.Semaphore
    under_way: int = 0


class Admission:
    """Lets commands pass in their order; those of one person pass one another's by."""

    def __init__(self, *, at_once: int = AT_ONCE, per_person: int = PER_PERSON, waiting: int = WAITING) -> None:
        self._all = asyncio.Semaphore(at_once)
        self._per_person = per_person
        self._most = per_person + waiting
        self._people: dict[str, _Person] = {}

    @contextlib.asynccontextmanager
    async def admit(self, person: str) -> AsyncIterator[None]:
        """Wait for a turn, and have it. Raises OperatorError when this person waits for too many already."""
        own = self._people.setdefault(person, _Person(asyncio.Semaphore(self._per_person)))
        if own.under_way >= self._most:
            raise _too_many(own.under_way)
        own.under_way += 1
        try:
            async with own.turns, self._all:
                yield
        finally:
            own.under_way -= 1
            if not own.under_way:
                del self._people[person]


def _too_many(count: int) -> OperatorError:
    return OperatorError(
        f"You have {count} commands under way already; this one was not run",
        why="so that one person's commands do not hold up the others'",
        what_next="Wait for their answers, then type it again. `stop-workers` never waits.",
    )
