"""Whether claiming and the operators' queries stay as cheap as on a young table once history and backlog are large."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import pytest

from services.domain.judgments import ENFORCEMENT_JOB_TYPE
from services.domain.secrets import Secret
from services.domain.simplicity import JOB_TYPE
from services.postgres import jobs, worker
from services.postgres.migrations import migrate
from services.postgres.pool import Connection, connect
from tests.benchmarks.measuring import median, ms, seconds, show
from tests.conftest import DatabaseUrls

FINISHED, PENDING = 1_000_000, 200_000
CLAIMS, READS = 300, 150
AIM = 1.3
HOUR = timedelta(hours=1)
_TYPES = [JOB_TYPE, ENFORCEMENT_JOB_TYPE]

# Both tables: a busy last hour, and enough to claim. A tenth of what ends fails.
_LAST_HOUR = """
INSERT INTO ops.job_queue (job_type, status, attempts, created_at, updated_at, error_message)
SELECT (%(types)s::text[])[1 + n %% 2], CASE WHEN n %% 10 = 0 THEN 'failed' ELSE 'completed' END, 1,
       ended.at, ended.at, CASE WHEN n %% 10 = 0 THEN 'no answer' END
FROM generate_series(1, 2000) AS n, LATERAL (SELECT now() - n * interval '1.7 seconds') AS ended (at)
"""
_WAITING = """
INSERT INTO ops.job_queue (job_type, created_at, updated_at, run_at)
SELECT (%(types)s::text[])[1 + n %% 2], queued.at, queued.at, queued.at
FROM generate_series(1, %(rows)s) AS n,
     LATERAL (SELECT now() - %(waited)s - n * interval '10 milliseconds') AS queued (at)
"""
# The old table besides: thirty days of finished jobs.
_HISTORY = """
INSERT INTO ops.job_queue (job_type, status, attempts, created_at, updated_at, error_message)
SELECT (%(types)s::text[])[1 + n %% 2], CASE WHEN n %% 10 = 0 THEN 'failed' ELSE 'completed' END, 1,
       ended.at, ended.at, CASE WHEN n %% 10 = 0 THEN 'no answer' END
FROM generate_series(1, %(rows)s) AS n,
     LATERAL (SELECT now() - interval '1 hour' - n * interval '30 days' / %(rows)s) AS ended (at)
"""


@dataclass(frozen=True)
class Sessions:
    """One database, as the workers and as the bot."""

    app: Connection
    bot: Connection


@pytest.fixture
async def young(empty_database_urls: DatabaseUrls) -> AsyncIterator[Sessions]:
    await migrate(Secret(empty_database_urls.owner))
    async with _filling(empty_database_urls) as conn:
        await conn.execute(_LAST_HOUR, {"types": _TYPES})
        await conn.execute(_WAITING, {"types": _TYPES, "rows": 2 * CLAIMS, "waited": HOUR})
    async with _sessions(empty_database_urls) as sessions:
        yield sessions


@pytest.fixture
async def old(database_urls: DatabaseUrls) -> AsyncIterator[Sessions]:
    async with _filling(database_urls) as conn:
        await conn.execute(_LAST_HOUR, {"types": _TYPES})
        await conn.execute(_WAITING, {"types": _TYPES, "rows": PENDING, "waited": HOUR})
        await conn.execute(_HISTORY, {"types": _TYPES, "rows": FINISHED})
    async with _sessions(database_urls) as sessions:
        yield sessions


@pytest.mark.benchmark
@pytest.mark.timeout(400)
async def test_the_queue_costs_the_same_when_history_is_large(
    young: Sessions, old: Sessions, database_urls: DatabaseUrls
) -> None:
    claims = await _compare(CLAIMS, partial(_claim, young.app), partial(_claim, old.app))
    flat = {name: await _compare(READS, partial(read, young.bot), partial(read, old.bot)) for name, read in _READS}
    snapshot = await _compare(READS, partial(_snapshot, young.bot), partial(_snapshot, old.bot))
    async with _filling(database_urls) as conn:
        await conn.execute(_WAITING, {"types": _TYPES, "rows": PENDING, "waited": timedelta()})
    crowded = await _compare(READS, partial(_throughput, young.bot), partial(_throughput, old.bot))

    flat = {"claim a job": claims, **flat}
    show(
        f"{FINISHED:,} finished, {PENDING:,} pending jobs against a young table, medians (aim: {AIM} x)",
        *[(name, _figure(*both)) for name, both in flat.items()],
    )
    show(
        "The same where the backlog itself is read (no aim)",
        ("queue snapshot: counts what is pending", _figure(*snapshot)),
        (f"throughput, {PENDING:,} more queued within the hour", _figure(*crowded)),
    )
    for name, (on_young, on_old) in flat.items():
        assert on_old / on_young <= 2 * AIM, name


async def _claim(conn: Connection) -> None:
    assert await worker.claim_job(conn, worker_id="benchmark", job_types=_TYPES)


async def _snapshot(conn: Connection) -> None:
    await jobs.read_queue_snapshot(conn, stale_after=timedelta(minutes=5))


async def _throughput(conn: Connection) -> None:
    await jobs.list_throughput(conn, window=HOUR)


Read = Callable[[Connection], Awaitable[object]]
_READS: tuple[tuple[str, Read], ...] = (
    ("count the failed of the last hour", lambda conn: jobs.count_failed_jobs(conn, window=HOUR)),
    ("list them", lambda conn: jobs.list_failed_jobs(conn, window=HOUR, limit=500)),
    ("throughput of the last hour, a minute a row", _throughput),
    ("the 20 oldest pending", lambda conn: jobs.list_oldest_pending(conn, limit=20)),
)


async def _compare(
    rounds: int, on_young: Callable[[], Awaitable[object]], on_old: Callable[[], Awaitable[object]]
) -> tuple[float, float]:
    """Median seconds on each, in turn."""
    measured = [(await seconds(on_young), await seconds(on_old)) for _ in range(rounds)]
    return median([one for one, _ in measured]), median([other for _, other in measured])


def _figure(on_young: float, on_old: float) -> str:
    return f"{on_old / on_young:.2f} x  ({ms(on_old)} / {ms(on_young)})"


@contextlib.asynccontextmanager
async def _filling(urls: DatabaseUrls) -> AsyncIterator[Connection]:
    """As the owner. Nobody listens for new jobs, and autovacuum has been there at the end."""
    async with await connect(Secret(urls.owner), application_name="benchmark", timeout_s=5) as conn:
        await conn.execute("ALTER TABLE ops.job_queue DISABLE TRIGGER USER")
        yield conn
        await conn.execute("ALTER TABLE ops.job_queue ENABLE TRIGGER USER")
        await conn.execute("VACUUM ANALYZE ops.job_queue")


@contextlib.asynccontextmanager
async def _sessions(urls: DatabaseUrls) -> AsyncIterator[Sessions]:
    async with (
        await connect(Secret(urls.app), application_name="benchmark", timeout_s=5) as app,
        await connect(Secret(urls.bot), application_name="benchmark", timeout_s=5) as bot,
    ):
        yield Sessions(app, bot)
