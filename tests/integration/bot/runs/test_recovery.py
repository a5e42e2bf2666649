"""Replicas that die or freeze at a boundary of a step; another one, already running, continues. A sample with short
leases; `make chaos` has every boundary of every act with the real ones."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import replace

import pytest

from services.domain.runs import RunState, StepState, is_proved
from tests.conftest import DatabaseUrls
from tests.integration.bot.runs.conftest import BOUNDARIES, QUICK, Bench, MakeBench, StartReplica
from tests.integration.conftest import Pooled
from tests.wire import Suppression, Where

INGEST = "dragonfly-worker-ingest"
SCALE_STEP = 2  # of "scale ingest 2": after the checks of the database and of the running worker


@pytest.mark.parametrize("boundary", BOUNDARIES)
async def test_killed_at_a_boundary(bench: Bench, start_replica: StartReplica, boundary: str) -> None:
    run_id = await bench.file_command("scale", service="ingest", to="2")

    def hold(where: Where) -> Suppression:
        return bench.wire.hold("commitPatch", where, lose=where == "before")

    async with bench.at(boundary, run_id, "ScaleService", hold) as reached:
        victim = await start_replica(bench, "victim")
        await reached()
        bench.start_runner()
        await victim.kill()

    run, steps = await bench.ended(run_id)

    assert is_proved(run.state, steps), steps
    assert bench.wire.mutations == ["commitPatch"]
    assert len(await bench.notes(run_id)) == 1
    assert sum(bench.railway.find_service(INGEST).regions.values()) == 2


async def test_frozen_replica_does_nothing_more_when_it_wakes_up(bench: Bench, start_replica: StartReplica) -> None:
    run_id = await bench.file_command("scale", service="ingest", to="2")
    async with bench.journal_blocked(run_id, SCALE_STEP) as blocker:
        victim = await start_replica(bench, "victim")
        await bench.has_waiting(blocker)
        victim.signal(signal.SIGSTOP)
    bench.start_runner()

    run, steps = await bench.ended(run_id)
    victim.signal(signal.SIGCONT)
    await asyncio.sleep(bench.settings.act_lease_s / 2)

    assert run.state is RunState.SUCCEEDED, (run.outcome, steps)
    assert bench.wire.mutations == ["commitPatch"]
    assert await bench.read(run_id) == (run, steps)


async def test_clock_that_steps_forward_hands_nothing_over_before_a_call_has_landed(bench: Bench) -> None:
    """The lease looks expired while its holder's call is under way: a successor does not believe that it is lost."""
    run_id = await bench.file_command("scale", service="ingest", to="2")
    hold = bench.wire.hold("commitPatch", "before")
    bench.start_runner()
    await hold.reached.wait()
    lapse = "UPDATE chatops.leases SET until = clock_timestamp() - interval '1 hour'"
    await bench.sql(lapse)
    lease = "SELECT epoch FROM chatops.leases WHERE name = %s"
    bench.start_runner()
    async with asyncio.timeout(30):
        while await bench.sql(lease, f"run:{run_id}") == [(1,)]:
            await bench.sql(f"{lapse} WHERE epoch = 1")  # its holder may have renewed it before the successor's poll
            await asyncio.sleep(0.02)
            bench.wake_runners()

    await asyncio.sleep(bench.settings.settle_s * 2)  # longer than "not applied" usually takes to be believed
    hold.release()

    run, steps = await bench.ended(run_id)
    assert run.state is RunState.SUCCEEDED, (run.outcome, steps)
    assert bench.wire.mutations == ["commitPatch"]


async def test_call_that_could_outlive_its_lease_is_not_sent(make_bench: MakeBench) -> None:
    settings = replace(QUICK, act_lease_s=2.0, call_timeout_s=3.0, patience_s=0.5)
    bench = await make_bench(settings=settings)
    run_id = await bench.file_command("scale", service="ingest", to="2")
    bench.start_runner()

    run, steps = await bench.ended(run_id)

    assert (run.state, bench.wire.mutations) == (RunState.FAILED, [])
    assert "it was not sent" in (steps[SCALE_STEP].note or "")


async def test_only_replica_is_restarted_while_it_waits(bench: Bench, start_replica: StartReplica) -> None:
    """SIGTERM hands the run over immediately: no replica waits for a lease to expire."""
    run_id = await bench.file_command("scale", service="ingest", to="2")
    victim = await start_replica(bench, "victim")
    await bench.until(run_id, lambda _, steps: steps[4].state is StepState.RUNNING)
    victim.signal(signal.SIGTERM)
    await victim.process.wait()
    lease = "SELECT until <= clock_timestamp() FROM chatops.leases WHERE name = %s"
    assert await bench.sql(lease, f"run:{run_id}") == [(True,)]

    bench.start_runner()
    run, steps = await bench.ended(run_id)

    assert run.state is RunState.SUCCEEDED, (run.outcome, steps)
    assert bench.wire.mutations == ["commitPatch"]


async def test_goes_on_through_a_transaction_pooler(
    make_bench: MakeBench, database_urls: DatabaseUrls, pooled: Pooled, start_replica: StartReplica
) -> None:
    bench = await make_bench(dsn=pooled(database_urls.bot))
    run_id = await bench.file_command("scale", service="ingest", to="2")
    hold = bench.wire.hold("commitPatch", "after")
    victim = await start_replica(bench, "victim")
    await hold.reached.wait()
    bench.start_runner()
    await victim.kill()
    hold.release()

    run, steps = await bench.ended(run_id)

    assert run.state is RunState.SUCCEEDED, (run.outcome, steps)
    assert bench.wire.mutations == ["commitPatch"]
    await bench.stop_runners()
    await bench.database.close()  # before the pooler's session, whose database is dropped next
