"""Everything works through a pooler that gives each transaction another session (Supabase's port 6543)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from services.clients.postgres import drift, leases, operated, worker
from services.clients.postgres.listen import Listener
from services.clients.postgres.migrations import migrate
from services.clients.postgres.pool import Database
from services.domain.secrets import Secret
from services.domain.thresholds import StaleLimits

if TYPE_CHECKING:
    from tests.conftest import DatabaseUrls
    from tests.integration.conftest import Pooled


@pytest.fixture
async def database(pooled: Pooled, database_urls: DatabaseUrls) -> AsyncIterator[Database]:
    database = Database.connect_lazily(
        Secret(pooled(database_urls.bot)), application_name="dragonfly-test", max_size=4, timeout_s=60.0
    )
    yield database
    await database.close()


async def test_migrations_are_applied_through_a_transaction_pooler(
    pooled: Pooled, empty_database_urls: DatabaseUrls
) -> None:
    dsn = Secret(pooled(empty_database_urls.owner))

    await asyncio.gather(*(migrate(dsn) for _ in range(3)))

    assert (await migrate(dsn)).applied == ()


async def test_reads_run_again_and_again_side_by_side(database: Database) -> None:
    async def read() -> None:
        for _ in range(10):  # psycopg would prepare a statement by the sixth
            async with database.read() as conn:
                await operated.list_heartbeats(conn)
                await operated.read_queue_snapshot(conn, stale_after=StaleLimits())

    await asyncio.gather(*(read() for _ in range(4)))


async def test_drift_can_be_looked_for(database: Database) -> None:
    async with database.read() as conn:
        assert (await drift.read_drift(conn)).refused == {}


async def test_a_lease_has_one_owner(database: Database) -> None:
    async def take(owner: str) -> int | None:
        async with database.transaction() as conn:
            return await leases.take_lease(conn, name="leader", owner=owner, duration=timedelta(seconds=10))

    epochs = await asyncio.gather(*(take(f"bot-{number}") for number in range(8)))

    assert [epoch for epoch in epochs if epoch is not None] == [1]


async def test_jobs_are_ended_and_claimed_side_by_side(pooled: Pooled, database_urls: DatabaseUrls) -> None:
    database = Database.connect_lazily(Secret(pooled(database_urls.app)), application_name="dragonfly-test", max_size=4)
    async with database.transaction() as conn:
        queued = [await worker.queue_job(conn, job_type="a", payload={}) for _ in range(40)]

    async def work(name: str) -> list[str]:
        done: list[str] = []
        jobs: list[worker.ClaimedJob] = []
        while jobs or not done:
            endings = [worker.Ending(job.id, "completed") for job in jobs]
            statuses, jobs = await worker.finish_and_claim_jobs(
                database, endings=endings, worker_id=name, job_types=["a"], limit=3, timeout_s=10
            )
            assert set(statuses.values()) <= {"completed"}
            done += [ending.id for ending in endings] or ["began"]
        return done[1:]

    done = await asyncio.gather(*(work(f"w{number}") for number in range(4)))
    await database.close()

    assert sorted(job for jobs in done for job in jobs) == sorted(job for job in queued if job)


async def test_a_listener_without_notices_reports_so(pooled: Pooled, database_urls: DatabaseUrls) -> None:
    rung: list[bool] = []
    listener = Listener(
        Secret(pooled(database_urls.bot)),
        {"chatops_outbox": lambda: rung.append(True)},
        application_name="dragonfly-test",
    )

    await asyncio.wait_for(listener.run(), 20)

    assert not listener.works
