"""Who gets a session of the pool next: pages and decisions before facts, these before questions."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
from collections.abc import Iterator
from contextvars import ContextVar

# How many sessions one leaves free, if there are as many, and so how many others go first.
_FIRST, _FACTS, _BEHIND = 0, 1, 2
_RANK: ContextVar[int] = ContextVar("rank", default=_FIRST)


@contextlib.contextmanager
def behind() -> Iterator[None]:
    """Whatever needs a session in here, in tasks that begin here too, waits until nothing else does."""
    with _ranked(_BEHIND):
        yield


@contextlib.contextmanager
def reading_facts() -> Iterator[None]:
    """Facts of the operated system, which may wait for locks of others: before questions, after pages and decisions."""
    with _ranked(max(_RANK.get(), _FACTS)):
        yield


@contextlib.contextmanager
def _ranked(rank: int) -> Iterator[None]:
    token = _RANK.set(rank)
    try:
        yield
    finally:
        _RANK.reset(token)


class WaitingList:
    """`count` sessions. A page waits for no facts and no question: these leave it the last one. Questions, which any
    number of people ask, leave one for the facts of the leader too.
    """

    def __init__(self, count: int) -> None:
        self._count = self._free = count
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()

    async def acquire(self) -> None:
        """Wait for a session. A cancelled waiter leaves none behind."""
        waiter = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (_RANK.get(), next(self._numbers), waiter))
        self._let_pass()
        try:
            await waiter
        except asyncio.CancelledError:
            if not waiter.cancelled():  # it was given at that very moment
                self.release()
            raise

    def release(self) -> None:
        self._free += 1
        self._let_pass()

    def _let_pass(self) -> None:
        while self._waiting and (self._waiting[0][2].done() or self._may_pass(self._waiting[0][0])):
            waiter = heapq.heappop(self._waiting)[2]
            if not waiter.done():
                self._free -= 1
                waiter.set_result(None)

    def _may_pass(self, rank: int) -> bool:
        return self._free > min(rank, self._count - 1)
