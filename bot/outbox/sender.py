"""Makes Slack look like the outbox, in two lanes: pages that Slack has never seen, and the rest; on the leader only."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

from bot.bell import Bell
from bot.leader import Fence, LostLeadershipError
from bot.outbox.decide import Gates
from bot.outbox.lane import OutboxLane
from bot.outbox.undeliverable import Undeliverable
from bot.web.metrics import Metrics
from services.domain.errors import SourceError
from services.domain.outbox import Lane
from services.postgres.pool import Database
from services.slack.client import SlackClient

logger = logging.getLogger(__name__)

FLUSH_S = 5.0  # a shutdown waits behind it
RETRY_S = 1.0  # after a round that the database failed; the notice of a page may have been lost with it


class Sender:
    """`ring` wakes it; without a ring it looks every `poll_s()` seconds. `slack` is impatient: 429 is minded here.

    `on_time` is called after each round through the pages. `undeliverable` tells pages elsewhere that Slack refuses.
    `workspace_url`: "https://acme.slack.com/", for links; None while it is not known.
    """

    def __init__(
        self,
        database: Database,
        slack: SlackClient,
        *,
        poll_s: Callable[[], float],
        metrics: Metrics,
        on_time: Callable[[], None] = lambda: None,
        undeliverable: Undeliverable | None = None,
        workspace_url: Callable[[], str | None] = lambda: None,
    ) -> None:
        gates, undeliverable = Gates(), undeliverable or Undeliverable(slack)
        self._lanes = {
            lane: OutboxLane(
                lane,
                database,
                slack,
                gates=gates,
                metrics=metrics,
                undeliverable=undeliverable,
                workspace_url=workspace_url,
            )
            for lane in Lane
        }
        self._bells = {lane: Bell() for lane in Lane}
        self._poll_s = poll_s
        self._on_time = on_time

    def ring(self) -> None:
        """Something new may be in the outbox."""
        for bell in self._bells.values():
            bell.ring()

    async def run(self, fence: Fence) -> None:
        """Send until cancelled. Raises LostLeadershipError."""
        async with asyncio.TaskGroup() as group:
            for lane in Lane:
                group.create_task(self._drive(lane, fence))

    async def flush(self, fence: Fence) -> None:
        """Send what is due, for at most five seconds: the last thing before a shutdown."""
        with contextlib.suppress(TimeoutError, SourceError, LostLeadershipError):
            async with asyncio.timeout(FLUSH_S):
                while await self.send_due(fence) == 0.0:
                    continue

    async def send_due(self, fence: Fence) -> float:
        """Send everything that is due; seconds until the next may be. Raises SourceError when the database is away."""
        waits = [await self._lanes[lane].send_due(fence) for lane in Lane]
        return min([wait for wait in waits if wait is not None], default=self._poll_s())

    async def _drive(self, lane: Lane, fence: Fence) -> None:
        async def look() -> float:
            wait_s = await self._pass(lane, fence)
            if lane is Lane.PAGES:  # what was posted may have a thread by now, or other words already
                self._bells[Lane.REST].ring()
            return wait_s

        await self._bells[lane].drive(look)

    async def _pass(self, lane: Lane, fence: Fence) -> float:
        try:
            wait_s = await self._lanes[lane].send_due(fence)
        except SourceError as error:
            logger.warning("outbox: %s", error.why)
            return min(RETRY_S, self._poll_s())
        if lane is Lane.PAGES:
            self._on_time()
        return self._poll_s() if wait_s is None else min(wait_s, self._poll_s())
