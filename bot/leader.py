"""The leader lease: one replica at a time evaluates alerts and sends to Slack.

The lease is a row timed by the database's clock. This process counts `duration` from the moment it *asked*, by its own
monotonic clock, so it stops before another replica may start.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from bot.config.timing import LeaseSettings
from services.clients.postgres import leases
from services.clients.postgres.pool import Connection, Database
from services.clients.postgres.writes import WriteProbe
from services.domain.errors import SourceError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fence:
    """Proof of leadership, checked inside each transaction that only the leader may make."""

    owner: str
    epoch: int

    async def lock(self, conn: Connection) -> datetime:
        """Lock the lease row until this transaction ends. Returns the database's time, which saves a query for it.

        Raises LostLeadershipError if this process no longer holds the lease.
        """
        now = await leases.lock_lease(conn, name=leases.LEADER, owner=self.owner, epoch=self.epoch)
        if now is None:
            raise LostLeadershipError
        return now


class LostLeadershipError(Exception):
    """Another replica leads, or may lead by now, so this process stops its leader tasks."""


class Leader:
    """Takes the lease, runs `work` while the lease is held, and cancels `work` when it is lost.

    `finish` runs last before an orderly shutdown releases the lease; it has its own time limit.
    `database_problem`: the problem found at the last renewal; None if the database answered and accepted a write.
    `refuses_writes`: the database answers but accepts no writes. `led_last`: this process held the lease at the last
    answer of the database.
    """

    def __init__(
        self,
        database: Database,
        *,
        owner: str,
        settings: LeaseSettings,
        writes: WriteProbe,
        work: Callable[[Fence], Awaitable[None]],
        finish: Callable[[Fence], Awaitable[None]],
    ) -> None:
        self._database = database
        self._owner = owner
        self._duration = settings.duration
        self._renew_every_s = settings.renew_every.total_seconds()
        self._answer_within_s = (settings.answer_within or settings.renew_every).total_seconds()
        self._writes = writes
        self._work = work
        self._finish = finish
        self._working: asyncio.Task[None] | None = None
        self._fence: Fence | None = None
        self._held_until = 0.0
        self.database_problem: str | None = "not asked yet"
        self.refuses_writes = False
        self.led_last = False

    @property
    def is_leading(self) -> bool:
        return self._fence is not None and asyncio.get_running_loop().time() < self._held_until

    async def run(self) -> None:
        """Take and renew the lease until cancelled; call `release` afterwards."""
        while True:
            await self._renew()
            await self._sleep()

    async def release(self) -> None:
        """Cancel the work, run `finish`, and release the lease so that another replica can take it at once."""
        fence = self._fence if self.is_leading else None
        await self._stop()
        if fence is None:
            return
        await self._finish(fence)
        try:
            async with self._database.transaction(timeout_s=self._answer_within_s) as conn:
                await leases.release_lease(conn, name=leases.LEADER, owner=fence.owner, epoch=fence.epoch)
        except SourceError as error:
            logger.warning("the leader lease was not released: %s; it expires by itself", error.why)

    async def _renew(self) -> None:
        asked_at = asyncio.get_running_loop().time()
        try:
            async with self._database.transaction(timeout_s=self._answer_within_s) as conn:
                epoch = await leases.take_lease(conn, name=leases.LEADER, owner=self._owner, duration=self._duration)
        except SourceError as error:
            self._note(error)
            if not self.is_leading:
                await self._stop()
            return
        # A lease that was renewed in place, or is held by another replica, does not prove that new rows can be stored.
        self._note(await self._writes.problem())
        self.led_last = epoch is not None
        if epoch is None:
            await self._stop()
        else:
            self._held_until = asked_at + self._duration.total_seconds()
            await self._lead(Fence(self._owner, epoch))

    async def _lead(self, fence: Fence) -> None:
        if self._fence == fence and self._working is not None and not self._working.done():
            return
        await self._stop()
        logger.info("leading (epoch %d)", fence.epoch)
        self._fence = fence
        self._working = asyncio.create_task(self._guarded(fence))

    async def _guarded(self, fence: Fence) -> None:
        """Run the work until the lease is lost. If it fails, the next renewal starts it again."""
        try:
            await self._work(fence)
        except LostLeadershipError:
            logger.info("no longer leading")
        except Exception:
            logger.exception("the leader's work failed")

    async def _sleep(self) -> None:
        """Sleep until the next renewal. If the lease expires earlier, stop the work at that time."""
        now = asyncio.get_running_loop().time()
        left = self._held_until - now
        if self._fence is None or left > self._renew_every_s:
            await asyncio.sleep(self._renew_every_s)
            return
        await asyncio.sleep(max(left, 0))
        if not self.is_leading:
            await self._stop()

    async def _stop(self) -> None:
        working, self._working = self._working, None
        self._fence = None
        if working is not None:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)

    def _note(self, error: SourceError | None) -> None:
        problem = error.why if error else None
        if problem != self.database_problem:
            logger.info("database: %s", problem or "reachable")
        self.database_problem = problem
        self.refuses_writes = error is not None and error.takes_no_writes
