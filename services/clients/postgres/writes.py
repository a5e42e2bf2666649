"""Proves that the database accepts writes. The typed call of `sql/queries/writes.sql`, and how often it is made."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from services.clients.postgres.pool import Connection, Database
from services.clients.postgres.queries import SQL
from services.domain.errors import SourceError

EVERY_S = 10.0  # each proof is a commit, and any client can request the API's health
RETRY_S = 1.0  # a refused one stored nothing, and the end of the problem is to be seen soon


async def prove_write(conn: Connection) -> None:
    """Write one row and delete it. Fails as any write does."""
    await conn.execute(SQL["prove_write"])


class WriteProbe:
    """Whether writes are taken, proven at most once per `every_s` however many ask; the others get the last answer.

    After a refusal it is tried again after `RETRY_S`.
    """

    def __init__(
        self,
        database: Database,
        prove: Callable[[Connection], Awaitable[None]] = prove_write,
        *,
        timeout_s: float = 5.0,
        every_s: float = EVERY_S,
    ) -> None:
        self._database = database
        self._prove = prove
        self._timeout_s = timeout_s
        self._every_s = every_s
        self._lock = asyncio.Lock()
        self._next_at = self._proven_at = float("-inf")
        self._problem: SourceError | None = None

    async def problem(self) -> SourceError | None:
        """Why the database accepts no writes; None when it does, and when that is unknown.

        A function or right that is missing says nothing about other writes: drift is found elsewhere.
        """
        asked_at = _now()
        async with self._lock:
            if self._proven_at < asked_at and _now() >= self._next_at:  # no other read proved it meanwhile
                self._problem = await self._try()
                self._proven_at = _now()
                wait_s = self._every_s if self._problem is None else min(RETRY_S, self._every_s)
                self._next_at = self._proven_at + wait_s
        return self._problem

    async def _try(self) -> SourceError | None:
        try:
            async with self._database.transaction(timeout_s=self._timeout_s) as conn:
                await self._prove(conn)
        except SourceError as error:
            return error if error.is_outage else None
        return None


def _now() -> float:
    return asyncio.get_running_loop().time()
