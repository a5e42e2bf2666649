"""Approved runs, executed from end to end."""

from __future__ import annotations

import pytest

from services.domain.runs import RunState, StepState, is_proved
from tests.integration.bot.runs.conftest import PATIENT, Bench, MakeBench

INGEST = "dragonfly-worker-ingest"
ENDED = "INSERT INTO ops.job_queue (job_type, status) SELECT 'csv', %s FROM generate_series(1, 20)"


@pytest.fixture
async def bench(make_bench: MakeBench) -> Bench:
    """A bench on which no answer is lost: it waits for a late one, because a second call would be counted."""
    return await make_bench(settings=PATIENT)


async def test_scales_one_more_and_proves_it(bench: Bench) -> None:
    run_id = await bench.file_command("scale", service="ingest", to="2")
    bench.start_runner()

    run, steps = await bench.ended(run_id)

    assert is_proved(run.state, steps), steps
    assert sum(bench.railway.find_service(INGEST).regions.values()) == 2
    assert bench.wire.mutations == ["commitPatch"]


async def test_stops_and_starts_a_worker(bench: Bench) -> None:
    bench.start_runner()
    stopped, _ = await bench.ended(await bench.file_command("scale", service="ingest", to="0"))
    ingest = bench.railway.find_service(INGEST)
    assert stopped.state is RunState.SUCCEEDED, stopped.outcome
    assert ingest.active is not None
    assert ingest.active.is_stopped

    started, steps = await bench.ended(await bench.file_command("scale", service="ingest", to="1"))

    assert is_proved(started.state, steps), steps
    assert sum(replica.is_running for replica in ingest.active.replicas) == 1
    assert bench.wire.mutations == ["stop", "redeploy"]


async def test_rolls_everything_back_and_locks_it(bench: Bench) -> None:
    bench.start_runner()
    old = bench.railway.commits[1].sha

    run, steps = await bench.ended(await bench.file_command("rollback", service="all", to=old[:8]))

    assert is_proved(run.state, steps), steps
    actives = [service.active for service in bench.railway.services.values()]
    assert {active.commit.sha for active in actives if active} == {old}
    assert not any(service.auto_deploy for service in bench.railway.services.values())
    assert await bench.sql("SELECT count(*) FROM chatops.service_locks WHERE owner = %s", "U0OLIVIA") == [(3,)]
    assert bench.wire.mutations == ["setAutoDeploy"] * 3 + ["rollBack"] * 3


async def test_unlock_lifts_lock_and_freeze_together(bench: Bench) -> None:
    bench.start_runner()
    old = bench.railway.commits[1].sha[:8]
    await bench.ended(await bench.file_command("rollback", service="ingest", to=old))

    run, _ = await bench.ended(await bench.file_command("unlock", service="ingest", reason="mended"))

    assert run.state is RunState.SUCCEEDED
    assert bench.railway.find_service(INGEST).auto_deploy
    assert await bench.sql("SELECT count(*) FROM chatops.service_locks") == [(0,)]


async def test_restarts_redeploys_and_deploys(bench: Bench) -> None:
    bench.start_runner()
    sha = bench.railway.commits[2].sha
    commands = [
        ("restart", {"service": "ingest"}),
        ("redeploy", {"service": "ingest"}),
        ("deploy", {"service": "api", "sha": bench.railway.commits[0].sha}),
    ]
    for playbook, parameters in commands:
        run, steps = await bench.ended(await bench.file_command(playbook, **parameters))
        assert run.state is RunState.SUCCEEDED, (playbook, run.outcome, steps)

    assert bench.wire.mutations == ["restart", "redeploy", "deployCommit"]
    ingest, api = bench.railway.find_service(INGEST).active, bench.railway.find_service("dragonfly-api").active
    assert ingest is not None
    assert api is not None
    assert (ingest.commit.sha, api.commit.sha) == (sha, bench.railway.commits[0].sha)


async def test_stops_the_workers_at_once_and_takes_over_from_a_scale(bench: Bench) -> None:
    hold = bench.wire.hold("commitPatch", "after")
    scale_id = await bench.file_command("scale", service="ingest", to="2")
    bench.start_runner()
    await hold.reached.wait()

    run, steps = await bench.ended(await bench.file_command("stop-workers", service="workers", reason="damage"))
    hold.release()

    assert run.state is RunState.SUCCEEDED, (run.outcome, steps)
    actives = [service.active for name, service in bench.railway.services.items() if "worker" in name]
    assert all(active and active.is_stopped for active in actives)
    scale, _ = await bench.read(scale_id)
    assert scale.state is RunState.CANCELLED
    assert f"run {run.id}" in (scale.outcome or "")


async def test_crashing_replica_is_taken_back(bench: Bench) -> None:
    """The soak's guard: fewer workers send heartbeats than should, so the run goes back and says why."""
    run_id = await bench.file_command("scale", service="ingest", to="2")
    await bench.sql(ENDED, "completed")
    hold = bench.wire.hold("commitPatch", "after")
    bench.start_runner()
    await hold.reached.wait()
    hold.release()
    await bench.until(run_id, lambda _, steps: steps[4].state is StepState.RUNNING)
    await bench.sql(ENDED, "failed")

    run, steps = await bench.ended(run_id)

    assert run.state is RunState.FAILED
    assert "of the jobs fail" in (steps[4].note or "")
    assert "set to 1 replica" in (steps[4].note or "")
    assert sum(bench.railway.find_service(INGEST).regions.values()) == 1


async def test_requeues_jobs_and_watches_them(bench: Bench) -> None:
    (job_id,) = (await bench.sql("INSERT INTO ops.job_queue (job_type, status) VALUES ('csv', 'failed') RETURNING id"))[
        0
    ]
    run_id = await bench.file_command("requeue", what=str(job_id))
    bench.start_runner()
    await bench.until(run_id, lambda _, steps: steps[2].state is StepState.RUNNING)
    assert await bench.sql("SELECT status FROM ops.job_queue") == [("pending",)]

    await bench.sql("UPDATE ops.job_queue SET status = 'completed'")
    run, steps = await bench.ended(run_id)

    assert run.state is RunState.SUCCEEDED, (run.outcome, steps)


async def test_worker_that_dies_during_the_soak_is_no_success(make_bench: MakeBench) -> None:
    """Its last heartbeat is fresh until long after the soak; Railway knows at once."""
    bench = await make_bench(SOAK_SECONDS="3")
    run_id = await bench.file_command("scale", service="ingest", to="2")
    bench.start_runner()
    _, steps = await bench.until(run_id, lambda _, steps: steps[4].state is StepState.RUNNING)
    active = bench.railway.find_service(INGEST).active
    assert active is not None
    bench.railway.kill(active.replicas[0].id)

    run, steps = await bench.ended(run_id)

    assert run.state is RunState.FAILED
    assert "1 instance crashed (Railway)" in (steps[4].note or "")
