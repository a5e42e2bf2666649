"""The delay before an approved run's first act, the cost of a step, and an idle replica's load on the database."""

from __future__ import annotations

import asyncio
import time

import pytest

from bot.config.timing import RunSettings
from playbooks.model import Risk
from playbooks.plan import Plan
from playbooks.steps import CheckDatabaseReady
from services.domain.runs import RunState
from tests.benchmarks.measuring import ms, percentile, show
from tests.integration.bot.runs.conftest import Bench, MakeBench
from tests.integration.bot.runs.conftest import make_bench as make_bench
from tests.integration.bot.runs.conftest import pace as pace
from tests.integration.bot.runs.conftest import railway as railway
from tests.integration.bot.runs.conftest import sql_directory as sql_directory
from tests.integration.bot.runs.conftest import wire as wire

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(300)]

ROUNDS, STEPS, IDLE_S = 40, 40, 10.0
AIM_S = 1.0


async def test_pace(make_bench: MakeBench) -> None:
    bench = await make_bench(settings=RunSettings(poll_every_s=0.05))

    async def first_act() -> float:
        """Seconds from the last needed click, whose replica wakes its runner, to the first mutation sent to Railway."""
        bench.railway.find_service("dragonfly-api").auto_deploy = False
        plan = await bench.plan("unlock", service="api", reason="benchmark")
        run_id = await bench.file(plan, state=RunState.PLANNED)
        hold = bench.wire.hold("setAutoDeploy", "before")
        await bench.approve(run_id)
        bench.wake_runners()
        clicked_at = time.perf_counter()
        await hold.reached.wait()
        took_s = time.perf_counter() - clicked_at
        hold.release()
        await bench.ended(run_id)
        return took_s

    queries, sessions = await _idle(bench)
    firsts = [await first_act() for _ in range(ROUNDS)]
    per_step_s = await _cost_of_a_step(bench)

    show(
        "runs",
        ("last click → first mutation, p50", ms(percentile(firsts, 50))),
        ("last click → first mutation, p99", ms(percentile(firsts, 99))),
        ("one step that only looks, journal, audit and message included", ms(per_step_s)),
        ("transactions a second of an idle replica", f"{queries:.1f}"),
        ("sessions of an idle replica", str(sessions)),
    )
    assert percentile(firsts, 99) <= AIM_S


async def _cost_of_a_step(bench: Bench) -> float:
    # A break-glass run is not planned again, so its plan can consist of checks only.
    plan = Plan("prod", "restart", {}, (CheckDatabaseReady(),) * STEPS, Risk.BREAK_GLASS, "Look")
    run, steps = await bench.ended(await bench.file(plan))
    assert run.state is RunState.SUCCEEDED
    assert steps[0].started_at is not None
    assert run.ended_at is not None
    return (run.ended_at - steps[0].started_at).total_seconds() / STEPS


async def _idle(bench: Bench) -> tuple[float, int]:
    """Start a replica; return its transactions per second and its sessions. It keeps running."""
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'dragonfly-bot'"
    alone = await _transactions_a_second(bench)
    bench.start_runner()
    await asyncio.sleep(1)
    together = await _transactions_a_second(bench)
    ((count,),) = await bench.sql(sessions)
    return together - alone, count


async def _transactions_a_second(bench: Bench) -> float:
    used = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
    ((before,),) = await bench.sql(used)
    await asyncio.sleep(IDLE_S)
    ((after,),) = await bench.sql(used)
    return float(after - before) / IDLE_S
