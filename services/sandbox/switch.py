"""The page's switch between environments.

The first environment runs from the start; the second is started when it is chosen for the first time, so that the demo
starts as quickly and stays as small as without it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from services.sandbox.environment import Identity


@dataclass(frozen=True)
class Choice:
    """One environment in the switch. `prefix`: of its page's URLs."""

    name: str
    mark: str
    prefix: str
    is_running: bool


class Switch:
    """The switch. `start_second`: starts the second environment; returns when a person can type its command.

    `fill_second`: gives it data to show, once.
    """

    def __init__(
        self,
        identities: Sequence[Identity],
        start_second: Callable[[], Awaitable[None]],
        fill_second: Callable[[], Awaitable[None]],
    ) -> None:
        self._first, self._second = identities
        self._start_second = start_second
        self._fill_second = fill_second
        self._starting = asyncio.Lock()
        self._runs = False

    def choices(self) -> list[Choice]:
        """The environments in the order in which they are shown."""
        return [_choice(self._second, is_running=self._runs), _choice(self._first, is_running=True)]

    async def start(self) -> str:
        """Start the second environment if it does not run; return its page's prefix. Concurrent calls start it once."""
        async with self._starting:
            if not self._runs:
                await self._start_second()
                self._runs = True  # even if it can't be filled: a second start would use the same folder
                await self._fill_second()
        return self._second.prefix


def _choice(identity: Identity, *, is_running: bool) -> Choice:
    return Choice(identity.environment, identity.mark, identity.prefix, is_running)
