"""The dead man's switch: reports to an outside monitor while the leader's checkpoints are on time.

The monitor raises the alarm when the calls stop: nobody else notices when the bot is dead, stuck or blind, and that it
cannot tell of by itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from bot.leader import Fence
from services.clients.pagers.webhook import Webhooks
from services.clients.postgres import messages
from services.clients.postgres.pool import Database
from services.domain.errors import SourceError
from services.domain.secrets import Secret


class HeartbeatMonitor:
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


logger = logging.getLogger(__name__)

EVERY_S = 30.0
PAGE_IS_LATE_S = 60.0  # one that Slack has not taken by then has not told anybody


class DeadMansSwitch:
    """`late` is what kept the last call back; empty when it was made."""

    def __init__(
        self,
        database: Database,
        webhooks: Webhooks,
        url: Secret,
        *,
        heartbeat_monitor: HeartbeatMonitor,
        every_s: float = EVERY_S,
    ) -> None:
        self._database = database
        self._webhooks = webhooks
        self._url = url
        self._heartbeat_monitor = heartbeat_monitor
        self._every_s = every_s
        self.late: list[str] = []

    async def run(self, fence: Fence) -> None:  # noqa: ARG002 - a call too many by a former leader does no harm
        """Until cancelled."""
        while True:
            await asyncio.sleep(self._every_s)
            await self.look()

    async def look(self) -> None:
        """Call, unless something is late."""
        late = [*self._heartbeat_monitor.late(), *await self._late_pages()]
        if late != self.late:
            logger.warning("dead man's switch: %s", f"late: {', '.join(late)}" if late else "all is on time again")
        self.late = late
        if not late:
            await self._ping()

    async def _late_pages(self) -> list[str]:
        try:
            async with self._database.read() as conn:
                oldest_s = await messages.read_oldest_page_s(conn)
        except SourceError:
            return ["database"]
        return ["pages to Slack"] if oldest_s > PAGE_IS_LATE_S else []

    async def _ping(self) -> None:
        try:
            await self._webhooks.ping(self._url)
        except SourceError as error:
            logger.warning("dead man's switch: the monitor was not reached: %s", error.why)
