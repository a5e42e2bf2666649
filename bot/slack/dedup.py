"""Handles each payload once, across replicas and restarts.

A redelivery of finished work does nothing. A redelivery of unfinished work does the work once the claim of the replica
that started it has expired. Without a database, each replica deduplicates only its own deliveries.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from services.clients.postgres import deliveries
from services.clients.postgres.pool import Connection, Database
from services.domain.deliveries import Asked
from services.domain.errors import SourceError

TTL_S = 3600.0  # Slack's last retry of an event comes after about 5 minutes
LIMIT = 10_000


class RecentDeliveries:
    """Keys of recent deliveries: at most `limit`, each for `ttl_s` seconds."""

    def __init__(
        self, *, ttl_s: float = TTL_S, limit: int = LIMIT, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ttl_s = ttl_s
        self._limit = limit
        self._clock = clock
        self._at: OrderedDict[str, float] = OrderedDict()  # oldest first

    def add(self, key: str) -> bool:
        """Add the key. True if it is new."""
        self._drop_old()
        if key in self._at:
            return False
        self._at[key] = self._clock()
        if len(self._at) > self._limit:
            self._at.popitem(last=False)
        return True

    def discard(self, key: str) -> None:
        """Forget the key, because its work was not finished."""
        self._at.pop(key, None)

    def __len__(self) -> int:
        return len(self._at)

    def _drop_old(self) -> None:
        oldest = self._clock() - self._ttl_s
        while self._at and next(iter(self._at.values())) <= oldest:
            self._at.popitem(last=False)


logger = logging.getLogger(__name__)

CLAIM = timedelta(seconds=20)  # renewed during the work; after a crash, a redelivery waits as long
RENEW_S = 6.0
FINISH_AGAIN_S = 3.0  # retry of recording the end, before the leader reports the request as interrupted
CLAIM_TIMEOUT_S = 0.7  # a person waits for this, and must see something within 1 s
WRITE_TIMEOUT_S = 5.0  # no one waits; if it fails, a redelivery to another replica does the work again


class Deduplicator:
    """Claims deliveries so that each is handled once; one per process. `owner`: name of this process."""

    def __init__(
        self,
        database: Database | None,
        *,
        owner: str,
        claim: timedelta = CLAIM,
        renew_s: float = RENEW_S,
        seen: RecentDeliveries | None = None,
    ) -> None:
        self._database = database
        self._owner = owner
        self._claim = claim
        self._renew_s = renew_s
        self._recent = seen or RecentDeliveries()
        self._running: set[asyncio.Task[object]] = set()
        self._finishing: set[asyncio.Task[None]] = set()
        self._begun: dict[str, asyncio.Task[bool]] = {}

    async def do(self, key: str | None, work: Callable[[], Awaitable[None]], *, asked: Asked | None = None) -> None:
        """Do the work unless a replica does or did it. Work that raises counts as done: the requester sees the error.

        asked: the request, for the notice to its author if this process dies meanwhile.
        """
        self.wait_for(asyncio.current_task())
        if key is None:
            await work()
        elif key in self._begun or self._recent.add(key):
            await self._do_if_ours(key, work, asked)

    def begin(self, key: str, asked: Asked) -> bool:
        """Claim the delivery before it is handled; the caller then calls `do`, `end` or `give_up`.

        True if it is new in this process; then only this caller may end it.
        """
        is_new = self._recent.add(key)
        if is_new:
            self._begun[key] = asyncio.create_task(self._claimed(key, asked))
        return is_new

    async def end(self, key: str) -> None:
        """Finish a begun delivery that needed no work, so that it is not reported as interrupted."""
        if await self._was_claimed(key):
            await self._finish(key)

    async def give_up(self, key: str) -> None:
        """Release a begun delivery because the process stops before its work; the leader then notifies the author."""
        if await self._was_claimed(key):
            await self._release(key)

    async def _was_claimed(self, key: str) -> bool:
        """True if the delivery was begun and its claim may be ours. Writes never change another replica's claim."""
        claim = self._begun.pop(key, None)
        if claim is None:
            return False
        done, _ = await asyncio.wait({claim}, timeout=CLAIM_TIMEOUT_S)
        if claim in done:
            return claim.result()
        claim.cancel()
        await asyncio.wait({claim})  # the claim may be committed
        return True

    def wait_for(self, task: asyncio.Task[Any] | None) -> None:
        """Make `drain` wait for the task, which works on an acknowledged request."""
        if task is not None:
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def drain(self, timeout_s: float) -> None:
        """Wait for running work. After `timeout_s` the rest is cancelled, so that a redelivery may do it."""
        give_up_at = time.monotonic() + timeout_s
        while (late := {one for one in self._running if not one.done()}) and time.monotonic() < give_up_at:
            await asyncio.wait(late, timeout=give_up_at - time.monotonic())  # failed work adds a task
        for task in (*late, *self._finishing):
            task.cancel()
        await asyncio.gather(*late, *self._finishing, return_exceptions=True)

    async def _do_if_ours(self, key: str, work: Callable[[], Awaitable[None]], asked: Asked | None) -> None:
        try:
            begun = self._begun.pop(key, None)
            if not (await begun if begun else await self._claimed(key, asked)):
                return
            async with self._renewing(key):
                await work()
        except asyncio.CancelledError:
            await self._release(key)
            raise
        except Exception:
            # Record in the background: a person waits for the error, which the caller shows.
            self.wait_for(asyncio.create_task(self._finish(key)))
            raise
        await self._finish(key)

    @asynccontextmanager
    async def _renewing(self, key: str) -> AsyncIterator[None]:
        """Renew the claim during the block, so that no replica takes the work for interrupted."""
        renewing = asyncio.create_task(self._renew(key))
        try:
            yield
        finally:
            renewing.cancel()

    async def _renew(self, key: str) -> None:
        while True:
            await asyncio.sleep(self._renew_s)
            await self._write(
                lambda conn: deliveries.renew_delivery(conn, key=key, owner=self._owner, duration=self._claim)
            )

    async def _claimed(self, key: str, asked: Asked | None) -> bool:
        """True if the work is ours. Waits while another replica works on it; if that one dies, it becomes ours."""
        while True:
            state = await self._try_to_claim(key, asked)
            if isinstance(state, bool):
                return state
            await asyncio.sleep(min(state + 0.1, 5.0))

    async def _try_to_claim(self, key: str, asked: Asked | None) -> bool | float:
        """True if the work is ours, False if it is finished; else seconds until the other replica's claim expires."""
        if self._database is None:
            return True
        try:
            async with self._database.transaction(timeout_s=CLAIM_TIMEOUT_S) as conn:
                if await deliveries.claim_delivery(conn, key=key, owner=self._owner, duration=self._claim, asked=asked):
                    return True
                state = await deliveries.read_delivery(conn, key=key)
        except SourceError as error:
            logger.warning("delivery not recorded: %s; only this process remembers it", error.why)
            return True
        return False if state is None or state.finished else state.busy_for_s

    async def _release(self, key: str) -> None:
        self._recent.discard(key)
        await self._write(lambda conn: deliveries.release_delivery(conn, key=key, owner=self._owner))

    async def _finish(self, key: str) -> None:
        if await self._write_finished(key):
            return
        task = asyncio.create_task(self._finish_again(key))
        self._finishing.add(task)
        task.add_done_callback(self._finishing.discard)

    async def _finish_again(self, key: str) -> None:
        """Retry recording the end, so that an author who has the answer is not notified of an interruption."""
        give_up_at = time.monotonic() + TTL_S
        while time.monotonic() < give_up_at:
            await asyncio.sleep(FINISH_AGAIN_S)
            if await self._write_finished(key):
                return

    async def _write_finished(self, key: str) -> bool:
        return await self._write(lambda conn: deliveries.finish_delivery(conn, key=key, owner=self._owner))

    async def _write(self, call: Callable[[Connection], Awaitable[None]]) -> bool:
        """True if the write succeeded, or if there is no database."""
        if self._database is None:
            return True
        try:
            async with self._database.transaction(timeout_s=WRITE_TIMEOUT_S) as conn:
                await call(conn)
        except SourceError as error:
            logger.warning("delivery not recorded: %s; only this process remembers it", error.why)
            return False
        return True
