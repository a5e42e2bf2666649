"""Everything that only the leader does, together: its parts side by side, and retention once an hour."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, Protocol

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from bot.leader import Fence, LostLeadershipError
from bot.retention import EVERY, prune
from services.postgres.pool import Database


class Part(Protocol):
    """Works until it is cancelled. Raises LostLeadershipError when its fence does not hold."""

    async def run(self, fence: Fence) -> None: ...


class Leading:
    """The work that `bot.leader.Leader` runs while it holds the lease."""

    def __init__(self, database: Database, parts: Sequence[Part]) -> None:
        self._database = database
        self._parts = parts

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
