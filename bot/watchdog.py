"""The dead man's switch: pings an outside monitor while the leader's periodic tasks are not late.

The monitor alerts when the pings stop, because a bot that is dead, stuck or cut off can't report that by itself.
"""

from __future__ import annotations

import logging

from bot.leader import Fence
from bot.periodic_tasks import HeartbeatMonitor, PeriodicTask
from services.clients.pagers.webhook import Webhooks
from services.clients.postgres import messages
from services.clients.postgres.pool import Database
from services.domain.errors import SourceError
from services.domain.secrets import Secret

logger = logging.getLogger(__name__)

EVERY_S = 30.0
PAGE_IS_LATE_S = 60.0  # a page that Slack has not accepted by then has reached no one


class DeadMansSwitch(PeriodicTask):
    """Pings the monitor. `late`: the reasons why the last ping was not sent; empty if it was."""

    name = "dead man's switch"

    def __init__(
        self,
        database: Database,
        webhooks: Webhooks,
        url: Secret,
        *,
        heartbeat_monitor: HeartbeatMonitor,
        every_s: float = EVERY_S,
    ) -> None:
        super().__init__()
        self._database = database
        self._webhooks = webhooks
        self._url = url
        self._heartbeat_monitor = heartbeat_monitor
        self.interval_s = self.first_after_s = every_s
        self.late: list[str] = []

    async def tick(self, fence: Fence) -> None:  # noqa: ARG002 - an extra ping by a former leader does no harm
        """Ping the monitor unless a task or a page is late."""
        late = [*self._heartbeat_monitor.late(), *await self._late_pages()]
        if late != self.late:
            logger.warning(
                "dead man's switch: %s", f"late: {', '.join(late)}" if late else "all periodic work is on time again"
            )
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
