"""Tells an outside monitor that the bot is alive, sees, and gets its pages through; on the leader only.

The monitor raises the alarm when the calls stop: nobody else notices when the bot is dead, stuck or blind, and that it
cannot tell of by itself.
"""

from __future__ import annotations

import asyncio
import logging

from bot.leader import Fence
from bot.pulse import Pulse
from services.domain.errors import SourceError
from services.domain.secrets import Secret
from services.postgres import outbox
from services.postgres.pool import Database
from services.webhooks.client import Webhooks

logger = logging.getLogger(__name__)

EVERY_S = 30.0
PAGE_IS_LATE_S = 60.0  # one that Slack has not taken by then has not told anybody


class DeadMansSwitch:
    """`late` is what kept the last call back; empty when it was made."""

    def __init__(
        self, database: Database, webhooks: Webhooks, url: Secret, *, pulse: Pulse, every_s: float = EVERY_S
    ) -> None:
        self._database = database
        self._webhooks = webhooks
        self._url = url
        self._pulse = pulse
        self._every_s = every_s
        self.late: list[str] = []

    async def run(self, fence: Fence) -> None:  # noqa: ARG002 - a call too many by a former leader does no harm
        """Until cancelled."""
        while True:
            await asyncio.sleep(self._every_s)
            await self.look()

    async def look(self) -> None:
        """Call, unless something is late."""
        late = [*self._pulse.late(), *await self._late_pages()]
        if late != self.late:
            logger.warning("dead man's switch: %s", f"late: {', '.join(late)}" if late else "all is on time again")
        self.late = late
        if not late:
            await self._ping()

    async def _late_pages(self) -> list[str]:
        try:
            async with self._database.read() as conn:
                oldest_s = await outbox.read_oldest_page_s(conn)
        except SourceError:
            return ["database"]
        return ["pages to Slack"] if oldest_s > PAGE_IS_LATE_S else []

    async def _ping(self) -> None:
        try:
            await self._webhooks.ping(self._url)
        except SourceError as error:
            logger.warning("dead man's switch: the monitor was not reached: %s", error.why)
