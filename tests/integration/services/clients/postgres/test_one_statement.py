"""One statement as a transaction of its own, in one round trip."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator

import pytest

from services.clients.postgres.pool import Connection, Database
from services.domain.errors import SourceError
from services.domain.secrets import Secret
from tests.conftest import DatabaseUrls

ADD_JOB = "INSERT INTO ops.job_queue (job_type, idempotency_key) VALUES ('test', %(key)s)"
PID = "SELECT pg_backend_pid()"


@pytest.fixture
async def database(database_urls: DatabaseUrls) -> AsyncIterator[Database]:
    database = Database.connect_lazily(Secret(database_urls.owner), application_name="test", max_size=1)
    yield database
    await database.close()


async def count_jobs(conn: Connection) -> int:
    row = await (await conn.execute("SELECT count(*) FROM ops.job_queue")).fetchone()
    assert row
    return int(row[0])


async def test_statement_is_committed_and_returns_its_rows(database: Database, as_owner: Connection) -> None:
    rows = await database.run(ADD_JOB + " RETURNING job_type, attempts", {"key": "k"})
    none = await database.run(ADD_JOB, {"key": "l"})

    assert (rows, none) == ([("test", 0)], [])
    assert await count_jobs(as_owner) == 2


async def test_values_come_as_they_were_given(database: Database) -> None:
    values = ["it's", 'a "b"', "back\\slash", "50 %", "%s %(key)s", "a; COMMIT; --", "new\nline", "ü €", "$1", ""]

    rows = await database.run("SELECT unnest(%(values)s::text[])", {"values": values})

    assert [value for (value,) in rows] == values


async def test_failed_statement_saves_nothing_and_keeps_the_session(database: Database, as_owner: Connection) -> None:
    [(pid,)] = await database.run(PID, {})
    await database.run(ADD_JOB, {"key": "same"})

    with pytest.raises(SourceError) as caught:
        await database.run(ADD_JOB, {"key": "same"})

    assert "same" not in str(caught.value)
    assert not caught.value.outcome_unknown
    assert await count_jobs(as_owner) == 1
    assert await database.run(PID, {}) == [(pid,)]


async def test_a_slow_one_is_ended_by_the_server(database: Database, as_owner: Connection) -> None:
    [(pid,)] = await database.run(PID, {})
    with pytest.raises(SourceError, match=r"no answer within 0\.2 s"):
        await database.run("SELECT pg_sleep(600)", {}, timeout_s=0.2)

    asleep = "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND state = 'active'"
    async with asyncio.timeout(60):
        while await (await as_owner.execute(asleep, (pid,))).fetchone():
            await asyncio.sleep(0.02)


async def test_statement_outcome_is_unknown_when_the_answer_is_lost(database: Database) -> None:
    [(pid,)] = await database.run(PID, {})
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(SourceError) as caught:
            await database.run(ADD_JOB, {"key": "k"}, timeout_s=0.3)
    finally:
        os.kill(pid, signal.SIGCONT)

    assert caught.value.outcome_unknown


async def test_a_session_that_hung_up_meanwhile_is_replaced_unnoticed(database: Database, as_owner: Connection) -> None:
    [(pid,)] = await database.run(PID, {})
    await as_owner.execute("SELECT pg_terminate_backend(%s, 10000)", (pid,))

    assert await database.run(PID, {}) != [(pid,)]


async def test_statement_timeout_ends_with_its_statement(database: Database) -> None:
    await database.run("SELECT 1", {}, timeout_s=3)

    async with contextlib.AsyncExitStack() as stack:
        conn = await stack.enter_async_context(database.read(timeout_s=7))
        row = await (await conn.execute("SHOW statement_timeout")).fetchone()
    assert row == ("7s",)
