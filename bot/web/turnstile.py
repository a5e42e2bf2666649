"""Limits how many look-ups for strangers run at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

AT_ONCE, MAY_WAIT = 2, 20  # strangers don't take the sessions that pages need

T = TypeVar("T")


class Turnstile:
    """Runs AT_ONCE look-ups at a time, and lets MAY_WAIT wait; the others get 503 from their route."""

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    @property
    def is_full(self) -> bool:
        return self._waiting >= MAY_WAIT

    async def run(self, work: Awaitable[T]) -> T:
        self._waiting += 1
        try:
            async with self._slots:
                return await work
        finally:
            self._waiting -= 1
