"""kill -9, and SIGSTOP with a later SIGCONT, at every boundary of every act, with the leases of production.

Railway is a stand-in at the wire, and the boundaries are set there and in Postgres: the product does not know them.
`make chaos` runs it; the figures go to `build/chaos.jsonl`, and `python -m tests.chaos.report` writes them to the docs.
Three cases of one act, with shorter leases, are in every test run.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest

from bot.config.timing import RunSettings
from services.domain.runs import RunState, StepState
from services.sandbox.database import VERSION
from services.sandbox.railway.model import Pace
from tests.chaos.conftest import Record
from tests.integration.bot.runs.conftest import BOUNDARIES, PACE, Bench, MakeBench, Replica, StartReplica
from tests.wire import Line, Suppression, Where, Word

pytestmark = pytest.mark.timeout(180)

SHA = "8d02b64e"  # an earlier commit of the local Railway
APPLIED = "SELECT count(*) FROM supabase_migrations.schema_migrations WHERE version = %s"
SHORTER = RunSettings(lease_s=2.0, act_lease_s=4.0, call_timeout_s=2.5, settle_s=4.0, poll_every_s=0.5)
GOES_ON_S, GOES_ON_BETWEEN_ACTS_S = 15.0, 5.0  # our promise


@dataclass(frozen=True)
class Case:
    """One act: its change, its step, and the mutation it sends ("" if it is SQL). `first`: a change to make before."""

    act: str
    playbook: str
    parameters: Mapping[str, str]
    mutation: str
    first: tuple[str, Mapping[str, str]] | None = None
    sql: str = field(default="", repr=False)


INGEST: Mapping[str, str] = {"service": "ingest"}
CASES = [
    Case("ScaleService", "scale", {**INGEST, "to": "2"}, "commitPatch"),
    Case("StopService", "scale", {**INGEST, "to": "0"}, "stop"),
    Case("StartService", "scale", {**INGEST, "to": "1"}, "redeploy", first=("scale", {**INGEST, "to": "0"})),
    Case("RestartDeployment", "restart", INGEST, "restart"),
    Case("RedeployDeployment", "redeploy", INGEST, "redeploy"),
    Case("DeployCommit", "deploy", {**INGEST, "sha": SHA}, "deployCommit"),
    Case("RollBackDeployment", "rollback", {**INGEST, "to": SHA}, "rollBack"),
    Case("FreezeAutoDeploy", "rollback", {**INGEST, "to": SHA}, "setAutoDeploy"),
    Case("ApplySqlFile", "rollback-db", {"version": VERSION}, ""),
]
DEEDS = [
    Case("LockService", "rollback", {**INGEST, "to": SHA}, ""),
    Case(
        "RequeueJobs",
        "requeue",
        {"what": "00000000-0000-4000-8000-000000000001"},
        "",
        sql="INSERT INTO ops.job_queue (id, job_type, status, attempts)"
        " VALUES ('00000000-0000-4000-8000-000000000001', 'csv', 'failed', 3)",
    ),
]
WAITS = [
    Case("Soak", "scale", {**INGEST, "to": "2"}, ""),
    Case("VerifyHeartbeats", "scale", {**INGEST, "to": "2"}, ""),
    Case("AwaitDeployment", "rollback", {**INGEST, "to": SHA}, ""),
]


@pytest.fixture
def pace(request: pytest.FixtureRequest) -> Pace:
    """A local Railway slow enough that a step waiting for a deployment can be observed."""
    return replace(PACE, initialize_s=5.0) if "AwaitDeployment" in request.node.name else PACE


@pytest.mark.chaos
@pytest.mark.parametrize("how", ["kill", "freeze"])
@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.act)
async def test_act(
    make_bench: MakeBench,
    start_replica: StartReplica,
    admin_line: Line,
    record: Record,
    case: Case,
    boundary: str,
    how: str,
) -> None:
    bench = await make_bench(settings=RunSettings(), DRAGONFLY_ROLLBACK_DB_URL=admin_line.dsn)
    goes_on_s, done_s = await _stopped_at(bench, start_replica, admin_line, case, boundary, how)

    record(act=case.act, boundary=boundary, how=how, goes_on_s=goes_on_s, done_s=done_s)
    assert goes_on_s <= GOES_ON_S


@pytest.mark.parametrize("boundary", BOUNDARIES[1:])
async def test_killed_at_a_boundary_of_a_restart(
    make_bench: MakeBench, start_replica: StartReplica, admin_line: Line, boundary: str
) -> None:
    """Part of every test run. The time until another replica continues is not asserted: the machine may be busy."""
    bench = await make_bench(settings=SHORTER)
    restart = next(case for case in CASES if case.act == "RestartDeployment")

    await _stopped_at(bench, start_replica, admin_line, restart, boundary, "kill")


async def _stopped_at(
    bench: Bench, start_replica: StartReplica, admin_line: Line, case: Case, boundary: str, how: str
) -> tuple[float, float]:
    """Return the seconds until another replica continued, and until the run ended; check that no act was repeated."""
    await _prepare(bench, case)
    replicas = [await start_replica(bench, name) for name in ("a", "b")]
    before = len(bench.wire.mutations)
    run_id = await bench.file(await bench.plan(case.playbook, **case.parameters), state=RunState.PLANNED)

    def hold(where: Where) -> Suppression | Word:
        if case.mutation:
            return bench.wire.hold(case.mutation, where, lose=where == "before")
        return admin_line.hold(b"COMMIT", where)

    async with bench.at(boundary, run_id, case.act, hold) as reached:
        await bench.approve(run_id)
        await reached()
        victim = await _owner(bench, run_id, replicas)
        await _stop(victim, how)
        stopped_at = time.monotonic()
    goes_on_s = await _goes_on_after(bench, run_id, victim, stopped_at)
    await _check(bench, run_id, case, before, victim if how == "freeze" else None)
    return goes_on_s, time.monotonic() - stopped_at


@pytest.mark.chaos
@pytest.mark.parametrize("how", ["kill", "freeze"])
@pytest.mark.parametrize("case", DEEDS, ids=lambda case: case.act)
async def test_local_step_in_our_own_database(
    make_bench: MakeBench, start_replica: StartReplica, record: Record, case: Case, how: str
) -> None:
    """A local step is one transaction, and its only boundary is its commit."""
    bench = await make_bench(settings=RunSettings())
    await _prepare(bench, case)
    replicas = [await start_replica(bench, name) for name in ("a", "b")]
    run_id = await bench.file(await bench.plan(case.playbook, **case.parameters), state=RunState.PLANNED)
    async with bench.journal_blocked(run_id, await bench.position(run_id, case.act)) as blocker:
        await bench.approve(run_id)
        await bench.has_waiting(blocker)
        victim = await _owner(bench, run_id, replicas)
        await _stop(victim, how)
        stopped_at = time.monotonic()
    goes_on_s = await _goes_on_after(bench, run_id, victim, stopped_at)
    if case.sql:
        await bench.until(run_id, lambda _, steps: steps[1].state is StepState.DONE, timeout_s=60)
        await bench.sql("UPDATE ops.job_queue SET status = 'completed', locked_at = NULL")
    await _check(bench, run_id, case, 0, None)

    record(
        act=case.act, boundary="before the commit", how=how, goes_on_s=goes_on_s, done_s=time.monotonic() - stopped_at
    )
    assert goes_on_s <= GOES_ON_BETWEEN_ACTS_S


@pytest.mark.chaos
@pytest.mark.parametrize("how", ["kill", "freeze"])
@pytest.mark.parametrize("case", WAITS, ids=lambda case: case.act)
async def test_step_that_waits(
    make_bench: MakeBench, start_replica: StartReplica, record: Record, case: Case, how: str
) -> None:
    bench = await make_bench(settings=RunSettings(), SOAK_SECONDS="8")
    replicas = [await start_replica(bench, name) for name in ("a", "b")]
    await bench.worker_alive()
    async with bench.heartbeats_blocked() if case.act == "VerifyHeartbeats" else contextlib.nullcontext():
        run_id = await bench.file_command(case.playbook, **case.parameters)
        position = await bench.position(run_id, case.act)
        await bench.until(run_id, lambda _, steps: steps[position].state is StepState.RUNNING, timeout_s=60)
        victim = await _owner(bench, run_id, replicas)
        await _stop(victim, how)
        stopped_at = time.monotonic()
    goes_on_s = await _goes_on_after(bench, run_id, victim, stopped_at)
    await _check(bench, run_id, case, 0, victim if how == "freeze" else None)

    record(act=case.act, boundary="while it waits", how=how, goes_on_s=goes_on_s, done_s=time.monotonic() - stopped_at)
    assert goes_on_s <= GOES_ON_BETWEEN_ACTS_S


async def _prepare(bench: Bench, case: Case) -> None:
    if case.sql:
        await bench.sql(case.sql)
    if case.first:
        playbook, parameters = case.first
        bench.start_runner()
        run, _ = await bench.ended(await bench.file_command(playbook, **parameters), timeout_s=60)
        assert run.state is RunState.SUCCEEDED, run.outcome
        await bench.stop_runners()


async def _check(bench: Bench, run_id: int, case: Case, before: int, frozen: Replica | None) -> None:
    """Check that the run succeeded, each mutation was sent once, and the thread has one note, also after SIGCONT."""
    run, steps = await bench.ended(run_id, timeout_s=90)
    assert run.state is RunState.SUCCEEDED, (run.outcome, steps)
    sent = bench.wire.mutations[before:]
    if frozen is not None:
        frozen.signal(signal.SIGCONT)
        await asyncio.sleep(RunSettings().check_every_s * 2)
    assert bench.wire.mutations[before:] == sent
    assert case.mutation == "" or sent.count(case.mutation) == 1, sent
    assert case.act != "ApplySqlFile" or await bench.sql(APPLIED, VERSION) == [(0,)]
    assert len(await bench.notes(run_id)) == 1
    assert await bench.read(run_id) == (run, steps)


async def _owner(bench: Bench, run_id: int, replicas: list[Replica]) -> Replica:
    ((owner,),) = await bench.sql("SELECT owner FROM chatops.leases WHERE name = %s", f"run:{run_id}")
    return next(replica for replica in replicas if owner.startswith(f"{replica.name}:"))


async def _stop(victim: Replica, how: str) -> None:
    if how == "kill":
        await victim.kill()
    else:
        victim.signal(signal.SIGSTOP)


async def _goes_on_after(bench: Bench, run_id: int, victim: Replica, stopped_at: float) -> float:
    """Return the seconds until another replica holds the run."""
    lease = "SELECT owner FROM chatops.leases WHERE name = %s"
    async with asyncio.timeout(60):
        while (await bench.sql(lease, f"run:{run_id}"))[0][0].startswith(f"{victim.name}:"):
            await asyncio.sleep(0.05)
    return time.monotonic() - stopped_at
