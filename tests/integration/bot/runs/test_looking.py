"""Intervals at which a replica polls for runs: long while none is open and notices arrive, otherwise short."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from services.clients.postgres import leases
from services.domain.runs import RunState, run_lease
from tests.integration.bot.runs.conftest import QUICK, Bench

NEVER = replace(QUICK, check_when_quiet_s=3600)


async def test_a_wake_up_starts_a_run_at_once(bench: Bench) -> None:
    bench.start_runner(NEVER, has_notices=True)
    run_id = await bench.file_command("scale", service="ingest", to="0")

    bench.wake_runners()

    run, _ = await bench.ended(run_id)
    assert run.state is RunState.SUCCEEDED


async def test_runner_finds_an_approved_run_without_notices(bench: Bench) -> None:
    bench.start_runner(NEVER, has_notices=False)

    run, _ = await bench.ended(await bench.file_command("scale", service="ingest", to="0"))

    assert run.state is RunState.SUCCEEDED


async def test_a_run_of_another_replica_is_kept_in_sight_though_its_death_wakes_no_one(bench: Bench) -> None:
    run_id = await bench.file_command("scale", service="ingest", to="0")
    async with bench.database.transaction() as conn:
        await leases.take_lease(conn, name=run_lease(run_id), owner="dying", duration=timedelta(seconds=1))
    bench.start_runner(NEVER, has_notices=True)

    run, _ = await bench.ended(run_id)

    assert run.state is RunState.SUCCEEDED
