"""Limits how many commands read the world at once, and how many public answers a channel gets."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from services.domain.errors import OperatorError

AT_ONCE, PER_PERSON = 4, 2  # doctor reads some twenty things; leading, pages and runs share the process with it
WAITING = 6  # of one person, before more are refused


@dataclass
class _Person:
    slots: asyncio.Semaphore
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
            async with own.slots, self._all:
                yield
        finally:
            own.under_way -= 1
            if not own.under_way:
                del self._people[person]


def _too_many(count: int) -> OperatorError:
    return OperatorError(
        f"You already have {count} commands running; this one was not run",
        why="one person's commands must not delay those of others",
        what_next="Wait for their answers, then type it again. `stop-workers` never waits.",
    )


@dataclass(frozen=True)
class Rate:
    """`burst` at once, then one per `every_s` seconds."""

    burst: int
    every_s: float


PER_CHANNEL, PUBLIC_ANSWERS_PER_PERSON = Rate(12, 5.0), Rate(6, 10.0)


class PublicAnswers:
    """Counts for each channel, and for each person in it. `clock` is monotonic, in seconds."""

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        per_channel: Rate = PER_CHANNEL,
        per_person: Rate = PUBLIC_ANSWERS_PER_PERSON,
    ) -> None:
        self._clock = clock
        self._per_channel = per_channel
        self._per_person = per_person
        self._due_at: dict[tuple[str, str | None], float] = {}  # when as much was given as the rate allows

    def take(self, channel: str, person: str) -> bool:
        """Whether one more may be shown to everyone there; it counts then."""
        now = self._clock()
        self._due_at = {key: due_at for key, due_at in self._due_at.items() if due_at > now}
        wanted = {(channel, None): self._per_channel, (channel, person): self._per_person}
        due_at = {key: max(self._due_at.get(key, now), now) + rate.every_s for key, rate in wanted.items()}
        if any(due_at[key] > now + rate.burst * rate.every_s for key, rate in wanted.items()):
            return False
        self._due_at |= due_at
        return True
