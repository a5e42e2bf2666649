"""Whether the parts of the leader's work that wake people are on time: each says so at the end of a good round."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Pulse:
    """`late` names the parts that have not finished a round in time, or never did. By the event loop's clock."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}
        self._late_after_s: dict[str, float] = {}

    def part(self, name: str, *, late_after_s: float) -> Callable[[], None]:
        """Watch over a part; what it is to call whenever it has seen everything and done what it had to."""
        self._late_after_s[name] = late_after_s

        def finished() -> None:
            self._last[name] = asyncio.get_running_loop().time()

        return finished

    def late(self) -> list[str]:
        """The parts that are late now, in the order in which they were made known."""
        now = asyncio.get_running_loop().time()
        return [name for name, limit in self._late_after_s.items() if now - self._last.get(name, -limit - 1) > limit]
