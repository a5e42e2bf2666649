"""Identical reads are one request, and its answer serves whoever asks a moment later."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class SharedReads(Generic[T]):
    """`serves_s`: how long an answer serves after it arrived. An error serves only those who wait for it already."""

    def __init__(self, serves_s: float) -> None:
        self._serves_s = serves_s
        self._newest: dict[str, asyncio.Task[T]] = {}
        self._running: set[asyncio.Task[T]] = set()

    async def read(self, key: str, ask: Callable[[], Coroutine[Any, Any, T]], *, anew: bool) -> T:
        """The answer. `anew`: of a request that begins now; it serves others all the same."""
        task = None if anew else self._newest.get(key)
        if task is None:
            task = self._begin(key, ask)
        return await asyncio.shield(task)  # whoever gives up waiting takes nothing away from the others

    def forget(self) -> None:
        """Something was changed: no answer from before serves any more."""
        self._newest.clear()

    async def aclose(self) -> None:
        """Give up what is under way."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _begin(self, key: str, ask: Callable[[], Coroutine[Any, Any, T]]) -> asyncio.Task[T]:
        task = self._newest[key] = asyncio.create_task(ask())
        self._running.add(task)
        task.add_done_callback(lambda done: self._end(key, done))
        return task

    def _end(self, key: str, task: asyncio.Task[T]) -> None:
        self._running.discard(task)
        if task.cancelled() or task.exception() is not None:  # looked at, so that asyncio does not complain
            self._drop(key, task)
        else:
            asyncio.get_running_loop().call_later(self._serves_s, self._drop, key, task)

    def _drop(self, key: str, task: asyncio.Task[T]) -> None:
        if self._newest.get(key) is task:
            del self._newest[key]
