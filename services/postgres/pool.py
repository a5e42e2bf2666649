"""A small pool of sessions that says at once why there is none.

psycopg's own pool connects in the background and reports only "no connection within N s", which hides a refused
password behind a timeout, and keeps tasks running in an idle bot. This one connects when it is asked.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow

from services.domain.errors import SourceError
from services.domain.secrets import Secret
from services.postgres.errors import SOURCE, explain, explain_connect, no_answer

Connection = psycopg.AsyncConnection[Any]
Row = TupleRow


async def connect(dsn: Secret, *, application_name: str, timeout_s: float) -> Connection:
    """One session in autocommit mode. No prepared statements: a transaction pooler would lose them.

    Raises SourceError with the reason.
    """
    try:
        async with asyncio.timeout(timeout_s):
            return await psycopg.AsyncConnection.connect(
                dsn.reveal(), autocommit=True, prepare_threshold=None, application_name=application_name
            )
    except TimeoutError:
        raise no_answer(timeout_s) from None
    except psycopg.Error as error:
        raise explain_connect(error) from None  # its text may hold parts of the DSN


class Database:
    """At most `max_size` sessions to one database; opened when needed, kept while they work."""

    def __init__(self, dsn: Secret, *, application_name: str, max_size: int, timeout_s: float) -> None:
        self._dsn = dsn
        self._application_name = application_name
        self._timeout_s = timeout_s
        self._free = asyncio.Semaphore(max_size)
        self._idle: list[Connection] = []
        self._closed = False

    @classmethod
    def connect_lazily(
        cls, dsn: Secret, *, application_name: str, max_size: int = 4, timeout_s: float = 5.0
    ) -> Database:
        """Never raises when the server is away: the first use connects. `timeout_s` bounds getting a session."""
        return cls(dsn, application_name=application_name, max_size=max_size, timeout_s=timeout_s)

    async def open(self) -> None:
        """Prove that the server can be reached. Raises SourceError."""
        async with self.read(timeout_s=self._timeout_s):
            pass

    async def close(self) -> None:
        """Close the idle sessions; those in use close when they come back."""
        self._closed = True
        while self._idle:
            await self._idle.pop().close()

    @contextlib.asynccontextmanager
    async def read(self, *, timeout_s: float = 5.0) -> AsyncIterator[Connection]:
        """A read-only transaction that ends within `timeout_s`, on the server too. Raises SourceError."""
        async with self._transaction("BEGIN READ ONLY", timeout_s) as conn:
            yield conn

    @contextlib.asynccontextmanager
    async def transaction(self, *, timeout_s: float = 10.0) -> AsyncIterator[Connection]:
        """A transaction: committed at the end, rolled back by an exception. Raises SourceError.

        `outcome_unknown` is set when the answer to the commit was lost.
        """
        async with self._transaction("BEGIN", timeout_s) as conn:
            yield conn

    @contextlib.asynccontextmanager
    async def _transaction(self, begin: str, timeout_s: float) -> AsyncIterator[Connection]:
        committing = False
        try:
            async with asyncio.timeout(timeout_s) as limit, self._session(begin, timeout_s) as conn:
                yield conn
                committing = True
                await conn.execute("COMMIT")
        except TimeoutError:
            if not limit.expired():
                raise
            raise _lost(no_answer(timeout_s), committing) from None
        except psycopg.Error as error:
            # Not chained: psycopg's text may hold a row's values, and tracebacks reach the log.
            raise _lost(explain(error, timeout_s=timeout_s), committing) from None

    @contextlib.asynccontextmanager
    async def _session(self, begin: str, timeout_s: float) -> AsyncIterator[Connection]:
        async with self._free:
            conn = await self._begin(f"{begin}; SET LOCAL statement_timeout = {round(timeout_s * 1000)}")
            try:
                yield conn
            finally:
                await self._give_back(conn)

    async def _begin(self, begin: str) -> Connection:
        """Take an idle session if it still answers, else open one."""
        while self._idle:
            conn = self._idle.pop()
            try:
                await conn.execute(begin)
            except psycopg.OperationalError:  # the server or the pooler closed it meanwhile
                await conn.close()
            except BaseException:
                await conn.close()
                raise
            else:
                return conn
        if self._closed:
            raise SourceError(SOURCE, "the pool is closed")
        conn = await connect(self._dsn, application_name=self._application_name, timeout_s=self._timeout_s)
        try:
            await conn.execute(begin)
        except BaseException:
            await conn.close()
            raise
        return conn

    async def _give_back(self, conn: Connection) -> None:
        try:
            if conn.info.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
                await conn.execute("ROLLBACK")
        except psycopg.Error:
            await conn.close()
        finally:
            idle = conn.info.transaction_status is TransactionStatus.IDLE
            if idle and not self._closed:
                self._idle.append(conn)
            else:
                await conn.close()


def _lost(error: SourceError, committing: bool) -> SourceError:
    if committing and error.retryable:
        return SourceError(error.source, f"{error.why} (while committing)", retryable=False, outcome_unknown=True)
    return error
