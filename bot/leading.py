"""Everything that only the leader does, together: alerts, sending, the end of requests, retention."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from bot.alerts.watch import HeartbeatWatch
from bot.approvals.expiry import Expiry
from bot.leader import Fence, LostLeadershipError
from bot.outbox.sender import Sender
from bot.retention import EVERY, prune
from services.postgres.pool import Database


class Leading:
    """The work that `bot.leader.Leader` runs while it holds the lease."""

    def __init__(self, *, database: Database, watch: HeartbeatWatch, sender: Sender, expiry: Expiry) -> None:
        self._database = database
        self._parts = (watch, sender, expiry)

    async def run(self, fence: Fence) -> None:
        """Until cancelled; ends when one part does, with its error."""
        scheduler = AsyncIOScheduler(timezone="UTC")
        scheduler.add_job(prune, IntervalTrigger(seconds=int(EVERY.total_seconds())), args=(self._database, fence))
        scheduler.start()
        try:
            await _until_one_ends(*(part.run(fence) for part in self._parts))
        finally:
            scheduler.shutdown(wait=False)


async def _until_one_ends(*parts: Coroutine[Any, Any, None]) -> None:
    """Run all; the first error ends the others. Losing the lease is told as itself, not inside a group."""
    try:
        async with asyncio.TaskGroup() as group:
            for part in parts:
                group.create_task(part)
    except* LostLeadershipError:
        raise LostLeadershipError from None
