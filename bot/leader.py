"""The leader lease: one replica at a time runs the alerts and sends to Slack.

The lease is a row with the database's clock. This process trusts it until `duration` after it *asked*, by its own
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

NAME = "leader"


@dataclass(frozen=True)
class Fence:
    """Proof of leadership, to be checked inside each transaction that only the leader may make."""

    owner: str
    epoch: int

    async def lock(self, conn: Connection) -> datetime:
        """Hold the lease until this transaction ends; the database's time, so that no other query asks for it.

        Raises LostLeadershipError when the lease is not ours any more.
        """
        now = await leases.lock_lease(conn, name=NAME, owner=self.owner, epoch=self.epoch)
        if now is None:
            raise LostLeadershipError
        return now


class LostLeadershipError(Exception):
    """Another replica leads, or may lead by now; the leader's work stops."""


class Leader:
    """Takes the lease, runs `work` while it is held, and cancels it when it is lost.

    `finish` is the last thing done before the lease is given up in an orderly shutdown; it bounds itself.
    `database_problem` is what the last try said about the database; None when it answered and took a write.
    `refuses_writes`: it answers, and takes no writes. `led_last`: whether this process held the lease when the database
    answered last.
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
        """Until cancelled; then `release`."""
        while True:
            await self._renew()
            await self._sleep()

    async def release(self) -> None:
        """Stop the work, finish, and let a successor take over at once."""
        fence = self._fence if self.is_leading else None
        await self._stop()
        if fence is None:
            return
        await self._finish(fence)
        try:
            async with self._database.transaction(timeout_s=self._answer_within_s) as conn:
                await leases.release_lease(conn, name=NAME, owner=fence.owner, epoch=fence.epoch)
        except SourceError as error:
            logger.warning("the leader lease was not released: %s; it runs out by itself", error.why)

    async def _renew(self) -> None:
        asked_at = asyncio.get_running_loop().time()
        try:
            async with self._database.transaction(timeout_s=self._answer_within_s) as conn:
                epoch = await leases.take_lease(conn, name=NAME, owner=self._owner, duration=self._duration)
        except SourceError as error:
            self._note(error)
            if not self.is_leading:
                await self._stop()
            return
        # A lease that is renewed in place, or held by another replica, does not prove that anything new can be stored.
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
        """The work ends with the lease; when it fails, the next renewal starts it again."""
        try:
            await self._work(fence)
        except LostLeadershipError:
            logger.info("no longer leading")
        except Exception:
            logger.exception("the leader's work failed")

    async def _sleep(self) -> None:
        """Until the next renewal; earlier when the lease would run out before it, so that nothing outlives it."""
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
