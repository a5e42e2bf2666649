"""Handles each payload once, across replicas and restarts.

A redelivery of finished work does nothing; one of unfinished work does it, as soon as the claim of the replica that
began it has run out. Without a database each replica remembers for itself.
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

TTL_S = 3600.0  # Slack's last retry of an event comes after about five minutes
LIMIT = 10_000


class RecentDeliveries:
    """At most `limit` keys, each for `ttl_s` seconds."""

    def __init__(
        self, *, ttl_s: float = TTL_S, limit: int = LIMIT, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ttl_s = ttl_s
        self._limit = limit
        self._clock = clock
        self._at: OrderedDict[str, float] = OrderedDict()  # oldest first

    def add(self, key: str) -> bool:
        """Whether the key is new; it is not any more."""
        self._drop_old()
        if key in self._at:
            return False
        self._at[key] = self._clock()
        if len(self._at) > self._limit:
            self._at.popitem(last=False)
        return True

    def discard(self, key: str) -> None:
        """Forget the key: its work was not finished."""
        self._at.pop(key, None)

    def __len__(self) -> int:
        return len(self._at)

    def _drop_old(self) -> None:
        oldest = self._clock() - self._ttl_s
        while self._at and next(iter(self._at.values())) <= oldest:
            self._at.popitem(last=False)


logger = logging.getLogger(__name__)

CLAIM = timedelta(seconds=20)  # renewed while the work continues; a redelivery after a crash waits as long
RENEW_S = 6.0
FINISH_AGAIN_S = 3.0  # what could not be recorded as finished: before the leader takes it for interrupted
CLAIM_TIMEOUT_S = 0.7  # a person waits behind this, and is to see something within a second
WRITE_TIMEOUT_S = 5.0  # no one waits; without it a replica with a redelivery does the work again


class Deduplicator:
    """One for the process. `owner` names this process among the replicas."""

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
        """Do the work unless a replica does or did it. An error counts as done: the requester sees it.

        asked: what the bot reports to its author if this process dies meanwhile.
        """
        self.wait_for(asyncio.current_task())
        if key is None:
            await work()
        elif key in self._begun or self._recent.add(key):
            await self._do_if_ours(key, work, asked)

    def begin(self, key: str, asked: Asked) -> bool:
        """Claim the delivery while it is still looked at; then `do` does its work, or `end` or `give_up` is the end.

        Whether it is new here: a repeated one does not end what the first began.
        """
        is_new = self._recent.add(key)
        if is_new:
            self._begun[key] = asyncio.create_task(self._claimed(key, asked))
        return is_new

    async def end(self, key: str) -> None:
        """No work came of what has begun: there is nothing to report."""
        if await self._was_claimed(key):
            await self._finish(key)

    async def give_up(self, key: str) -> None:
        """The process stops before the work began: the leader notifies its author."""
        if await self._was_claimed(key):
            await self._release(key)

    async def _was_claimed(self, key: str) -> bool:
        """Whether it has begun, and may be ours: another replica's claim stays whatever is written about ours."""
        claim = self._begun.pop(key, None)
        if claim is None:
            return False
        done, _ = await asyncio.wait({claim}, timeout=CLAIM_TIMEOUT_S)
        if claim in done:
            return claim.result()
        claim.cancel()
        await asyncio.wait({claim})  # it may be committed
        return True

    def wait_for(self, task: asyncio.Task[Any] | None) -> None:
        """`drain` waits for the task, too: it works for a person who has the acknowledgement."""
        if task is not None:
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def drain(self, timeout_s: float) -> None:
        """Wait for work under way; what is left after `timeout_s` is cancelled, and a redelivery may do it."""
        give_up_at = time.monotonic() + timeout_s
        while (late := {one for one in self._running if not one.done()}) and time.monotonic() < give_up_at:
            await asyncio.wait(late, timeout=give_up_at - time.monotonic())  # what failed leaves its record to write
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
            # A person waits for the error, which the caller shows.
            self.wait_for(asyncio.create_task(self._finish(key)))
            raise
        await self._finish(key)

    @asynccontextmanager
    async def _renewing(self, key: str) -> AsyncIterator[None]:
        """While this lasts, no other replica takes the work for interrupted."""
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
        """Waits while another replica works on it: only when that one dies is the work ours."""
        while True:
            state = await self._try_to_claim(key, asked)
            if isinstance(state, bool):
                return state
            await asyncio.sleep(min(state + 0.1, 5.0))

    async def _try_to_claim(self, key: str, asked: Asked | None) -> bool | float:
        """Whether it is ours or finished; or for how many seconds more a replica has it."""
        if self._database is None:
            return True
        try:
            async with self._database.transaction(timeout_s=CLAIM_TIMEOUT_S) as conn:
                if await deliveries.claim_delivery(conn, key=key, owner=self._owner, duration=self._claim, asked=asked):
                    return True
                state = await deliveries.read_delivery(conn, key=key)
        except SourceError as error:
            logger.warning("delivery not recorded: %s; this process remembers it alone", error.why)
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
        """Its author has the answer, and is not to read that it was interrupted."""
        give_up_at = time.monotonic() + TTL_S
        while time.monotonic() < give_up_at:
            await asyncio.sleep(FINISH_AGAIN_S)
            if await self._write_finished(key):
                return

    async def _write_finished(self, key: str) -> bool:
        return await self._write(lambda conn: deliveries.finish_delivery(conn, key=key, owner=self._owner))

    async def _write(self, call: Callable[[Connection], Awaitable[None]]) -> bool:
        """Whether it is written, as far as there is a database."""
        if self._database is None:
            return True
        try:
            async with self._database.transaction(timeout_s=WRITE_TIMEOUT_S) as conn:
                await call(conn)
        except SourceError as error:
            logger.warning("delivery not recorded: %s; this process remembers it alone", error.why)
            return False
        return True
