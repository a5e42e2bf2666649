"""The cost of an idle bot: memory, sessions, queries; one replica and two."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from services.sandbox.postgres.server import PostgresServer
from services.sandbox.slack import model
from services.sandbox.slack.actor import acting_as
from tests.benchmarks.conftest import Stage
from tests.benchmarks.measuring import show

WATCHED_S = 60.0
BEAT_EVERY_S = 10.0
WORK = ("", "help", "health", "sha", "heartbeats", "queue", "failed-jobs", "intake", "migrations", "env")
MAX_MB, MAX_SESSIONS, MAX_QUERIES_PER_S = 120, 5, 2

# `log_statement = all` writes one such line per message of the client; `BEGIN; SET …` is one.
_STATEMENT = re.compile(r"LOG:  (?:statement|execute [^:]+): (\w*)")  # a named query may begin with its comment
_FRAME = frozenset({"BEGIN", "COMMIT", "ROLLBACK", "SET"})


@dataclass(frozen=True)
class Cost:
    """The cost of all replicas; `memory_mb` is that of the largest one."""

    memory_mb: float
    sessions: int
    queries_per_s: float
    transactions_per_s: float


@pytest.fixture
async def beating(stage: Stage) -> AsyncIterator[None]:
    """Keep both workers' heartbeats fresh, so that there is no problem. Written as superuser, which is not counted."""

    async def beat() -> None:
        while True:
            await stage.beat("ingest-1", "ingest_processor")
            await stage.beat("enforcement-1", "enforcement_engine")
            await asyncio.sleep(BEAT_EVERY_S)

    task = asyncio.create_task(beat())
    yield
    task.cancel()


@pytest.mark.benchmark
@pytest.mark.usefixtures("beating")
@pytest.mark.timeout(300)
async def test_idle_bot_is_small(stage: Stage, postgres_server: PostgresServer) -> None:
    log = postgres_server.home / "postgres.log"
    await _log_what_the_bot_asks(stage.database.superuser)
    await stage.start_bot()
    await _do_some_work(stage)
    alone = await _watch(stage, log)
    await stage.start_bot()
    pair = await _watch(stage, log)

    for title, cost, replicas in (("One bot", alone, 1), ("Two replicas", pair, 2)):
        show(
            f"{title}, idle for {WATCHED_S:.0f} s (aims for each: {MAX_MB} MB, {MAX_SESSIONS} sessions, "
            f"{MAX_QUERIES_PER_S} queries/s)",
            ("memory of the larger process", f"{cost.memory_mb:.0f} MB  ({cost.memory_mb / MAX_MB:.2f} x the aim)"),
            ("sessions", f"{cost.sessions}  ({cost.sessions / replicas / MAX_SESSIONS:.2f} x)"),
            (
                "queries",
                f"{cost.queries_per_s:.2f} /s  ({cost.queries_per_s / replicas / MAX_QUERIES_PER_S:.2f} x), "
                f"in {cost.transactions_per_s:.2f} transactions/s",
            ),
        )
        assert cost.memory_mb <= 2 * MAX_MB
        assert cost.sessions <= 2 * MAX_SESSIONS * replicas
        assert cost.queries_per_s <= 2 * MAX_QUERIES_PER_S * replicas


async def _do_some_work(stage: Stage) -> None:
    """Type some commands first: a bot that has answered is larger and holds more sessions than a new one."""
    for line in WORK:
        with stage.workspace.subscribe() as changes:
            await acting_as(stage.workspace, model.OLIVIA.id).type(model.INCIDENTS_ID, f"/dragonfly {line}".strip())
            async with asyncio.timeout(10):
                await changes.next_change()


async def _watch(stage: Stage, log: Path) -> Cost:
    await asyncio.sleep(2)
    seen = log.stat().st_size
    await asyncio.sleep(WATCHED_S)
    with log.open(errors="replace") as file:
        file.seek(seen)
        verbs = Counter(found[1].upper() for found in map(_STATEMENT.search, file) if found)
    queries = sum(count for verb, count in verbs.items() if verb not in _FRAME)
    return Cost(
        memory_mb=max(_memory_mb(bot.pid) for bot in stage.bots),
        sessions=await _count_sessions(stage.database.superuser),
        queries_per_s=queries / WATCHED_S,
        transactions_per_s=(verbs["COMMIT"] + verbs["ROLLBACK"]) / WATCHED_S,
    )


def _memory_mb(pid: int | None) -> float:
    """Resident memory of the process, in MB."""
    shown = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=True)
    return int(shown.stdout) / 1024


async def _log_what_the_bot_asks(superuser: str) -> None:
    async with await psycopg.AsyncConnection.connect(superuser, autocommit=True) as conn:
        await conn.execute(
            "DO $$ BEGIN EXECUTE format('ALTER ROLE dragonfly_bot IN DATABASE %I SET log_statement = ''all''',"
            " current_database()); END $$"
        )


async def _count_sessions(superuser: str) -> int:
    async with await psycopg.AsyncConnection.connect(superuser, autocommit=True) as conn:
        found = await conn.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'dragonfly_bot'"
        )
        row = await found.fetchone()
    assert row is not None
    return int(row[0])
