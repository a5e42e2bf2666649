"""Wakes a loop at once that would otherwise only look by itself now and then."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable


class Bell:
    """`ring` may be called at any time; a ring during a look makes it look again."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Something new may be there."""
        self._rung.set()

    async def drive(self, look: Callable[[], Awaitable[float | None]]) -> None:
        """Look again and again, until cancelled: at each ring, and after as many seconds as the last look said (None:
        only at a ring)."""
        while True:
            self._rung.clear()
            wait_s = await look()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._rung.wait()
