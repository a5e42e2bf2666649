"""Tells whoever watches that something changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator


class Changes:
    """A counter that can be waited for. Many changes between two looks are one tick: nobody falls behind."""

    def __init__(self) -> None:
        self.count = 0
        self._watchers: set[asyncio.Event] = set()

    def tick(self) -> None:
        """Say that something changed."""
        self.count += 1
        for watcher in self._watchers:
            watcher.set()

    async def subscribe(self) -> AsyncIterator[int]:
        """The counter now, and again after each change."""
        watcher = asyncio.Event()
        self._watchers.add(watcher)
        try:
            while True:
                watcher.clear()
                yield self.count
                await watcher.wait()
        finally:
            self._watchers.discard(watcher)
