"""The senders of all means side by side, so that a slow mail server holds up no pager."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from bot.leader import Fence
from bot.notifications.reach import Reach
from bot.notifications.sender import NotificationSender
from bot.pulse import Pulse
from bot.web.metrics import Metrics
from services.domain.notifications import Means
from services.postgres.pool import Database

LATE_AFTER_S = 90.0  # three rounds without anything to send


class Notifiers:
    """A part of the leader's work. `ring` wakes all. `retell`: see `NotificationSender`."""

    def __init__(
        self,
        database: Database,
        reach: Reach,
        *,
        environment: str | None,
        workspace_url: Callable[[], str | None],
        channel: str,
        poll_s: Callable[[], float],
        told: Callable[[], None],
        metrics: Metrics,
        pulse: Pulse,
        retell: Callable[[str], Awaitable[None]],
    ) -> None:
        self._senders = [
            NotificationSender(
                means,
                database,
                reach,
                environment=environment,
                workspace_url=workspace_url,
                channel=channel,
                poll_s=poll_s,
                told=told,
                metrics=metrics,
                on_time=pulse.part(f"notifications by {means}", late_after_s=LATE_AFTER_S),
                retell=retell,
            )
            for means in Means
        ]

    def ring(self) -> None:
        """Something new may be there."""
        for sender in self._senders:
            sender.ring()

    async def run(self, fence: Fence) -> None:  # noqa: ARG002 - the locks of the rows are fence enough
        """Send until cancelled."""
        async with asyncio.TaskGroup() as group:
            for sender in self._senders:
                group.create_task(sender.run())
