"""The order in which callers get a session of the pool: pages and decisions, then facts, then questions."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
from collections.abc import Iterator
from contextvars import ContextVar

# The rank of a caller: lower ones go first, and a caller leaves as many sessions free as its rank, if there are enough.
_FIRST, _FACTS, _BEHIND = 0, 1, 2
_RANK: ContextVar[int] = ContextVar("rank", default=_FIRST)


@contextlib.contextmanager
def behind() -> Iterator[None]:
    """Give this block, and tasks started in it, the lowest rank: they get a session when no other caller needs one."""
    with _ranked(_BEHIND):
        yield


@contextlib.contextmanager
def reading_facts() -> Iterator[None]:
    """Give this block the rank of facts: after pages and decisions, before questions.

    Reads of the operated system may wait for locks of other sessions.
    """
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
    """Hands out `count` sessions by rank.

    Facts and questions leave the last session to pages. Questions, which any number of people ask, leave one more to
    the leader's facts.
    """

    def __init__(self, count: int) -> None:
        self._count = self._free = count
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()

    async def acquire(self) -> None:
        """Wait for a session. A cancelled caller takes none."""
        waiter = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (_RANK.get(), next(self._numbers), waiter))
        self._let_pass()
        try:
            await waiter
        except asyncio.CancelledError:
            if not waiter.cancelled():  # the session was handed over in the same moment
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
