"""One message per second and channel: Slack's own limit for posting."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

PER_CHANNEL_S = 1.0
_REMEMBERED = 500  # channels; one that was quiet for so long is not limited anyway


class Pace:
    """Lets each channel's callers pass one after the other, `every_s` seconds apart."""

    def __init__(self, every_s: float = PER_CHANNEL_S) -> None:
        self._every_s = every_s
        self._next: OrderedDict[str, float] = OrderedDict()

    async def wait(self, channel: str) -> None:
        """Take the next free moment of the channel and wait for it."""
        now = asyncio.get_running_loop().time()
        at = max(now, self._next.pop(channel, now))
        self._next[channel] = at + self._every_s
        while len(self._next) > _REMEMBERED:
            self._next.popitem(last=False)
        await asyncio.sleep(at - now)
