"""Proves that the database accepts writes, at a limited rate. Typed call of `sql/queries/writes.sql`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from services.clients.postgres.pool import Connection, Database
from services.clients.postgres.queries import SQL
from services.domain.errors import SourceError

EVERY_S = 10.0  # limits the commits, because any client can request the API's health
RETRY_S = 1.0  # after a refusal: it stored nothing, and the end of the problem should be noticed soon


async def prove_write(conn: Connection) -> None:
    """Write and delete one row. Fails as any write does."""
    await conn.execute(SQL["prove_write"])


class WriteProbe:
    """Tests whether the database accepts writes, at most once per `every_s`; other callers get the last answer.

    After a refusal it tries again after `RETRY_S`.
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
        """The reason why the database accepts no writes; None if it does, and if that is unknown.

        A missing function or right says nothing about other writes: the drift check reports it.
        """
        asked_at = _now()
        async with self._lock:
            if self._proven_at < asked_at and _now() >= self._next_at:  # no other caller has tested it meanwhile
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
