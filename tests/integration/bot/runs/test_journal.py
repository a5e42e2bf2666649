"""The view that a replica has of the lease of its run, over the real database."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import pytest

from bot.config.timing import RunSettings
from bot.runs.journal import Journal, LostRunError, claim
from services.clients.postgres import runs
from services.clients.postgres.pool import Database
from services.domain.runs import run_lease
from services.domain.secrets import Secret
from tests.conftest import DatabaseUrls

SETTINGS = RunSettings(lease_s=30.0, act_lease_s=300.0)  # far apart, so that a slow machine cannot confuse them
RUN = 1


@pytest.fixture
async def database(database_urls: DatabaseUrls) -> AsyncIterator[Database]:
    database = Database.connect_lazily(Secret(database_urls.bot), application_name="test", timeout_s=60.0)
    yield database
    await database.close()


@pytest.fixture
async def journal(database: Database) -> Journal:
    journal = await claim(database, run_id=RUN, owner="a", settings=SETTINGS)
    assert journal is not None
    return journal


async def lease_s(database: Database) -> float:
    """Return the seconds until the lease ends, by the database's clock."""
    async with database.read() as conn:
        cur = await conn.execute("SELECT extract(epoch FROM until - clock_timestamp())::float8 FROM chatops.leases")
        return float((await cur.fetchall())[0][0])


async def test_holder_reckons_with_the_duration_that_was_sent(journal: Journal) -> None:
    """A short renewal is under way while an act begins: the lease that it brings is short."""
    asked_at = time.monotonic()
    async with journal.writing():
        during_act = journal.during_act()
        await during_act.__aenter__()

    assert journal.held_until <= time.monotonic() + SETTINGS.lease_s
    await during_act.__aexit__(None, None, None)
    assert journal.held_until >= asked_at + SETTINGS.lease_s


async def test_renewal_that_waits_for_a_session_sends_what_its_holder_reckons_with(
    journal: Journal, database: Database
) -> None:
    """It begins during an act, and is sent when the act is over."""

    async def renew() -> None:
        async with journal.writing():
            pass

    async with contextlib.AsyncExitStack() as sessions:
        for _ in range(4):  # every session of the pool
            await sessions.enter_async_context(database.read(timeout_s=60.0))
        async with journal.during_act():
            renewing = asyncio.create_task(renew())
            await asyncio.sleep(0)  # the renewal waits for a session now
    await renewing

    assert await lease_s(database) > SETTINGS.lease_s


async def test_short_renewal_that_comes_late_takes_nothing_from_an_act(journal: Journal, database: Database) -> None:
    async with journal.during_act(), journal.writing():
        pass
    held_until = journal.held_until

    async with journal.writing():
        pass

    assert journal.held_until == held_until
    assert await lease_s(database) > SETTINGS.lease_s


async def test_lease_is_short_again_once_the_act_is_over(journal: Journal, database: Database) -> None:
    """Otherwise a successor would wait for a call that is no longer made."""
    async with journal.during_act(), journal.writing():
        pass

    async with journal.writing(settled=True):
        pass

    assert journal.held_until <= time.monotonic() + SETTINGS.lease_s
    assert await lease_s(database) <= SETTINGS.lease_s


async def test_renewal_of_what_was_taken_away_meanwhile_is_refused(journal: Journal, database: Database) -> None:
    """A run that pre-empts broke the lease and does not keep it: it is free, with another epoch."""
    async with database.transaction() as conn:
        await runs.break_lease(conn, name=run_lease(RUN), owner=run_lease(2), longest_lease=SETTINGS.longest_lease)

    with pytest.raises(LostRunError):
        async with journal.writing():
            pass
