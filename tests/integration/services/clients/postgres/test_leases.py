"""One owner at a time, by the database's clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from services.clients.postgres import leases
from services.clients.postgres.pool import Database
from services.domain.secrets import Secret
from tests.conftest import DatabaseUrls
from tests.outside import QUIET_S

LONG, SHORT = timedelta(minutes=1), timedelta(milliseconds=100)


@pytest.fixture
async def database(database_urls: DatabaseUrls) -> AsyncIterator[Database]:
    database = Database.connect_lazily(Secret(database_urls.bot), application_name="test", timeout_s=60.0)
    yield database
    await database.close()


async def take(database: Database, owner: str, duration: timedelta = LONG) -> int | None:
    async with database.transaction() as conn:
        return await leases.take_lease(conn, name="leader", owner=owner, duration=duration)


async def test_one_of_many_replicas_gets_the_lease(database: Database) -> None:
    epochs = await asyncio.gather(*[take(database, f"bot-{number}") for number in range(10)])

    assert [epoch for epoch in epochs if epoch] == [1]


async def test_renewal_keeps_the_epoch(database: Database) -> None:
    assert [await take(database, "a"), await take(database, "a")] == [1, 1]


async def until_s(database: Database) -> float:
    """Return the seconds until the lease ends, by the database's clock."""
    async with database.read() as conn:
        cur = await conn.execute("SELECT extract(epoch FROM until - clock_timestamp())::float8 FROM chatops.leases")
        return float((await cur.fetchall())[0][0])


async def step_clock(database: Database, by: timedelta) -> None:
    """Change the lease as if the database's clock had stepped by so much."""
    async with database.transaction() as conn:
        await conn.execute("UPDATE chatops.leases SET until = until - %s", (by,))


async def test_late_renewal_never_shortens_it(database: Database) -> None:
    await take(database, "a", LONG)

    await take_at_most(database, "a", SHORT)

    assert await until_s(database) > 30


async def test_lease_is_shortened_by_its_owner_only(database: Database) -> None:
    await take(database, "a", LONG)
    for owner, epoch in (("b", 1), ("a", 2)):
        async with database.transaction() as conn:
            await leases.shorten_lease(conn, name="leader", owner=owner, epoch=epoch, duration=SHORT)
    assert await until_s(database) > 30

    async with database.transaction() as conn:
        await leases.shorten_lease(conn, name="leader", owner="a", epoch=1, duration=SHORT)
        await leases.shorten_lease(conn, name="leader", owner="a", epoch=1, duration=LONG)

    assert await until_s(database) <= SHORT.total_seconds()


async def test_clock_that_steps_back_makes_no_lease_longer(database: Database) -> None:
    await take(database, "a", LONG)
    await step_clock(database, timedelta(minutes=-15))

    assert await take(database, "b", LONG) is None  # its owner may still rely on all of it
    assert 30 < await until_s(database) <= 60

    await step_clock(database, LONG)
    assert await take(database, "b", LONG) == 2


async def test_owner_renews_within_bounds_when_the_clock_has_stepped_back(database: Database) -> None:
    await take(database, "a", LONG)
    await step_clock(database, timedelta(minutes=-15))

    assert await take(database, "a", LONG) == 1
    assert await until_s(database) <= 60


async def take_at_most(database: Database, owner: str, duration: timedelta) -> int | None:
    async with database.transaction() as conn:
        return await leases.take_lease(conn, name="leader", owner=owner, duration=duration, longest=LONG)


async def test_successor_has_the_next_epoch(database: Database) -> None:
    await take(database, "a", SHORT)
    await asyncio.sleep(2 * SHORT.total_seconds())

    assert await take(database, "b") == 2
    assert await take(database, "a") is None


async def test_released_lease_is_free_at_once(database: Database) -> None:
    await take(database, "a")
    async with database.transaction() as conn:
        await leases.release_lease(conn, name="leader", owner="a", epoch=1)

    assert await take(database, "b") == 2


async def idle(database: Database) -> timedelta | None:
    async with database.read() as conn:
        return await leases.read_idle_time(conn, name="leader")


async def test_idle_time_counts_from_the_end_of_the_lease(database: Database) -> None:
    never = await idle(database)
    await take(database, "a")
    held = await idle(database)
    await step_clock(database, LONG + timedelta(minutes=12))
    free = await idle(database)

    assert never is None
    assert held
    assert held < timedelta()
    assert free
    assert timedelta(minutes=12) <= free < timedelta(minutes=13)


async def test_fence_holds_back_a_successor_until_the_commit(database: Database) -> None:
    await take(database, "a")
    async with database.transaction() as conn:
        assert await leases.lock_lease(conn, name="leader", owner="a", epoch=1)
        await conn.execute("UPDATE chatops.leases SET until = clock_timestamp()")
        taking = asyncio.create_task(take(database, "b"))
        await asyncio.sleep(QUIET_S)
        assert not taking.done()

    assert await taking == 2


async def test_fence_of_a_former_owner_does_not_hold(database: Database) -> None:
    await take(database, "a", SHORT)
    await asyncio.sleep(2 * SHORT.total_seconds())

    async with database.transaction() as conn:
        assert not await leases.lock_lease(conn, name="leader", owner="a", epoch=1)
