"""A file of test data goes through the real API and a real ingest worker, once, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from bot.commands.request_change import PLANS
from bot.config.environment import Settings
from bot.facts.golden_path import file_of
from bot.world import World
from playbooks.model import NoPlan
from services.api.app import build_app
from services.api.settings import ApiSettings
from services.domain.runs import RunState, RunStep, StepState, is_proved
from tests.conftest import DatabaseUrls
from tests.integration.bot.approvals.conftest import ANN, MakeApprovalService
from tests.integration.bot.approvals.conftest import make_approval_service as make_approval_service
from tests.integration.bot.approvals.conftest import slack as slack
from tests.integration.bot.approvals.conftest import workspace as workspace
from tests.integration.bot.runs.conftest import OLIVIA, QUICK, Bench, StartReplica
from tests.serving import no_proxy as no_proxy
from tests.serving import serve

UPLOAD = "/api/v1/intake/upload"
KEY = "df_new"
BATCHES = "SELECT id::text, status, is_golden_path FROM intake.simplicity_batches ORDER BY created_at"
LEFT = """
    SELECT (SELECT count(*) FROM intake.simplicity_batches), (SELECT count(*) FROM intake.simplicity_raw_rows),
           (SELECT count(*) FROM public.judgments), (SELECT count(*) FROM ops.job_queue)
"""
REAL = (
    "WITH made AS (INSERT INTO intake.simplicity_batches (file_name, sha256, status) VALUES ('r', repeat('a', 64),"
    " 'completed') RETURNING id), own AS (INSERT INTO intake.simplicity_raw_rows (batch_id, row_number, raw)"
    " SELECT id, 1, '{}' FROM made) INSERT INTO public.judgments (case_number, county, plaintiff, defendant,"
    " judgment_amount, filing_date, batch_id) SELECT 'GOLDEN-PATH', 'Kings', 'p', 'd', 1, '2024-01-02', id FROM made"
)


@dataclass
class Uploads:
    """ASGI around the API: counts uploads, can hold one before or after the API processes it, or lose its answer."""

    app: Any
    count: int = 0
    hold: str | None = None  # "before" or "after"
    lose: bool = False
    is_away: bool = False  # the API answers 500, and nothing is stored
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope.get("path") != UPLOAD:
            await self.app(scope, receive, send)
            return
        self.count += 1
        if self.is_away:
            raise ConnectionError("it is away")  # uvicorn answers 500, as a proxy would
        held, self.hold = self.hold, None
        if held == "before":
            await self._wait()
        kept: list[Any] = []

        async def keep(message: Any) -> None:
            kept.append(message)

        await self.app(scope, receive, keep)
        if held == "after":
            await self._wait()
        lost, self.lose = self.lose, False
        if lost:
            raise ConnectionError("the answer is lost")  # uvicorn answers 500, as a proxy would
        for message in kept:
            await send(message)

    async def _wait(self) -> None:
        self.reached.set()
        await self.released.wait()


@pytest.fixture
def uploads(database_urls: DatabaseUrls) -> Uploads:
    settings = ApiSettings(supabase_db_url=database_urls.app, environment="prod", dragonfly_api_key=KEY)
    return Uploads(build_app(settings))


@pytest.fixture
async def bench(uploads: Uploads, database_urls: DatabaseUrls) -> AsyncIterator[Bench]:
    """A bench without Railway, which a golden path does not need."""
    async with serve(uploads) as url:
        environ = {
            "ENVIRONMENT": "prod",
            "SUPABASE_MODE": "prod",
            "SUPABASE_DB_URL": database_urls.bot,
            "DRAGONFLY_API_BASE": url,
            "DRAGONFLY_API_KEY": KEY,
        }
        known = replace(Settings.from_environment(environ), source_timeout_s=30.0, runs=QUICK)
        world = World.from_settings(known)
        assert world.database is not None
        owned = {**environ, "OWNER": database_urls.owner}
        made = Bench(owned, world.database, world, railway=None, wire=None)  # type: ignore[arg-type]
        yield made
        uploads.released.set()
        await made.stop_runners()
        await world.close()


@contextlib.asynccontextmanager
async def ingest_worker(bench: Bench, dsn: str, *, is_working: bool = True) -> AsyncIterator[None]:
    """A real worker that sends heartbeats; without `is_working` it is stopped by SIGSTOP after the first one."""
    environ = {"PATH": os.environ["PATH"], "ENVIRONMENT": "prod", "SUPABASE_DB_URL": dsn, "HEARTBEAT_EVERY_S": "1"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.ingest_worker", env=environ, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        await bench.worker_alive()
        if not is_working:
            process.send_signal(signal.SIGSTOP)
        yield
    finally:
        process.kill()
        await process.wait()


@pytest.fixture
async def worker(bench: Bench, database_urls: DatabaseUrls) -> AsyncIterator[None]:
    async with ingest_worker(bench, database_urls.app):
        yield


@pytest.fixture
async def idle_worker(bench: Bench, database_urls: DatabaseUrls) -> AsyncIterator[None]:
    """A worker that sent a heartbeat a moment ago, and does nothing."""
    async with ingest_worker(bench, database_urls.app, is_working=False):
        yield


def states(steps: list[RunStep]) -> dict[str, StepState]:
    return {str(step.step["kind"]): step.state for step in steps}


async def polled(bench: Bench, run_id: int) -> None:
    """Wait until the run waits for its batch."""
    await bench.until(run_id, lambda _, steps: states(steps)["AwaitSample"] is StepState.RUNNING)


@pytest.mark.usefixtures("worker")
async def test_the_file_goes_all_the_way_and_leaves_nothing(bench: Bench, uploads: Uploads) -> None:
    await bench.sql(REAL)
    bench.start_runner()

    run, steps = await bench.ended(await bench.file_command("golden-path"))

    assert is_proved(run.state, steps), steps
    assert uploads.count == 1
    notes = {str(step.step["kind"]): step.note or "" for step in steps}
    assert notes["UploadSample"].startswith("batch_id = ")
    assert (notes["AwaitSample"], notes["VerifySampleRows"]) == ("Batch completed", "Row counts valid")
    assert notes["VerifySampleData"].startswith("5 of 5 hold")
    # The real batch, whose case number looks like the test file's own, is unchanged; the worker's jobs are gone.
    assert await bench.sql(LEFT) == [(1, 1, 1, 0)]
    assert [row[2] for row in await bench.sql(BATCHES)] == [False]
    ((text,),) = await bench.sql("SELECT blocks::text FROM chatops.outbox WHERE key = %s", run.message_key)
    assert "MISSION REPORT" in text
    assert "OVERALL: PASS" in text


@pytest.mark.usefixtures("worker")
async def test_a_kept_sample_is_removed_by_clean(bench: Bench) -> None:
    bench.start_runner()
    kept, _ = await bench.ended(await bench.file_command("golden-path", keep="yes"))
    left = await bench.sql(BATCHES)

    cleaned, steps = await bench.ended(await bench.file_command("golden-path", clean="yes"))

    assert (kept.state, cleaned.state) == (RunState.SUCCEEDED, RunState.SUCCEEDED), steps
    assert [(status, mark) for _, status, mark in left] == [("completed", True)]
    assert await bench.sql(LEFT) == [(0, 0, 0, 0)]


@pytest.mark.usefixtures("idle_worker")
async def test_a_batch_that_fails_ends_the_run_and_is_taken_away(bench: Bench) -> None:
    bench.start_runner()
    run_id = await bench.file_command("golden-path")
    await polled(bench, run_id)

    await bench.sql("UPDATE intake.simplicity_batches SET status = 'failed'")
    run, steps = await bench.ended(run_id)

    assert run.state is RunState.FAILED
    assert "the batch failed" in (run.outcome or "")
    assert states(steps)["VerifySampleData"] is StepState.SKIPPED
    assert states(steps)["RemoveSample"] is StepState.DONE
    assert await bench.sql(LEFT) == [(0, 0, 0, 0)]


@pytest.mark.usefixtures("idle_worker")
async def test_a_cancelled_run_takes_its_batch_away_too(bench: Bench) -> None:
    bench.start_runner()
    run_id = await bench.file_command("golden-path")
    await polled(bench, run_id)

    await bench.sql(
        "UPDATE chatops.runs SET cancel_requested_by_user = %s, cancel_requested_by_team = %s",
        OLIVIA.user_id,
        OLIVIA.team_id,
    )
    run, steps = await bench.ended(run_id)

    assert run.state is RunState.CANCELLED, steps
    assert states(steps)["RemoveSample"] is StepState.DONE
    assert await bench.sql(LEFT) == [(0, 0, 0, 0)]


@pytest.mark.usefixtures("idle_worker")
async def test_a_batch_without_its_golden_path_mark_is_not_deleted(bench: Bench) -> None:
    """An API that does not know the mark would store it so."""
    bench.start_runner()
    run_id = await bench.file_command("golden-path")
    await polled(bench, run_id)

    await bench.sql(
        "WITH done AS (UPDATE intake.simplicity_raw_rows SET status = 'validated') UPDATE intake.simplicity_batches"
        " SET status = 'completed', validated_count = 1, is_golden_path = false"
    )
    run, steps = await bench.ended(run_id)

    assert run.state is RunState.FAILED
    assert "is not marked" in (run.outcome or "")
    removal = next(step for step in steps if step.step["kind"] == "RemoveSample")
    assert removal.state is StepState.FAILED
    assert "no golden path's" in (removal.note or "")
    assert len(await bench.sql(BATCHES)) == 1


@pytest.mark.usefixtures("worker")
async def test_a_lost_answer_uploads_nothing_twice(bench: Bench, uploads: Uploads) -> None:
    uploads.lose = True
    bench.start_runner()

    run, steps = await bench.ended(await bench.file_command("golden-path", keep="yes"))

    assert run.state is RunState.SUCCEEDED, steps
    assert uploads.count == 1
    assert len(await bench.sql(BATCHES)) == 1


@pytest.mark.usefixtures("idle_worker")
@pytest.mark.parametrize("boundary", ["before", "after"])
async def test_a_killed_replica_s_upload_is_there_once(
    bench: Bench, uploads: Uploads, start_replica: StartReplica, boundary: str
) -> None:
    uploads.hold = boundary
    run_id = await bench.file(await bench.plan("golden-path", keep="yes"), state=RunState.PLANNED)
    replicas = [await start_replica(bench, name) for name in ("a", "b")]
    await bench.approve(run_id)
    await asyncio.wait_for(uploads.reached.wait(), 60)
    ((owner,),) = await bench.sql("SELECT owner FROM chatops.leases WHERE name = %s", f"run:{run_id}")

    await next(replica for replica in replicas if owner.startswith(f"{replica.name}:")).kill()
    uploads.released.set()
    await polled(bench, run_id)

    assert len(await bench.sql(BATCHES)) == 1
    assert uploads.count <= 2  # the API refuses the second if the first arrives late
    assert len(await bench.notes(run_id)) == 1


@pytest.mark.usefixtures("idle_worker")
async def test_abort_takes_away_what_came_after_all(
    bench: Bench, uploads: Uploads, make_approval_service: MakeApprovalService
) -> None:
    """Three uploads without an answer, no batch found: a person gives up, and one of them has arrived meanwhile."""
    await bench.sql(REAL)
    uploads.is_away = True
    bench.start_runner()
    run_id = await bench.file_command("golden-path")
    unknown, _ = await bench.ended(run_id)
    assert unknown.state is RunState.UNKNOWN, unknown.outcome
    assert "Its test batch may still exist: `golden-path --clean`" in (unknown.outcome or "")
    uploads.is_away = False
    content = file_of(unknown)
    assert isinstance(content, bytes)
    assert bench.world.api is not None
    await bench.world.api.upload_csv("late.csv", content, is_golden_path=True)
    assert len(await bench.sql(BATCHES)) == 2

    await make_approval_service().resolve_unknown(run_id, ANN, "abort")
    run, steps = await bench.ended(run_id)

    assert run.state is RunState.FAILED, steps
    assert states(steps)["RemoveSample"] is StepState.DONE
    assert "batch is gone" in (run.outcome or "")
    assert await bench.sql(LEFT) == [(1, 1, 1, 0)], "no other batch is touched"


@pytest.mark.usefixtures("idle_worker")
async def test_abort_reports_what_stands_when_nothing_came(
    bench: Bench, uploads: Uploads, make_approval_service: MakeApprovalService
) -> None:
    uploads.is_away = True
    bench.start_runner()
    run_id = await bench.file_command("golden-path")
    await bench.ended(run_id)

    await make_approval_service().resolve_unknown(run_id, ANN, "abort")
    run, steps = await bench.ended(run_id)

    assert run.state is RunState.FAILED, steps
    assert "There is no test batch to remove." in (run.outcome or "")
    assert "If the upload arrives late: `golden-path --clean`." in (run.outcome or "")


async def test_without_a_worker_nothing_is_uploaded(bench: Bench, uploads: Uploads) -> None:
    made = await PLANS["golden-path"]({}, bench.world)

    assert isinstance(made, NoPlan)
    assert "no ingest worker" in made.why
    assert uploads.count == 0


async def test_a_worker_that_falls_silent_before_the_start_voids_the_run(bench: Bench, uploads: Uploads) -> None:
    await bench.sql(
        "INSERT INTO ops.worker_heartbeats (worker_id, worker_type, status) VALUES ('i', 'ingest_processor', 'running')"
    )
    run_id = await bench.file(await bench.plan("golden-path"))
    await bench.sql("UPDATE ops.worker_heartbeats SET status = 'stopped'")
    bench.start_runner()

    run, _ = await bench.ended(run_id)

    assert run.state is RunState.VOIDED
    assert "no ingest worker" in (run.outcome or "")
    assert uploads.count == 0
