"""Jobs per second of the worker's loop compared with bare loops over the same queue, and the delay before a job
starts."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.clients.postgres.listen import Listener
from services.clients.postgres.pool import Connection, Database, connect
from services.clients.postgres.worker import ClaimedJob, queue_job
from services.domain.secrets import Secret
from services.domain.services import WorkerType
from services.job_queue.heartbeat import WorkerState
from services.job_queue.jobs import Result
from services.job_queue.process import JOBS_CHANNEL
from services.job_queue.worker import WorkerLoop, WorkerSettings
from services.process import log_to_streams
from services.sandbox.postgres.server import SandboxDatabase
from tests.benchmarks.bare_queue import drain_by_chain, drain_by_functions, drain_by_plain_sql, drain_in_batches
from tests.benchmarks.measuring import median, ms, percentile, seconds, show

JOBS = int(os.environ.get("QUEUE_JOBS", "2000"))
ROUNDS, STARTS = 3, 100
TYPE = "benchmark"
_FILL = "INSERT INTO ops.job_queue (job_type) SELECT %s FROM generate_series(1, %s)"


@contextlib.contextmanager
def logged_to_file(tmp_path: Path) -> Iterator[None]:
    """Write the worker's log lines as in production, but to a file, so that they do not mix with the figures.

    It is not a fixture, because pytest adds its own handlers during the test's call, which would cost as much again.
    """
    root, switches = logging.getLogger(), ("_srcfile", "logThreads", "logProcesses", "logMultiprocessing")
    handlers, before = root.handlers[:], {name: getattr(logging, name) for name in switches}
    with (tmp_path / "worker.log").open("w") as lines:
        with contextlib.redirect_stdout(lines), contextlib.redirect_stderr(lines):
            log_to_streams()
        yield
        root.handlers[:] = handlers
        for name, value in before.items():
            setattr(logging, name, value)


class Worker:
    """The worker's loop in this process, with a handler that only records when a job starts."""

    def __init__(self, database: SandboxDatabase, *, claim_batch: int) -> None:
        dsn = database.app.reveal()
        self.database = Database.connect_lazily(database.app, application_name="benchmark", max_size=2)
        self.started_at: list[float] = []
        self.expected = 0
        self.reached = asyncio.Event()
        self.stop, self.wake = asyncio.Event(), asyncio.Event()
        self.loop = WorkerLoop(
            worker_id="benchmark",
            worker_type=WorkerType.INGEST,
            handlers={TYPE: self._handle},
            database=self.database,
            settings=WorkerSettings.model_validate(
                {"environment": "dev", "supabase_db_url": dsn, "claim_batch": claim_batch}
            ),
            state=WorkerState(),
            stop=self.stop,
            wake=self.wake,
        )

    async def drain(self) -> None:
        """Process all queued jobs, until the last commit."""
        self.expected = len(self.started_at) + JOBS
        self.stop.clear()
        running = asyncio.create_task(self.loop.run())
        await self.reached.wait()
        self.reached.clear()
        self.stop.set()
        await running

    async def _handle(self, _: ClaimedJob, __: Database) -> Result:
        self.started_at.append(time.perf_counter())
        if len(self.started_at) == self.expected:
            self.reached.set()
        return {}


@pytest.mark.benchmark
@pytest.mark.timeout(600)
async def test_the_loop_keeps_pace_with_bare_loops(database: SandboxDatabase, tmp_path: Path) -> None:
    one, many = Worker(database, claim_batch=1), Worker(database, claim_batch=50)
    took: dict[str, list[float]] = {}
    async with await connect(database.owner, application_name="benchmark", timeout_s=5) as conn:
        ways = {
            "two functions, bare loop": lambda: drain_by_functions(conn, TYPE),
            "plain SQL, bare loop": lambda: drain_by_plain_sql(conn, TYPE),
            "complete and claim in one statement, bare loop": lambda: drain_by_chain(conn, TYPE),
            "worker: settled with the next claim": one.drain,
            "claim 50, complete 50, bare loop": lambda: drain_in_batches(conn, TYPE),
            "worker: CLAIM_BATCH=50": many.drain,
        }
        with logged_to_file(tmp_path):
            for name, drain in list(ways.items()) * ROUNDS:
                await _fill(database.owner)
                took.setdefault(name, []).append(await seconds(drain))
    await one.database.close()
    await many.database.close()

    pace = {name: JOBS / median(values) for name, values in took.items()}
    functions, plain, chain, worker, batch, batched = pace.values()
    show(f"{JOBS:,} jobs, one worker, fsync", *((name, f"{value:8,.0f} jobs/s") for name, value in pace.items()))
    show(
        "Ratios",
        ("worker against the two functions (aim: 0.9)", f"{worker / functions:.2f} x"),
        ("one statement against plain SQL (aim: 1.3)", f"{chain / plain:.2f} x"),
        ("worker against plain SQL", f"{worker / plain:.2f} x"),
        ("CLAIM_BATCH=50 against the batch (aim: 0.4)", f"{batched / batch:.2f} x"),
    )
    assert worker / functions >= 0.45
    assert chain / plain >= 0.65


@pytest.mark.benchmark
@pytest.mark.timeout(300)
async def test_a_job_starts_soon(database: SandboxDatabase, tmp_path: Path) -> None:
    with logged_to_file(tmp_path):
        ours, bare = await _starts(database)

    show(
        f"From queueing to the start, {STARTS} jobs one by one, p50 / p99",
        ("worker", f"{ms(median(ours))} / {ms(percentile(ours, 99))}"),
        ("LISTEN and the claiming function", f"{ms(median(bare))} / {ms(percentile(bare, 99))}"),
        ("p50 against it (aim: 1.5)", f"{median(ours) / median(bare):.2f} x"),
    )
    assert median(ours) / median(bare) <= 3


async def _starts(database: SandboxDatabase) -> tuple[list[float], list[float]]:
    """Return the seconds from queueing to the start: for the worker, then for a bare loop."""
    started = []
    worker = Worker(database, claim_batch=1)
    wake = Listener(database.app, {JOBS_CHANNEL: worker.wake.set}, application_name="benchmark")
    listening, running = asyncio.create_task(wake.run()), asyncio.create_task(worker.loop.run())
    async with await connect(database.app, application_name="benchmark", timeout_s=5) as conn:
        while not wake.works:
            await asyncio.sleep(0.05)
        for _ in range(STARTS):
            worker.expected = len(worker.started_at) + 1
            queued_at = await _queue(conn)
            await worker.reached.wait()
            worker.reached.clear()
            started.append(worker.started_at[-1] - queued_at)
            await asyncio.sleep(0.02)
        worker.stop.set()
        await running
        listening.cancel()
        await worker.database.close()
        return started, await _bare_starts(database.app, conn)


async def _bare_starts(dsn: Secret, conn: Connection) -> list[float]:
    starts = []
    async with await connect(dsn, application_name="benchmark", timeout_s=5) as listening:
        await listening.execute(f"LISTEN {JOBS_CHANNEL}".encode())
        for _ in range(STARTS):
            queued = asyncio.create_task(_queue(conn))
            async for _notice in listening.notifies(stop_after=1):
                pass
            await listening.execute("SELECT id FROM ops.claim_pending_job(%s, 'bare')", ([TYPE],))
            starts.append(time.perf_counter() - await queued)
            await asyncio.sleep(0.02)
    return starts


async def _queue(conn: Connection) -> float:
    queued_at = time.perf_counter()
    await queue_job(conn, job_type=TYPE, payload={})
    return queued_at


async def _fill(owner: Secret) -> None:
    async with await connect(owner, application_name="benchmark", timeout_s=5) as conn:
        await conn.execute("TRUNCATE ops.job_queue")
        await conn.execute(_FILL, (TYPE, JOBS))
        await conn.execute("VACUUM ANALYZE ops.job_queue")
