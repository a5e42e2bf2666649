"""One message per second and channel, Slack's own limit for posting; the most urgent that waits goes next."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections import OrderedDict
from dataclasses import dataclass, field
from enum import IntEnum

PER_CHANNEL_S = 1.0
_REMEMBERED = 500  # channels; one that was quiet for so long is not limited anyway


class Urgency(IntEnum):
    """What waits for its moment, the most urgent first. PAGE: somebody is to be woken. NOTE: anything the bot says by
    itself. ANSWER: what people asked."""

    PAGE = 0
    NOTE = 1
    ANSWER = 2


@dataclass
class _Channel:
    """`free_at`: the next moment in which something may be posted. `waiting`: a heap of urgency, number, and turn."""

    free_at: float = 0.0
    waiting: list[tuple[Urgency, int, asyncio.Future[None]]] = field(default_factory=list)
    timer: asyncio.TimerHandle | None = None


class Pace:
    """Lets each channel's callers pass one after the other, `every_s` seconds apart."""

    def __init__(self, every_s: float = PER_CHANNEL_S) -> None:
        self._every_s = every_s
        self._channels: OrderedDict[str, _Channel] = OrderedDict()
        self._numbers = itertools.count()
        self._pages_only_until = 0.0

    async def wait(self, channel: str, urgency: Urgency = Urgency.ANSWER) -> None:
        """Wait until nothing as urgent came before, and take the channel's next free moment."""
        at = self._channel(channel)
        turn = asyncio.get_running_loop().create_future()
        heapq.heappush(at.waiting, (urgency, next(self._numbers), turn))
        self._let_pass(at)
        await turn  # whoever is cancelled leaves a turn that is done, and is passed over

    def leave_to_pages(self, until: float) -> None:
        """Nothing but pages passes before this moment of the loop's clock: Slack refused one, and says when it may."""
        self._pages_only_until = max(until, self._pages_only_until)

    def _let_pass(self, at: _Channel) -> None:
        """Whoever may go now goes; a timer comes back for the rest."""
        now = asyncio.get_running_loop().time()
        if at.timer is not None:
            at.timer.cancel()
            at.timer = None
        while at.waiting and (at.waiting[0][2].done() or self._opens_at(at) <= now):
            turn = heapq.heappop(at.waiting)[2]
            if not turn.done():
                turn.set_result(None)
                at.free_at = now + self._every_s
        if at.waiting:
            at.timer = asyncio.get_running_loop().call_at(self._opens_at(at), self._let_pass, at)

    def _opens_at(self, at: _Channel) -> float:
        """When the first of those who wait may go."""
        return at.free_at if at.waiting[0][0] is Urgency.PAGE else max(at.free_at, self._pages_only_until)

    def _channel(self, name: str) -> _Channel:
        at = self._channels.pop(name, None) or _Channel()
        self._channels[name] = at
        while len(self._channels) > _REMEMBERED and not next(iter(self._channels.values())).waiting:
            self._channels.popitem(last=False)
        return at
