"""Who gets one of a pool's sessions next: what the bot does by itself goes before what people ask."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
from collections.abc import Iterator
from contextvars import ContextVar

_IS_BEHIND: ContextVar[bool] = ContextVar("is_behind", default=False)


@contextlib.contextmanager
def behind() -> Iterator[None]:
    """Whatever needs a session in here, in tasks that begin here too, waits until nothing else does."""
    token = _IS_BEHIND.set(True)
    try:
        yield
    finally:
        _IS_BEHIND.reset(token)


class Turns:
    """`count` sessions. The last free one is kept for what is not `behind`, so that a page waits for no question."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._kept = 1 if count > 1 else 0
        self._waiting: list[tuple[bool, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()

    async def acquire(self) -> None:
        """Wait for a session. Whoever is cancelled leaves none behind."""
        turn = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (_IS_BEHIND.get(), next(self._numbers), turn))
        self._let_pass()
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it was given at that very moment
                self.release()
            raise

    def release(self) -> None:
        self._free += 1
        self._let_pass()

    def _let_pass(self) -> None:
        while self._waiting and (self._waiting[0][2].done() or self._may_pass(is_behind=self._waiting[0][0])):
            turn = heapq.heappop(self._waiting)[2]
            if not turn.done():
                self._free -= 1
                turn.set_result(None)

    def _may_pass(self, *, is_behind: bool) -> bool:
        return self._free > (self._kept if is_behind else 0)
