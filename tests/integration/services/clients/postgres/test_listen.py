"""Wake-ups by LISTEN and NOTIFY."""

from __future__ import annotations

import asyncio

import psycopg

from services.clients.postgres.listen import Listener
from services.domain.secrets import Secret
from tests.conftest import DatabaseUrls
from tests.outside import PATIENCE_S


async def test_wakes_for_each_notice(database_urls: DatabaseUrls) -> None:
    rung = asyncio.Event()
    listener = Listener(Secret(database_urls.bot), {"changes": rung.set}, application_name="test")
    listening = asyncio.create_task(listener.run())
    async with asyncio.timeout(PATIENCE_S):
        await rung.wait()  # once at the start: something may have changed before
    rung.clear()

    async with await psycopg.AsyncConnection.connect(database_urls.bot, autocommit=True) as conn:
        await conn.execute("NOTIFY changes")

    async with asyncio.timeout(PATIENCE_S):
        await rung.wait()
    assert listener.works
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    assert not listener.works


async def test_lost_session_is_not_working(database_urls: DatabaseUrls) -> None:
    rung = asyncio.Event()
    listener = Listener(Secret(database_urls.bot), {"changes": rung.set}, application_name="lost-bell")
    listening = asyncio.create_task(listener.run())
    async with asyncio.timeout(PATIENCE_S):
        await rung.wait()

    async with await psycopg.AsyncConnection.connect(database_urls.superuser, autocommit=True) as conn:
        await conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'lost-bell' AND datname = current_database()"
        )

    async with asyncio.timeout(PATIENCE_S):
        while listener.works:
            await asyncio.sleep(0.01)
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
