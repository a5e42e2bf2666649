"""Everything that only the leader does, together: its parts side by side, and retention once an hour."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Sequence
from datetime import UTC, timedelta
from typing import Any, Protocol

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from bot.bell import Bell
from bot.leader import Fence, LostLeadershipError
from bot.retention import EVERY, prune
from services.domain.errors import OperatorError, SourceError
from services.postgres.pool import Database

logger = logging.getLogger(__name__)


class Part(Protocol):
    """Works until it is cancelled. Raises LostLeadershipError when its fence does not hold."""

    async def run(self, fence: Fence) -> None: ...


class Rounds(ABC):
    """A part that looks, waits and looks again: at each ring, after as many seconds as its last look said, and after
    `retry_s` when a look failed. `name` is for the log."""

    name: str
    retry_s = 5.0

    def __init__(self) -> None:
        self._bell = Bell()

    def ring(self) -> None:
        """Something may be due earlier than it was."""
        self._bell.ring()

    async def run(self, fence: Fence) -> None:
        """Until cancelled. Raises LostLeadershipError."""
        await self._bell.drive(lambda: self._look_or_retry(fence))

    @abstractmethod
    async def look(self, fence: Fence) -> float | None:
        """One round; seconds until the next one, None: at a ring only.

        Raises LostLeadershipError, SourceError, and OperatorError when somebody was faster.
        """

    async def _look_or_retry(self, fence: Fence) -> float | None:
        try:
            return await self.look(fence)
        except (SourceError, OperatorError) as error:
            logger.warning("%s: %s", self.name, error.why)
            return self.retry_s


class Leading:
    """The work that `bot.leader.Leader` runs while it holds the lease."""

    def __init__(self, database: Database, parts: Sequence[Part], *, keep_run_steps: timedelta | None = None) -> None:
        self._database = database
        self._parts = parts
        self._keep_run_steps = keep_run_steps

    async def run(self, fence: Fence) -> None:
        """Until cancelled; ends when one part does, with its error."""
        # Not by name, and not the machine's own: neither needs a time zone database.
        scheduler = AsyncIOScheduler(timezone=UTC)
        hourly = IntervalTrigger(seconds=int(EVERY.total_seconds()), timezone=UTC)
        scheduler.add_job(prune, hourly, args=(self._database, fence, self._keep_run_steps))
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
