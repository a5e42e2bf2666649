"""Limits for commands that run at once, for public answers per channel, and for the audit rows that a flood writes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass

from services.domain.errors import OperatorError

AT_ONCE, PER_PERSON = 4, 2  # doctor alone makes about 20 reads; the leader's tasks, pages and runs share the process
WAITING = 6  # waiting commands per person; more are refused


@dataclass
class _Person:
    slots: asyncio.Semaphore
    under_way: int = 0


class Admission:
    """Admits a limited number of commands at once, in their order; one person's queue does not block other people."""

    def __init__(self, *, at_once: int = AT_ONCE, per_person: int = PER_PERSON, waiting: int = WAITING) -> None:
        self._all = asyncio.Semaphore(at_once)
        self._per_person = per_person
        self._most = per_person + waiting
        self._people: dict[str, _Person] = {}

    @contextlib.asynccontextmanager
    async def admit(self, person: str) -> AsyncIterator[None]:
        """Wait for a free slot and hold it inside the block. Raises OperatorError if the person has too many."""
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
        why="one person's commands must not delay other people's",
        what_next="Wait for their answers, then type it again. `stop-workers` never waits.",
    )


@dataclass(frozen=True)
class Rate:
    """A rate limit: `burst` at once, then one per `every_s` seconds."""

    burst: int
    every_s: float


PER_CHANNEL, PUBLIC_ANSWERS_PER_PERSON = Rate(12, 5.0), Rate(6, 10.0)


class PublicAnswers:
    """Rate limit of public answers, per channel and per person in a channel. `clock` is monotonic, in seconds."""

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
        self._due_at: dict[tuple[str, str | None], float] = {}  # the time until which the rate is used up

    def take(self, channel: str, person: str) -> bool:
        """Count one more public answer and return True; False, without counting, if the limit is reached."""
        now = self._clock()
        self._due_at = {key: due_at for key, due_at in self._due_at.items() if due_at > now}
        wanted = {(channel, None): self._per_channel, (channel, person): self._per_person}
        due_at = {key: max(self._due_at.get(key, now), now) + rate.every_s for key, rate in wanted.items()}
        if any(due_at[key] > now + rate.burst * rate.every_s for key, rate in wanted.items()):
            return False
        self._due_at |= due_at
        return True


AUDIT_EVERY_S = 60.0
AUDIT_ROWS_PER_PERSON = 20  # per minute, for all acts together
AUDITED_AT_MOST = 10_000  # remembered pairs of a person and an act
OTHER_ACTS = "others"


@dataclass
class _Minute:
    """Counts since the first row of the minute: rows written and rows held back. `began_at`: monotonic seconds."""

    began_at: float
    rows: int = 1
    held_back: int = 0


Count = Callable[[str, str], int | None]  # (who, act), as `AuditLimit.count`


class AuditLimit:
    """Limits the audit rows of a flood of refusals or reads: one per person, act and minute, which holds the count, and
    20 per person and minute. One person's flood holds back no row of another person.

    `clock` is monotonic, in seconds. Each replica counts for itself.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._minutes: dict[tuple[str, str | None], _Minute] = {}  # (who, act); act None: all acts of the person

    def count(self, who: str, act: str) -> int | None:
        """Return the number of occurrences that a row written now stands for; None if the row is held back."""
        now = self._clock()
        same, all_of_them = self._minutes.get((who, act)), self._minutes.get((who, None))
        if same is not None and now - same.began_at < AUDIT_EVERY_S:
            same.held_back += 1
            return None
        is_young = all_of_them is not None and now - all_of_them.began_at < AUDIT_EVERY_S
        if all_of_them is not None and is_young and all_of_them.rows >= AUDIT_ROWS_PER_PERSON:
            all_of_them.held_back += 1
            return None
        self._forget(now)
        before = same.held_back if same is not None else 0
        if all_of_them is not None and is_young:
            all_of_them.rows += 1
        else:
            before += all_of_them.held_back if all_of_them is not None else 0
            self._minutes[who, None] = _Minute(now)
        self._minutes[who, act] = _Minute(now)
        return 1 + before

    @contextlib.contextmanager
    def counting(self) -> Iterator[Count]:
        """Yield a `count` for one transaction. If the transaction fails, its counts are given back, so that the next
        row is written at once and includes them."""
        counted: list[tuple[str, str, int]] = []

        def count(who: str, act: str) -> int | None:
            due = self.count(who, act)
            if due is not None:
                counted.append((who, act, due))
            return due

        try:
            yield count
        except BaseException:
            for who, act, due in counted:
                lost = self._minutes.pop((who, act), None)  # includes what concurrent calls counted meanwhile
                self.give_back({who: {act: due + (lost.held_back if lost else 0)}})
                if (all_of_them := self._minutes.get((who, None))) is not None:
                    all_of_them.rows = max(all_of_them.rows - 1, 0)
            raise

    def take_held_back(self, *, most: int, at_once: bool = False) -> dict[str, dict[str, int]]:
        """Remove and return the held-back counts of minutes that are over, of `most` people at most, as
        `{who: {act: count}}`. The caller writes them or gives them back. `at_once`: also of minutes that go on."""
        now = self._clock()
        found: dict[str, dict[str, int]] = {}
        for (who, act), one in list(self._minutes.items()):
            is_over = at_once or now - one.began_at >= AUDIT_EVERY_S
            if one.held_back and is_over and (who in found or len(found) < most):
                found.setdefault(who, {})[act or OTHER_ACTS] = one.held_back
                del self._minutes[who, act]
        return found

    def give_back(self, held_back: Mapping[str, Mapping[str, int]]) -> None:
        """Restore counts that could not be written; the next row or the next `take_held_back` includes them."""
        over_since = self._clock() - AUDIT_EVERY_S
        for who, acts in held_back.items():
            for act, count in acts.items():
                key = (who, None if act == OTHER_ACTS else act)
                self._minutes.setdefault(key, _Minute(over_since)).held_back += count

    def _forget(self, now: float) -> None:
        """Drop old entries when there are too many; without a bound, made-up user ids would fill the memory."""
        if len(self._minutes) >= AUDITED_AT_MOST:
            self._minutes = {
                key: one for key, one in self._minutes.items() if one.held_back or now - one.began_at < AUDIT_EVERY_S
            }
        if len(self._minutes) >= AUDITED_AT_MOST:
            self._minutes.clear()


def times(count: int) -> dict[str, int]:
    """The audit detail `times` for a row that stands for several occurrences; empty for 1."""
    return {"times": count} if count > 1 else {}
