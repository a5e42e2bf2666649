"""One owner at a time, by the database's clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from services.domain.secrets import Secret
from services.postgres import leases
from services.postgres.pool import Database
from tests.conftest import DatabaseUrls

LONG, SHORT = timedelta(minutes=1), timedelta(milliseconds=100)


@pytest.fixture
async def database(database_urls: DatabaseUrls) -> AsyncIterator[Database]:
    database = Database.connect_lazily(Secret(database_urls.bot), application_name="test", timeout_s=60.0)
    yield database
    await database.close()


async def take(database: Database, owner: str, duration: timedelta = LONG) -> int | None:
    async with database.transaction() as conn:
        return await leases.take_lease(conn, name="leader", owner=owner, duration=duration)


async def test_one_of_many_gets_it(database: Database) -> None:
    epochs = await asyncio.gather(*[take(database, f"bot-{number}") for number in range(10)])

    assert [epoch for epoch in epochs if epoch] == [1]


async def test_renewal_keeps_the_epoch(database: Database) -> None:
    assert [await take(database, "a"), await take(database, "a")] == [1, 1]


async def test_successor_has_the_next_epoch(database: Database) -> None:
    await take(database, "a", SHORT)
    await asyncio.sleep(0.15)

    assert await take(database, "b") == 2
    assert await take(database, "a") is None


async def test_released_lease_is_free_at_once(database: Database) -> None:
    await take(database, "a")
    async with database.transaction() as conn:
        await leases.release_lease(conn, name="leader", owner="a", epoch=1)

    assert await take(database, "b") == 2


async def test_fence_holds_back_a_successor_until_the_commit(database: Database) -> None:
    await take(database, "a")
    async with database.transaction() as conn:
        assert await leases.lock_lease(conn, name="leader", owner="a", epoch=1)
        await conn.execute("UPDATE chatops.leases SET until = clock_timestamp()")
        taking = asyncio.create_task(take(database, "b"))
        await asyncio.sleep(0.3)
        assert not taking.done()

    assert await taking == 2


async def test_fence_of_a_former_owner_does_not_hold(database: Database) -> None:
    await take(database, "a", SHORT)
    await asyncio.sleep(0.15)

    async with database.transaction() as conn:
        assert not await leases.lock_lease(conn, name="leader", owner="a", epoch=1)
