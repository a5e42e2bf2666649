"""Claiming and the operators' queries stay as cheap with a large history and backlog as on a young table."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import pytest

from services.clients.postgres import operated, worker
from services.clients.postgres.migrations import migrate
from services.clients.postgres.pool import Connection, connect
from services.domain.jobs import PENDING_COUNTED_TO
from services.domain.secrets import Secret
from services.domain.systems import ENFORCEMENT_JOB_TYPE, JOB_TYPE
from services.domain.thresholds import StaleLimits
from tests.benchmarks.measuring import median, ms, seconds, show
from tests.conftest import DatabaseUrls

FINISHED = int(os.environ.get("QUEUE_FINISHED", "5000000"))
PENDING = int(os.environ.get("QUEUE_PENDING", "1000000"))
CLAIMS, BATCHES, READS = 100, 30, 150
BATCH = 50
AIM = 1.3
HOUR = timedelta(hours=1)
COMMON, RARE, PLANNED = [JOB_TYPE, ENFORCEMENT_JOB_TYPE], "rare", "planned"
ENOUGH = 4 * CLAIMS + BATCHES * BATCH  # of each type, for all claims below

# Both tables: a busy last hour, and enough jobs to claim per type. A tenth of the ended jobs failed.
_LAST_HOUR = """
INSERT INTO ops.job_queue (job_type, status, attempts, created_at, updated_at, error_message)
SELECT (%(types)s::text[])[1 + n %% 2], CASE WHEN n %% 10 = 0 THEN 'failed' ELSE 'completed' END, 1,
       ended.at, ended.at, CASE WHEN n %% 10 = 0 THEN 'no answer' END
FROM generate_series(1, 2000) AS n, LATERAL (SELECT now() - n * interval '1.7 seconds') AS ended (at)
"""
_WAITING = """
INSERT INTO ops.job_queue (job_type, created_at, updated_at, run_at)
SELECT (%(types)s::text[])[1 + n %% cardinality(%(types)s::text[])], queued.at, queued.at, queued.at
FROM generate_series(1, %(rows)s) AS n,
     LATERAL (SELECT now() - %(waited)s - n * interval '10 milliseconds') AS queued (at)
"""
# More urgent than all due jobs, in three priorities, and not due before tomorrow.
_PLANNED = """
INSERT INTO ops.job_queue (job_type, priority, created_at, updated_at, run_at)
SELECT %(type)s, 1 + n %% 3, queued.at, queued.at, now() + interval '1 day' + n * interval '1 s'
FROM generate_series(1, %(rows)s) AS n, LATERAL (SELECT now() - interval '2 hours') AS queued (at)
"""
# The old table also has 30 days of finished jobs.
_HISTORY = """
INSERT INTO ops.job_queue (job_type, status, attempts, created_at, updated_at, error_message)
SELECT (%(types)s::text[])[1 + n %% 2], CASE WHEN n %% 10 = 0 THEN 'failed' ELSE 'completed' END, 1,
       ended.at, ended.at, CASE WHEN n %% 10 = 0 THEN 'no answer' END
FROM generate_series(1, %(rows)s) AS n,
     LATERAL (SELECT now() - interval '1 hour' - n * interval '30 days' / %(rows)s) AS ended (at)
"""


@dataclass(frozen=True)
class Sessions:
    """Sessions in one database as the workers' role and as the bot's."""

    app: Connection
    bot: Connection


@pytest.fixture
async def young(empty_database_urls: DatabaseUrls) -> AsyncIterator[Sessions]:
    await migrate(Secret(empty_database_urls.owner))
    async with _filling(empty_database_urls) as conn:
        await _fill(conn, pending=0)
    async with _sessions(empty_database_urls) as sessions:
        yield sessions


@pytest.fixture
async def old(database_urls: DatabaseUrls) -> AsyncIterator[Sessions]:
    async with _filling(database_urls) as conn:
        await _fill(conn, pending=PENDING)
        await conn.execute(_HISTORY, {"types": COMMON, "rows": FINISHED})
    async with _sessions(database_urls) as sessions:
        yield sessions


async def _fill(conn: Connection, *, pending: int) -> None:
    """Fill the queue. A fifth of the pending jobs is planned for later; every type and priority occurs."""
    later = pending // 5
    await conn.execute(_LAST_HOUR, {"types": COMMON})
    await conn.execute(_WAITING, {"types": [*COMMON, RARE, PLANNED], "rows": 4 * ENOUGH, "waited": HOUR})
    await conn.execute(_WAITING, {"types": COMMON, "rows": pending - later, "waited": HOUR})
    await conn.execute(_PLANNED, {"type": PLANNED, "rows": later + 3})


@pytest.mark.benchmark
@pytest.mark.timeout(1200)
async def test_the_queue_costs_the_same_when_history_is_large(
    young: Sessions, old: Sessions, database_urls: DatabaseUrls
) -> None:
    flat = {
        name: await _compare(rounds, partial(_claim, young.app, types, limit), partial(_claim, old.app, types, limit))
        for name, types, limit, rounds in _CLAIMS
    }
    flat |= {name: await _compare(READS, partial(read, young.bot), partial(read, old.bot)) for name, read in _READS}
    snapshot = await _compare(READS, partial(_snapshot, young.bot), partial(_snapshot, old.bot))
    async with _filling(database_urls) as conn:
        await conn.execute(_WAITING, {"types": COMMON, "rows": PENDING // 5, "waited": timedelta()})
    crowded = await _compare(READS, partial(_throughput, young.bot), partial(_throughput, old.bot))

    show(
        f"{FINISHED:,} finished, {PENDING:,} pending jobs against a young table, medians (aim: {AIM} x)",
        *[(name, _figure(*both)) for name, both in flat.items()],
    )
    show(
        "The same where the backlog itself is read (no aim)",
        (f"queue snapshot: counts what is pending, to {PENDING_COUNTED_TO:,}", _figure(*snapshot)),
        (f"throughput, {PENDING // 5:,} more queued within the hour", _figure(*crowded)),
    )
    for name, (on_young, on_old) in flat.items():
        assert on_old / on_young <= 2 * AIM, name


_CLAIMS = (
    ("claim a job of one type", COMMON[:1], 1, CLAIMS),
    ("… of a rare type behind all others", [RARE], 1, CLAIMS),
    ("… of several types", [*COMMON, RARE], 1, CLAIMS),
    ("… of a type with many more urgent ones planned", [PLANNED], 1, CLAIMS),
    (f"claim {BATCH} jobs of several types", [*COMMON, RARE], BATCH, BATCHES),
)


async def _claim(conn: Connection, job_types: list[str], limit: int) -> None:
    jobs = await worker.claim_jobs(conn, worker_id="benchmark", job_types=job_types, limit=limit)
    assert len(jobs) == limit


async def _snapshot(conn: Connection) -> None:
    await operated.read_queue_snapshot(conn, stale_after=StaleLimits())


async def _throughput(conn: Connection) -> None:
    await operated.list_throughput(conn, window=HOUR)


Read = Callable[[Connection], Awaitable[object]]
_READS: tuple[tuple[str, Read], ...] = (
    ("count the failed of the last hour", lambda conn: operated.count_failed_jobs(conn, window=HOUR)),
    ("list them", lambda conn: operated.list_failed_jobs(conn, window=HOUR, limit=500)),
    ("throughput of the last hour, a minute a row", _throughput),
    ("the 20 oldest pending", lambda conn: operated.list_oldest_pending(conn, limit=20)),
    (
        "since when the next of each type is due",
        lambda conn: operated.list_next_due(conn, job_types=[*COMMON, PLANNED]),
    ),
)


async def _compare(
    rounds: int, on_young: Callable[[], Awaitable[object]], on_old: Callable[[], Awaitable[object]]
) -> tuple[float, float]:
    """Run both calls in turn, and return the median seconds of each."""
    measured = [(await seconds(on_young), await seconds(on_old)) for _ in range(rounds)]
    return median([one for one, _ in measured]), median([other for _, other in measured])


def _figure(on_young: float, on_old: float) -> str:
    return f"{on_old / on_young:.2f} x  ({ms(on_old)} / {ms(on_young)})"


@contextlib.asynccontextmanager
async def _filling(urls: DatabaseUrls) -> AsyncIterator[Connection]:
    """Yield a session as the owner, without notifications of new jobs; VACUUM ANALYZE runs at the end."""
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
