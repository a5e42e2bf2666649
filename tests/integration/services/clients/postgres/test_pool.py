"""Sessions of the pool: clear errors, hard limits, no half-done work."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections.abc import AsyncIterator
from datetime import timedelta

import psycopg
import pytest

from services.clients.postgres.pool import Connection, Database, connect
from services.domain.errors import SourceError
from services.domain.secrets import Secret
from tests.conftest import DatabaseUrls
from tests.outside import PATIENCE_S
from tests.wire import Line

ADD_JOB = "INSERT INTO ops.job_queue (job_type, idempotency_key) VALUES ('test', %s)"


@contextlib.asynccontextmanager
async def pool(dsn: str, *, max_size: int = 2) -> AsyncIterator[Database]:
    database = Database.connect_lazily(Secret(dsn), application_name="test", max_size=max_size)
    try:
        yield database
    finally:
        await database.close()


async def one(conn: Connection, query: str) -> object:
    row = await (await conn.execute(query)).fetchone()
    return row[0] if row else None


async def why(database: Database, query: str = "SELECT 1", *, timeout_s: float = 5.0) -> SourceError:
    with pytest.raises(SourceError) as caught:
        async with database.read(timeout_s=timeout_s) as conn:
            await conn.execute(query)
    return caught.value


async def test_reads_as_the_role_of_the_dsn_and_keeps_the_session(database_urls: DatabaseUrls) -> None:
    async with pool(database_urls.bot) as database:
        async with database.read() as conn:
            first = await one(conn, "SELECT current_user || pg_backend_pid()")
        async with database.read() as conn:
            second = await one(conn, "SELECT current_user || pg_backend_pid()")

    assert str(first).startswith("dragonfly_bot")
    assert first == second


async def test_a_refused_password_is_reported_at_once_without_the_password(database_urls: DatabaseUrls) -> None:
    dsn = psycopg.conninfo.make_conninfo(database_urls.bot, password="hunter2")
    async with pool(dsn) as database:
        error = await why(database)

    assert str(error) == "database: password refused"
    assert not error.retryable
    assert error.__cause__ is None


async def test_a_closed_port_is_not_reachable(unused_tcp_port: int) -> None:
    async with pool(f"postgresql://u:hunter2@127.0.0.1:{unused_tcp_port}/d") as database:
        error = await why(database)

    assert str(error) == "database: server not reachable"
    assert error.retryable


async def test_the_first_miss_is_remembered_until_a_session_comes(
    database_urls: DatabaseUrls, unused_tcp_port: int
) -> None:
    async with pool(f"postgresql://u:hunter2@127.0.0.1:{unused_tcp_port}/d") as away:
        assert away.away_since is None
        await why(away)
        first = away.away_since
        await why(away)

    assert first is not None
    assert away.away_since == first

    async with pool(database_urls.bot) as back:
        back.away_since = first
        await back.open()

    assert back.away_since is None


async def test_a_malformed_dsn_is_not_repeated() -> None:
    async with pool("postgres//u:hunter2@host") as database:
        error = await why(database)

    assert error.why == "the connection string is malformed"


async def test_a_server_that_accepts_and_is_silent_costs_the_limit_only() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # the kernel accepts the connection; no process answers
        port = silent.getsockname()[1]
        started = time.monotonic()
        async with pool(f"postgresql://u:p@127.0.0.1:{port}/d") as database:
            error = await why(database, timeout_s=0.3)

    assert error.why == "no answer within 0.3 s"
    assert time.monotonic() - started < 4  # the pool's own limit is 5 s


async def test_a_connect_that_is_cancelled_leaves_nothing_half_open() -> None:
    """A half-open session blocks others on the server for at most 1 min, however long the error is kept."""
    called, hung_up = asyncio.Event(), asyncio.Event()

    async def be_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1024):
            called.set()
        hung_up.set()
        writer.close()

    async with await asyncio.start_server(be_silent, "127.0.0.1", 0) as server:
        dsn = Secret(f"postgresql://u:p@127.0.0.1:{server.sockets[0].getsockname()[1]}/d")
        connecting = asyncio.create_task(connect(dsn, application_name="test", timeout_s=PATIENCE_S))
        await called.wait()
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError) as kept:
            await connecting

        async with asyncio.timeout(PATIENCE_S):
            await hung_up.wait()
    assert kept.value is not None


async def test_a_slow_query_is_ended_by_the_server_and_the_session_kept(
    database_urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.clients.postgres.pool.GRACE_S", PATIENCE_S)  # a busy machine may pass it on late
    async with pool(database_urls.bot) as database:
        async with database.read() as conn:
            pid = await one(conn, "SELECT pg_backend_pid()")
        error = await why(database, "SELECT pg_sleep(10)", timeout_s=0.2)
        async with database.read() as conn:
            again = await one(conn, "SELECT pg_backend_pid()")

    assert error.why == "no answer within 0.2 s"
    assert again == pid


async def test_a_frozen_server_cannot_hold_us(database_urls: DatabaseUrls) -> None:
    async with pool(database_urls.bot) as database:
        async with database.read() as conn:
            pid = int(str(await one(conn, "SELECT pg_backend_pid()")))
        os.kill(pid, signal.SIGSTOP)
        started = time.monotonic()
        try:
            error = await why(database, timeout_s=0.3)
        finally:
            os.kill(pid, signal.SIGCONT)

    assert error.why == "no answer within 0.3 s"
    assert time.monotonic() - started < 30  # without a limit it would be for ever


async def test_a_cancelled_read_of_a_frozen_server_ends_at_the_limit(database_urls: DatabaseUrls) -> None:
    async with pool(database_urls.bot) as database:
        async with database.read() as conn:
            pid = int(str(await one(conn, "SELECT pg_backend_pid()")))
        os.kill(pid, signal.SIGSTOP)
        started = time.monotonic()
        try:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1), database.read(timeout_s=0.5) as conn:
                    await conn.execute("SELECT 1")
        finally:
            os.kill(pid, signal.SIGCONT)

    assert time.monotonic() - started < 30


async def test_a_session_that_died_in_the_pool_is_replaced(database_urls: DatabaseUrls, as_owner: Connection) -> None:
    async with pool(database_urls.owner) as database:
        async with database.read() as conn:
            pid = await one(conn, "SELECT pg_backend_pid()")
        await as_owner.execute("SELECT pg_terminate_backend(%s, 1000)", (pid,))

        async with database.read() as conn:
            assert await one(conn, "SELECT pg_backend_pid()") != pid


async def test_a_session_that_dies_in_use_can_be_tried_again(database_urls: DatabaseUrls, as_owner: Connection) -> None:
    async def lose_the_session(database: Database) -> None:
        async with database.read() as conn:
            pid = await one(conn, "SELECT pg_backend_pid()")
            await as_owner.execute("SELECT pg_terminate_backend(%s, 1000)", (pid,))
            await conn.execute("SELECT 1")

    async with pool(database_urls.owner) as database:
        with pytest.raises(SourceError, match="shutting down") as caught:
            await lose_the_session(database)

    assert caught.value.retryable


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("SELECT payload FROM ops.job_queue", "permission denied for table job_queue"),
        ("SELECT nothing FROM ops.job_queue", 'column "nothing" does not exist'),
        ("SELECT 'Jane Roe'::uuid", "InvalidTextRepresentation (SQLSTATE 22P02)"),
        ("INSERT INTO ops.job_queue (job_type) VALUES ('x')", "the database is read-only"),
    ],
)
async def test_errors_name_objects_but_no_values(database_urls: DatabaseUrls, query: str, reason: str) -> None:
    async with pool(database_urls.bot) as database:
        assert (await why(database, query)).why == reason


async def test_error_leaves_out_the_text_that_a_function_raised(database_urls: DatabaseUrls) -> None:
    """Even if the function sets its own code: its text may contain values of the row."""
    raising = "DO $$ BEGIN RAISE EXCEPTION 'Jane Roe' USING ERRCODE = 'check_violation'; END $$"

    async with pool(database_urls.bot) as database:
        assert (await why(database, raising)).why == "CheckViolation (SQLSTATE 23514)"


async def test_a_transaction_is_saved_at_its_end(database_urls: DatabaseUrls, as_owner: Connection) -> None:
    async with pool(database_urls.app) as database, database.transaction() as conn:
        await conn.execute(ADD_JOB, ("a",))
        assert await one(as_owner, "SELECT count(*) FROM ops.job_queue") == 0

    assert await one(as_owner, "SELECT count(*) FROM ops.job_queue") == 1


async def test_an_exception_undoes_the_transaction(database_urls: DatabaseUrls, as_owner: Connection) -> None:
    async def add_and_fail(database: Database) -> None:
        async with database.transaction() as conn:
            await conn.execute(ADD_JOB, ("a",))
            raise KeyError("of the caller")

    async with pool(database_urls.app) as database:
        with pytest.raises(KeyError):
            await add_and_fail(database)

    assert await one(as_owner, "SELECT count(*) FROM ops.job_queue") == 0


async def test_a_swallowed_error_is_not_a_silent_rollback(database_urls: DatabaseUrls) -> None:
    async def add_twice(database: Database) -> None:
        async with database.transaction() as conn:
            await conn.execute(ADD_JOB, ("a",))
            with contextlib.suppress(psycopg.Error):
                await conn.execute(ADD_JOB, ("a",))

    async with pool(database_urls.app) as database:
        with pytest.raises(SourceError, match="nothing was saved"):
            await add_twice(database)


async def test_a_broken_constraint_is_named_without_its_values(database_urls: DatabaseUrls) -> None:
    async def add_twice(database: Database) -> None:
        async with database.transaction() as conn:
            await conn.execute(ADD_JOB, ("Jane Roe",))
            await conn.execute(ADD_JOB, ("Jane Roe",))

    async with pool(database_urls.app) as database:
        with pytest.raises(SourceError, match="job_queue_idempotency_key_key") as caught:
            await add_twice(database)

    assert "Jane" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


async def test_never_opens_more_sessions_than_allowed(database_urls: DatabaseUrls, as_owner: Connection) -> None:
    async def read(database: Database) -> None:
        async with database.read() as conn:
            await conn.execute("SELECT pg_sleep(0.05)")

    async with pool(database_urls.bot, max_size=2) as database:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(8):
                tasks.create_task(read(database))
        mine = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'dragonfly_bot' AND datname = current_database()"
        assert await one(as_owner, mine) == 2


async def test_waiting_for_a_session_is_bounded(database_urls: DatabaseUrls) -> None:
    async with pool(database_urls.bot, max_size=1) as database, database.read():
        error = await why(database, timeout_s=0.1)

    assert error.why == "all our sessions are busy"


async def test_a_closed_pool_opens_nothing(database_urls: DatabaseUrls) -> None:
    async with pool(database_urls.bot) as database:
        await database.close()

        assert (await why(database)).why == "the pool is closed"


async def test_a_read_cancelled_while_it_is_undone_leaves_no_session_behind(
    database_urls: DatabaseUrls, as_owner: Connection
) -> None:
    undoing = asyncio.Event()

    async def fail(database: Database) -> None:
        async with database.read():
            undoing.set()
            raise ValueError("the transaction is rolled back now")

    async with pool(database_urls.bot) as database:
        task = asyncio.create_task(fail(database))
        await undoing.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    left = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'dragonfly_bot'"
    async with asyncio.timeout(PATIENCE_S):
        while await one(as_owner, left):
            await asyncio.sleep(0.01)


async def test_pool_returns_times_in_utc_when_the_database_has_another_zone(database_urls: DatabaseUrls) -> None:
    """In a local zone the night of the clock change is 1 h off: times are subtracted as wall clocks."""
    with psycopg.connect(database_urls.superuser, autocommit=True) as conn:
        name = database_urls.bot.rpartition("/")[2].partition("?")[0]
        conn.execute(f"ALTER DATABASE {name} SET timezone = 'Europe/Berlin'")
    database = Database.connect_lazily(Secret(database_urls.bot), application_name="test")
    query = "SELECT timestamptz '2026-03-29 00:59:00+00', timestamptz '2026-03-29 01:01:00+00'"

    async with database.read() as reading:
        row = await (await reading.execute(query)).fetchone()

    await database.close()
    assert row is not None
    assert (row[1] - row[0], row[0].utcoffset()) == (timedelta(minutes=2), timedelta())


@pytest.mark.parametrize("text", ["half an emoji \ud83d", "nul \0"])
async def test_a_text_that_cannot_be_stored_is_a_refused_statement(database_urls: DatabaseUrls, text: str) -> None:
    async with pool(database_urls.app) as database:
        for attempt in (_in_transaction(database, text), database.run("SELECT %(t)s", {"t": text})):
            with pytest.raises(SourceError, match="cannot be stored") as caught:
                await attempt
            assert not caught.value.retryable
            assert not caught.value.outcome_unknown

        async with database.read() as conn:
            assert await one(conn, "SELECT 1") == 1


async def test_a_read_whose_commit_is_not_answered_may_be_tried_again_and_changed_nothing(
    database_urls: DatabaseUrls,
) -> None:
    async with Line(database_urls.bot).serve() as line, pool(line.dsn) as database:
        lost = line.hold(b"COMMIT", "after")
        reading = asyncio.create_task(why(database, timeout_s=60.0))
        await lost.reached.wait()
        lost.release()

        error = await reading

    assert (error.retryable, error.outcome_unknown) == (True, False)


async def _in_transaction(database: Database, text: str) -> None:
    async with database.transaction() as conn:
        await conn.execute(ADD_JOB, [text])
