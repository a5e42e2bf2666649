"""A small pool of sessions that connects on demand and reports at once why it can't.

psycopg's own pool connects in the background and reports only "no connection within N s", which hides a refused
password behind a timeout, and keeps tasks running in an idle bot.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import socket
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from services.clients.postgres.errors import (
    SOURCE,
    explain,
    explain_connect,
    loses_the_answer,
    no_answer,
    not_encodable,
)
from services.clients.postgres.waiting_list import WaitingList
from services.domain.errors import SourceError
from services.domain.secrets import Secret
from services.domain.systems import RUNBOOK, Recognition, System

Connection = psycopg.AsyncConnection[Any]


class Session(Connection):
    """A connection of ours. `recognition`: the system that its database holds; None if it was not determined."""

    recognition: Recognition | None = None


def system_of(conn: Connection) -> System:
    """The system whose tables this connection reads: our own if it was not determined, the nearest if it is unknown."""
    recognition = conn.recognition if isinstance(conn, Session) else None
    return recognition.nearest if recognition else RUNBOOK


Recognize = Callable[[Connection], Awaitable[Recognition]]

# In UTC, because times in a local zone are subtracted as wall clock times: 1 h off in the night of a clock change.
_UTC = "SET LOCAL timezone = 'UTC'"
READ_ONLY = "BEGIN READ ONLY"
GRACE_S = 0.1  # lets the server's own timeout come first, because its answer leaves the session usable


async def connect(dsn: Secret, *, application_name: str, timeout_s: float) -> Session:
    """Open one session in autocommit mode. Raises SourceError with the reason.

    No prepared statements: a transaction pooler would lose them.
    """
    try:
        async with asyncio.timeout(timeout_s):
            return await _connect(dsn, application_name)
    except TimeoutError:
        raise no_answer(timeout_s) from None
    except psycopg.Error as error:
        raise explain_connect(error) from None  # psycopg's text may hold parts of the DSN


async def _connect(dsn: Secret, application_name: str) -> Session:
    """Connect; on an error, clear the frames of the traceback, which would keep the half-open session alive.

    psycopg closes the session only when these frames are gone. Until then it occupies the server, which waits up to 1
    min for a login; `DROP DATABASE` waits with it.
    """
    try:
        return await Session.connect(
            dsn.reveal(), autocommit=True, prepare_threshold=None, application_name=application_name
        )
    except BaseException as error:
        traceback.clear_frames(error.__traceback__)
        raise


@dataclass(frozen=True)
class _Limit:
    """The time limits of a transaction, in seconds; `deadline` and `begins_by` are times of the event loop's clock.

    `timeout_s`: the whole transaction, until `deadline`. `begins_by`: when a session must have answered. `answer_s`:
    each statement.
    """

    timeout_s: float
    answer_s: float
    deadline: float
    begins_by: float

    @classmethod
    def of(cls, timeout_s: float, *, start_s: float | None = None, answer_s: float | None = None) -> _Limit:
        now = asyncio.get_running_loop().time()
        begins_by = now + min(timeout_s if start_s is None else start_s, timeout_s)
        return cls(timeout_s, timeout_s if answer_s is None else answer_s, now + timeout_s, begins_by)

    @property
    def answer_by(self) -> float:
        """The time by which a statement that is sent now must be answered."""
        return min(self.deadline, asyncio.get_running_loop().time() + self.answer_s)

    def begin(self, statement: str) -> str:
        """`statement`, followed by the settings that make the server enforce the limits."""
        # The second limit is for a process that freezes in a transaction: its locks must not outlive the limit.
        limits = {"statement_timeout": self.answer_s, "idle_in_transaction_session_timeout": self.timeout_s}
        settings = (f"SET LOCAL {name} = {round(seconds * 1000)}" for name, seconds in limits.items())
        return "; ".join([statement, _UTC, *settings])


class Database:
    """A pool of at most `max_size` sessions to one database, opened on demand and kept while they work.

    `recognition`: the system that the newest session found; None before the first session, and for a database that
    holds our own system by construction.
    """

    def __init__(
        self, dsn: Secret, *, application_name: str, max_size: int, timeout_s: float, recognize: Recognize | None = None
    ) -> None:
        self._dsn = dsn
        self._application_name = application_name
        self._timeout_s = timeout_s
        self._waiting_list = WaitingList(max_size)
        self._idle: list[Session] = []
        self._closed = False
        self._recognize = recognize
        self.recognition: Recognition | None = None
        self.away_since: datetime | None = None  # since when connecting fails, by our own clock; else None

    @classmethod
    def connect_lazily(
        cls,
        dsn: Secret,
        *,
        application_name: str,
        max_size: int = 4,
        timeout_s: float = 5.0,
        recognize: Recognize | None = None,
    ) -> Database:
        """Make a pool that connects at its first use, so it never raises. `timeout_s` limits connecting.

        `recognize` is called in each new session to determine the system in the database, and again while it is
        unknown.
        """
        return cls(dsn, application_name=application_name, max_size=max_size, timeout_s=timeout_s, recognize=recognize)

    @property
    def system(self) -> System | None:
        """The operated system; None while it is unknown."""
        return self.recognition.system if self.recognition else None

    @property
    def is_recognized(self) -> bool:
        """True if a session has determined the system, or none needs to."""
        return self._recognize is None or self.recognition is not None

    @property
    def system_problem(self) -> str | None:
        """Why nothing may be changed in this database (`Recognition.problem`); None before the first session."""
        return self.recognition.problem if self.recognition else None

    async def open(self) -> None:
        """Verify that the server can be reached. Raises SourceError."""
        async with self.read(timeout_s=self._timeout_s):
            pass

    async def close(self) -> None:
        """Close the idle sessions; those in use close when they are returned."""
        self._closed = True
        while self._idle:
            await self._idle.pop().close()

    @contextlib.asynccontextmanager
    async def read(self, *, timeout_s: float = 5.0) -> AsyncIterator[Connection]:
        """Begin a read-only transaction that ends within `timeout_s`, on the server too. Raises SourceError."""
        async with self._transaction(READ_ONLY, _Limit.of(timeout_s)) as conn:
            yield conn

    @contextlib.asynccontextmanager
    async def transaction(
        self, *, timeout_s: float = 10.0, start_s: float | None = None, answer_s: float | None = None
    ) -> AsyncIterator[Connection]:
        """Begin a transaction: committed at the end, rolled back by an exception. Raises SourceError.

        `outcome_unknown` is set if the answer to the commit was lost. In a long transaction, `start_s`, the limit for
        its beginning, and `answer_s`, the limit per statement, detect a silent server earlier: see `answered`.
        """
        async with self._transaction("BEGIN", _Limit.of(timeout_s, start_s=start_s, answer_s=answer_s)) as conn:
            yield conn

    async def run(self, query: str, values: Mapping[str, Any], *, timeout_s: float = 10.0) -> list[tuple[Any, ...]]:
        """Run one statement as its own transaction, in one round trip, and return its rows. Raises SourceError.

        `outcome_unknown` is set if the answer was lost. The values are quoted by the client, because a message with
        separate values can hold only one statement.
        """
        limit = _Limit.of(timeout_s)
        try:
            async with self._slot(limit), self._session(limit) as conn:
                cursor = psycopg.AsyncClientCursor(conn)
                await cursor.execute("\n;\n".join([limit.begin("BEGIN"), cursor.mogrify(query, values), "COMMIT"]))
                while cursor.rownumber is None:  # skip the results of the statements that set the limits
                    if not cursor.nextset():
                        return []
                return await cursor.fetchall()
        except psycopg.Error as error:
            raise _explain(error, limit, committing=True) from None
        except UnicodeEncodeError:
            raise not_encodable() from None

    @contextlib.asynccontextmanager
    async def _transaction(self, begin: str, limit: _Limit) -> AsyncIterator[Connection]:
        committing = False
        try:
            async with self._slot(limit), self._session(limit, limit.begin(begin)) as conn:
                yield conn
                if conn.info.transaction_status is TransactionStatus.INERROR:
                    raise SourceError(SOURCE, "nothing was saved: an earlier statement had failed")
                committing = begin != READ_ONLY  # a read has no outcome that could be unknown
                with _cut_at(conn, limit.answer_by):
                    await conn.execute("COMMIT")
        except psycopg.Error as error:
            # Not chained: psycopg's text may hold a row's values, and tracebacks reach the log.
            raise _explain(error, limit, committing=committing) from None
        except UnicodeEncodeError:
            raise not_encodable() from None

    @contextlib.asynccontextmanager
    async def _slot(self, limit: _Limit) -> AsyncIterator[None]:
        """Wait until the pool has a free session."""
        try:
            async with asyncio.timeout_at(limit.begins_by):
                await self._waiting_list.acquire()
        except TimeoutError:
            raise SourceError(SOURCE, "all our sessions are busy", retryable=True) from None
        try:
            yield
        finally:
            self._waiting_list.release()

    @contextlib.asynccontextmanager
    async def _session(self, limit: _Limit, begin: str | None = None) -> AsyncIterator[Session]:
        conn = await self._idle_session(limit, begin) or await self._new_session(limit, begin)
        with _cut_at(conn, limit.deadline):
            try:
                yield conn
            finally:
                await self._give_back(conn)

    async def _idle_session(self, limit: _Limit, begin: str | None) -> Session | None:
        """Take an idle session that still answers and begin its transaction; close those that do not."""
        while self._idle:
            conn = self._idle.pop()
            try:
                if not _has_hung_up(conn):
                    await self._begin(conn, limit, begin)
                    return conn
            except psycopg.OperationalError:  # the server or the pooler has closed it
                pass
            except BaseException:
                await conn.close()
                raise
            await conn.close()
        return None

    async def _new_session(self, limit: _Limit, begin: str | None) -> Session:
        if self._closed:
            raise SourceError(SOURCE, "the pool is closed")
        try:
            async with asyncio.timeout_at(limit.begins_by):
                conn = await connect(self._dsn, application_name=self._application_name, timeout_s=self._timeout_s)
        except (TimeoutError, SourceError) as error:
            self.away_since = self.away_since or datetime.now(UTC)
            if isinstance(error, SourceError):
                raise
            raise no_answer(min(limit.answer_s, limit.timeout_s)) from None
        self.away_since = None
        try:
            await self._begin(conn, limit, begin)
        except BaseException:
            await conn.close()
            raise
        return conn

    async def _begin(self, conn: Session, limit: _Limit, begin: str | None) -> None:
        with _cut_at(conn, limit.begins_by):
            if self._recognize is not None and (conn.recognition is None or conn.recognition.problem):
                conn.recognition = self.recognition = await self._recognize(conn)
            if begin is not None:
                await conn.execute(begin)

    async def _give_back(self, conn: Session) -> None:
        try:
            if conn.info.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
                await conn.execute("ROLLBACK")
        except psycopg.Error:
            await conn.close()
        except asyncio.CancelledError:  # the caller's timeout came during the rollback
            await conn.close()
            raise
        if conn.info.transaction_status is TransactionStatus.IDLE and not self._closed:
            self._idle.append(conn)
        else:
            await conn.close()


def _has_hung_up(conn: Connection) -> bool:
    """True if the server sent something to an idle session, which means that it ended the session."""
    poll = select.poll()
    poll.register(conn.fileno(), select.POLLIN)
    return bool(poll.poll(0))


@contextlib.contextmanager
def _cut_at(conn: Connection, deadline: float) -> Iterator[None]:
    """Close the socket at `deadline` (event loop time), in case the server does not enforce its own timeout.

    Cancelling is not enough: psycopg then asks the server to cancel, and waits for a server that may be frozen.
    """
    timer = asyncio.get_running_loop().call_at(deadline + GRACE_S, _cut, conn)
    try:
        yield
    finally:
        timer.cancel()


@contextlib.contextmanager
def answered(conn: Connection, *, within_s: float) -> Iterator[None]:
    """Require answers to all statements in this block within `within_s` seconds; otherwise close the session.

    Raises SourceError then.
    """
    by = asyncio.get_running_loop().time() + within_s
    try:
        with _cut_at(conn, by):
            yield
    except psycopg.OperationalError as error:
        if asyncio.get_running_loop().time() >= by and loses_the_answer(error.sqlstate):
            raise no_answer(within_s) from None
        raise


def _cut(conn: Connection) -> None:
    with contextlib.suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(conn.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)


def _explain(error: psycopg.Error, limit: _Limit, *, committing: bool) -> SourceError:
    lost = isinstance(error, psycopg.OperationalError) and loses_the_answer(error.sqlstate)
    late = lost and asyncio.get_running_loop().time() >= limit.deadline
    explained = no_answer(limit.timeout_s) if late else explain(error, timeout_s=limit.timeout_s)
    if committing and lost:
        return SourceError(SOURCE, f"{explained.why}, while saving", outcome_unknown=True)
    return explained
