"""Everything that only the leader runs, side by side, and retention once per hour."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Sequence
from datetime import UTC, timedelta
from typing import Any, Protocol

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from bot.leader import Fence, LostLeadershipError
from bot.wake_ups import WakeUp, drive
from services.clients.postgres import alerts, deployments, leases, messages, runs
from services.clients.postgres.pool import Database
from services.domain.errors import OperatorError, SourceError

logger = logging.getLogger(__name__)

EVERY = timedelta(hours=1)
DELIVERIES = timedelta(hours=24)  # Slack gives up after minutes
OUTBOX = timedelta(days=30)
NOTIFICATIONS = DRILLS = timedelta(days=90)
LEASES = timedelta(days=1)  # of runs that have ended
DECISIONS = timedelta(days=30)  # why people were told, or not
ALERTS = timedelta(days=90)  # and silences
RUNS_AT_ONCE = 100  # a run has tens of steps


async def prune(database: Database, fence: Fence, run_steps: timedelta | None = None) -> None:
    """One round; what fails is tried again in an hour. `run_steps`: how long they are kept; None: for ever."""
    try:
        async with database.transaction() as conn:
            await fence.lock(conn)
            deleted = await messages.prune_deliveries(conn, older_than=DELIVERIES)
            await leases.prune_run_leases(conn, older_than=LEASES)
            await alerts.prune_drills(conn, older_than=DRILLS)
            await messages.prune_notifications(conn, older_than=NOTIFICATIONS)
            await alerts.prune_alert_decisions(conn, older_than=DECISIONS)
            await alerts.prune_alerts(conn, older_than=ALERTS)
            await alerts.prune_silences(conn, older_than=ALERTS)
            await deployments.prune_observed_replicas(conn, older_than=DECISIONS)
            forgotten = await messages.prune_outbox(conn, older_than=OUTBOX)
        while run_steps is not None and await _prune_run_steps(database, fence, run_steps) == RUNS_AT_ONCE:
            continue
    except SourceError as error:
        logger.warning("retention: %s", error.why)
    else:
        logger.info("retention: %d deliveries and %d messages deleted", deleted, forgotten)


async def _prune_run_steps(database: Database, fence: Fence, older_than: timedelta) -> int:
    """Of some runs, in a transaction of their own: how many."""
    async with database.transaction() as conn:
        await fence.lock(conn)
        return await runs.prune_run_steps(conn, older_than=older_than, limit=RUNS_AT_ONCE)


class Part(Protocol):
    """Works until it is cancelled. Raises LostLeadershipError when its fence does not hold."""

    async def run(self, fence: Fence) -> None: ...


class PeriodicTask(ABC):
    """A part that looks, waits and looks again: at each of its wake-ups, after as many seconds as its last look said,
    and after `retry_s` when a look failed. `name` is for the log."""

    name: str
    retry_s = 5.0

    def __init__(self, *wake_ups: WakeUp) -> None:
        self._woken_by = wake_ups

    async def run(self, fence: Fence) -> None:
        """Until cancelled. Raises LostLeadershipError."""
        await drive(lambda: self._look_or_retry(fence), *self._woken_by)

    @abstractmethod
    async def look(self, fence: Fence) -> float | None:
        """One round; seconds until the next one, None: at a wake-up only.

        Raises LostLeadershipError, SourceError, and OperatorError when somebody was faster.
        """

    async def _look_or_retry(self, fence: Fence) -> float | None:
        try:
            return await self.look(fence)
        except (SourceError, OperatorError) as error:
            logger.warning("%s: %s", self.name, error.why)
            return self.retry_s


class LeaderTasks:
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
