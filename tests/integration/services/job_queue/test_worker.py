"""The worker's loop in this process, connected to a real Postgres that loses or delays single answers."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import psycopg
import pytest
from psycopg import sql

from services.clients.postgres import worker
from services.clients.postgres.pool import Connection, Database
from services.clients.postgres.worker import ClaimedJob
from services.domain.services import WorkerType
from services.job_queue.heartbeat import BUSY_EVERY_S, WorkerState
from services.job_queue.jobs import Result
from services.job_queue.worker import CRASH_LOOP_AFTER, CrashLoopError, WorkerLoop, WorkerSettings
from tests.conftest import DatabaseUrls
from tests.integration.services.conftest import Eventually
from tests.outside import PATIENCE_S, until
from tests.wire import Line

TYPE, WORKER_ID = "test", "enforcement-abc123"
STATES = "SELECT id::text, status, attempts FROM ops.job_queue"

Work = Callable[..., contextlib.AbstractAsyncContextManager[WorkerLoop]]


@dataclass
class Jobs:
    """A handler of jobs: notes each attempt in `begun` as `(job id, attempts)`, and ends it with `result` once it may.

    `query`: executed at the end of an attempt.
    """

    result: Result = field(default_factory=dict)
    query: str = ""
    begun: list[tuple[str, int]] = field(default_factory=list)
    _ends: defaultdict[tuple[str, int], asyncio.Event] = field(default_factory=lambda: defaultdict(asyncio.Event))

    async def handle(self, job: ClaimedJob, database: Database) -> Result:
        self.begun.append((job.id, job.attempts))
        await self._ends[job.id, job.attempts].wait()
        if self.query:
            await database.run(self.query, {})
        return self.result

    def end(self, job_id: str, attempts: int = 1) -> None:
        self._ends[job_id, attempts].set()


@pytest.fixture
def jobs() -> Jobs:
    return Jobs()


@pytest.fixture
async def as_superuser(database_urls: DatabaseUrls) -> AsyncIterator[Connection]:
    async with await psycopg.AsyncConnection.connect(database_urls.superuser, autocommit=True) as conn:
        yield conn


@pytest.fixture
async def line(database_urls: DatabaseUrls) -> AsyncIterator[Line]:
    async with Line(database_urls.app).serve() as line:
        yield line


@pytest.fixture
def work(line: Line, jobs: Jobs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Work:
    """Runs the loop on the other end of `line`; keywords are settings. It is stopped at the end."""
    monkeypatch.setattr("services.process.FIRST_RETRY_S", 0.01)
    monkeypatch.setattr("services.process.LONGEST_RETRY_S", 0.02)
    monkeypatch.setattr("services.job_queue.worker.TIMEOUT_S", PATIENCE_S)  # a delayed answer is late, not lost
    caplog.set_level("INFO")

    @contextlib.asynccontextmanager
    async def working(**changed: float) -> AsyncIterator[WorkerLoop]:
        usual = {"environment": "dev", "supabase_db_url": line.dsn, "poll_every_s": 0.05, "stop_grace_s": 0.05}
        settings = WorkerSettings.model_validate(usual | changed)
        database = Database.connect_lazily(settings.dsn, application_name="test", max_size=settings.sessions)
        loop = WorkerLoop(
            worker_id=WORKER_ID,
            worker_type=WorkerType.ENFORCEMENT,
            handlers={TYPE: jobs.handle},
            database=database,
            settings=settings,
            state=WorkerState(),
            stop=asyncio.Event(),
            wake=asyncio.Event(),
        )
        running = asyncio.create_task(loop.run())
        try:
            yield loop
        finally:
            loop.stop.set()
            try:
                await running
            finally:
                await database.close()

    return working


async def queue_job(conn: Connection) -> str:
    job_id = await worker.queue_job(conn, job_type=TYPE, payload={})
    assert job_id
    return job_id


async def states(conn: Connection) -> dict[str, tuple[str, int]]:
    """Return `{job id: (status, attempts)}`."""
    return {row[0]: row[1:] for row in await (await conn.execute(STATES)).fetchall()}


async def all_completed(conn: Connection) -> bool:
    return {status for status, _ in (await states(conn)).values()} == {"completed"}


async def test_a_job_whose_claim_has_yet_to_be_answered_is_not_handed_back(
    work: Work, line: Line, jobs: Jobs, as_app: Connection, eventually: Eventually, caplog: pytest.LogCaptureFixture
) -> None:
    """One lane claims it, and the answer is slow; meanwhile another lane recovers from an outage."""
    async with work(concurrency=2):
        first, second = await queue_job(as_app), await queue_job(as_app)
        await until(lambda: len(jobs.begun) == 2)
        third = await queue_job(as_app)

        late = line.hold(b'"completed"', "after", lose=False)
        jobs.end(first)
        await late.reached.wait()
        line.hold(b'"completed"', "before").release()
        jobs.end(second)
        await until(lambda: "PostgreSQL connection established" in caplog.messages)
        await _give_it_a_chance(lambda: (third, 1) in jobs.begun)
        late.release()
        await until(lambda: (third, 1) in jobs.begun)
        jobs.end(third)

        await eventually(lambda: all_completed(as_app))
    assert sorted(jobs.begun) == sorted([(first, 1), (second, 1), (third, 1)])


async def test_an_outcome_whose_answer_is_lost_is_kept_and_the_job_claimed_with_it_starts_again(
    work: Work, line: Line, jobs: Jobs, as_app: Connection, eventually: Eventually
) -> None:
    async with work():
        first = await queue_job(as_app)
        await until(lambda: len(jobs.begun) == 1)
        second = await queue_job(as_app)

        lost = line.hold(b'"completed"', "after")
        jobs.end(first)
        await lost.reached.wait()
        assert await states(as_app) == {first: ("completed", 1), second: ("processing", 1)}
        lost.release()
        jobs.end(second)

        await eventually(lambda: all_completed(as_app))
    assert jobs.begun == [(first, 1), (second, 1)]


async def test_an_outcome_that_never_arrived_is_stored_without_the_work_being_done_again(
    work: Work, line: Line, jobs: Jobs, as_app: Connection, eventually: Eventually
) -> None:
    async with work():
        job = await queue_job(as_app)
        await until(lambda: len(jobs.begun) == 1)

        lost = line.hold(b'"completed"', "before")
        jobs.end(job)
        await lost.reached.wait()
        assert await states(as_app) == {job: ("processing", 1)}
        lost.release()

        await eventually(lambda: all_completed(as_app))
    assert jobs.begun == [(job, 1)]


async def test_lost_answers_are_no_crash_loop(work: Work, line: Line, jobs: Jobs, as_app: Connection) -> None:
    async with work() as loop:
        for _ in range(CRASH_LOOP_AFTER):
            lost = line.hold(b"finish_and_claim_jobs", "after")
            lost.release()
            await lost.reached.wait()

        job = await queue_job(as_app)
        await until(lambda: jobs.begun == [(job, 1)])
        assert not loop.stop.is_set()


async def test_worker_ends_with_a_crash_loop_when_it_may_not_claim(
    work: Work, as_owner: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    refused = "claim_pending_job: permission denied for function claim_pending_job"
    await as_owner.execute("REVOKE EXECUTE ON FUNCTION ops.claim_pending_job FROM dragonfly_app")

    with pytest.raises(CrashLoopError):
        async with work():
            await until(lambda: caplog.messages.count(refused) == CRASH_LOOP_AFTER)


async def test_a_claim_that_comes_through_long_after_the_outage_is_handed_back(
    work: Work, jobs: Jobs, as_app: Connection
) -> None:
    async with work(reap_every_s=0.1):
        async with as_app.transaction():
            job = await queue_job(as_app)
            assert await worker.claim_jobs(as_app, worker_id=WORKER_ID, job_types=[TYPE])

        await until(lambda: jobs.begun == [(job, 1)])


async def test_a_job_of_a_silent_worker_is_taken_over(work: Work, jobs: Jobs, as_owner: Connection) -> None:
    job = await queue_job(as_owner)
    await as_owner.execute(
        "UPDATE ops.job_queue SET status = 'processing', attempts = 1, locked_by = 'enforcement-gone',"
        " locked_at = now() - interval '1 hour'"
    )

    async with work(reap_every_s=0.1):
        await until(lambda: jobs.begun == [(job, 2)])


async def test_an_outcome_does_not_end_the_next_attempt_at_the_job(
    work: Work,
    jobs: Jobs,
    as_app: Connection,
    as_owner: Connection,
    eventually: Eventually,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It was taken from a lane that had been silent for too long, and claimed by another one of the same worker."""
    async with work(concurrency=2, reap_every_s=0.1) as loop:
        job = await queue_job(as_app)
        await until(lambda: jobs.begun == [(job, 1)])
        await as_owner.execute("UPDATE ops.job_queue SET status = 'pending', locked_at = NULL, locked_by = NULL")
        await until(lambda: jobs.begun == [(job, 1), (job, 2)])

        jobs.end(job, 1)
        await until(lambda: f"update_job_status: job {job} -> no longer ours, left alone" in caplog.messages)
        assert await states(as_app) == {job: ("processing", 2)}
        assert loop.state.claims == {(job, 2)}
        jobs.end(job, 2)

        await eventually(lambda: all_completed(as_app))
    assert jobs.begun == [(job, 1), (job, 2)]


async def test_a_result_that_cannot_be_stored_is_a_failure(
    work: Work, jobs: Jobs, as_app: Connection, eventually: Eventually
) -> None:
    jobs.result = {"text": "\0"}  # not valid in jsonb
    async with work():
        job = await queue_job(as_app)
        jobs.end(job)

        failed = "SELECT attempts, error_message FROM ops.job_queue WHERE status = 'pending' AND attempts = 1"
        await eventually(lambda: _rows(as_app, failed))
    why = "its outcome could not be stored: database: UntranslatableCharacter (SQLSTATE 22P05)"
    assert await _rows(as_app, failed) == [(1, why)]


async def _give_it_a_chance(wrong: Callable[[], bool]) -> None:
    """Wait 1 s for something that must not happen."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(1):
            while not wrong():
                await asyncio.sleep(0.02)


async def _rows(conn: Connection, query: str) -> list[tuple[object, ...]]:
    return await (await conn.execute(query)).fetchall()


READ_ONLY = "ALTER DATABASE {} SET default_transaction_read_only = {}"
END_SESSIONS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE application_name = 'test' AND datname = current_database()"
)


async def set_read_only(conn: Connection, value: str) -> None:
    """Set the default for new sessions, and end the worker's."""
    await conn.execute(sql.SQL(READ_ONLY).format(sql.Identifier(conn.info.dbname), sql.Identifier(value)))
    await conn.execute(END_SESSIONS)


async def test_a_database_that_takes_no_writes_is_waited_for_and_no_attempt_is_lost(
    work: Work, jobs: Jobs, as_app: Connection, as_superuser: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    """For longer than a crash loop would last: more refused claims than failures that end a worker."""
    async with work() as loop:
        await set_read_only(as_superuser, "on")
        await until(lambda: loop._refusals > 2 * CRASH_LOOP_AFTER)
        await set_read_only(as_superuser, "off")
        job_id = await queue_job(as_app)
        await until(lambda: jobs.begun == [(job_id, 1)])

        await set_read_only(as_superuser, "on")
        jobs.end(job_id)
        refused = f"update_job_status: job {job_id} not written: the database is read-only"
        await until(lambda: refused in caplog.messages)
        assert await states(as_app) == {job_id: ("processing", 1)}
        await set_read_only(as_superuser, "off")
        await until(lambda: f"update_job_status: job {job_id} -> completed" in caplog.messages)

    assert await states(as_app) == {job_id: ("completed", 1)}
    for line in ("claim_pending_job: the database is read-only", refused):
        assert caplog.messages.count(line) <= 2  # once per beginning


async def test_a_job_that_the_full_disk_fails_is_handed_back_and_done_later(
    work: Work, jobs: Jobs, as_app: Connection, as_owner: Connection, eventually: Eventually
) -> None:
    """A claim rewrites a row in place, which works on a full disk; storing the job's result does not."""
    await as_owner.execute(FULL)
    jobs.query = "SELECT public.store()"
    async with work() as loop:
        job_id = await queue_job(as_app)
        jobs.end(job_id)
        await until(lambda: len(jobs.begun) > 2 * CRASH_LOOP_AFTER)
        assert loop._failures == 0
        assert {attempts for _, attempts in jobs.begun} == {1}
        await as_owner.execute("CREATE OR REPLACE FUNCTION public.store() RETURNS void LANGUAGE sql AS 'SELECT'")
        await eventually(lambda: all_completed(as_app))
    assert await states(as_app) == {job_id: ("completed", 1)}


FULL = """
CREATE FUNCTION public.store() RETURNS void LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION USING ERRCODE = 'disk_full', MESSAGE = 'could not extend file'; END $$;
GRANT EXECUTE ON FUNCTION public.store() TO PUBLIC
"""


async def test_a_late_outcome_does_not_end_a_later_claim_of_the_same_attempt(
    work: Work, jobs: Jobs, as_app: Connection, as_owner: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    """Handed back, it was claimed again by the same worker: the attempt has the same number, but not the claim."""
    async with work(concurrency=2, reap_every_s=600.0) as loop:
        job = await queue_job(as_app)
        await until(lambda: len(jobs.begun) == 1)
        await worker.finish_job(as_app, job_id=job, status="pending")
        await until(lambda: len(loop.state.claims) == 2)

        jobs.end(job)  # in both lanes: the outcome of the former claim comes first
        await until(lambda: f"update_job_status: job {job} -> no longer ours, left alone" in caplog.messages)
        await until(lambda: f"update_job_status: job {job} -> completed" in caplog.messages)

    assert jobs.begun == [(job, 1), (job, 1)]
    row = await (await as_owner.execute("SELECT status, attempts, claim FROM ops.job_queue")).fetchone()
    assert row == ("completed", 1, 2)


async def test_a_busy_worker_beats_often_enough_to_be_missed_within_30_s() -> None:
    settings = WorkerSettings.model_validate({"environment": "dev", "supabase_db_url": "postgresql://u:p@h/d"})

    assert settings.gone_after_s > BUSY_EVERY_S * 3
    assert settings.gone_after_s + settings.reap_every_s + settings.poll_every_s < 30
