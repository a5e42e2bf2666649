"""`health` takes as long as its slowest source, whichever it is and whatever is wrong with it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from functools import partial

import psycopg
import pytest

from bot.commands.dispatch import run
from bot.types import Request
from bot.world import World
from services.clients.dragonfly_api.client import DragonflyApi
from services.clients.postgres.operated import read_heartbeats
from tests.benchmarks.conftest import Stage
from tests.benchmarks.measuring import median, ms, seconds, show

AIM_S = 0.150  # above the slowest source
SHORT_TIMEOUT_S = 1.0


@dataclass(frozen=True)
class Case:
    """One case: the delay of each source, and how often it is measured."""

    name: str
    api_s: float = 0.0
    railway_s: float = 0.0
    queue_is_locked: bool = False
    timeout_s: float = 5.0
    rounds: int = 3


CASES = (
    Case("nothing is slow", rounds=20),
    Case("API answers after 0.5 s", api_s=0.5),
    Case("API answers after 2 s", api_s=2.0, rounds=2),
    Case("API and Railway answer after 0.5 s", api_s=0.5, railway_s=0.5),
    Case("API does not answer within 1 s", api_s=3.0, timeout_s=SHORT_TIMEOUT_S),
    Case("Railway does not answer within 1 s", railway_s=3.0, timeout_s=SHORT_TIMEOUT_S),
    Case("job queue is locked, 1 s", queue_is_locked=True, timeout_s=SHORT_TIMEOUT_S),
)


@pytest.mark.benchmark
async def test_health_takes_no_longer_than_its_slowest_source(stage: Stage) -> None:
    await stage.beat("ingest-1", "ingest_processor")
    await stage.beat("enforcement-1", "enforcement_engine")
    measured = [(case, *await _measure(stage, case)) for case in CASES]

    show(
        f"health and its slowest source, medians (aim: at most {ms(AIM_S)} more)",
        *[
            (case.name, f"{ms(total)} - {ms(slowest)} = {ms(total - slowest)}  ({total / slowest:.2f} x)")
            for case, total, slowest in measured
        ],
    )
    for case, total, slowest in measured:
        assert total - slowest <= 2 * AIM_S, case.name


async def _measure(stage: Stage, case: Case) -> tuple[float, float]:
    """Return the seconds that `health` takes, and that its slowest source takes alone; both medians."""
    stage.outside.api_delay_s, stage.outside.railway_delay_s = case.api_s, case.railway_s
    world = World.from_settings(replace(stage.settings(), source_timeout_s=case.timeout_s))
    try:
        async with _locked_queue(stage, wanted=case.queue_is_locked):
            await run("health", Request(), world)  # connects
            totals, slowest = [], []
            for _ in range(case.rounds):
                totals.append(await seconds(lambda: run("health", Request(), world)))
                slowest.append(await _slowest_s(world))
    finally:
        await world.close()
    return median(totals), median(slowest)


async def _slowest_s(world: World) -> float:
    """Ask the sources one after the other, so that none waits for another; return the longest time."""
    intake = partial(world.ask_api, DragonflyApi.read_intake_health)
    beats = partial(world.read, read_heartbeats)
    sources = (world.api_health, intake, world.server, world.migrations, beats, world.queue, world.railway_services)
    return max([await seconds(source) for source in sources])


@contextlib.asynccontextmanager
async def _locked_queue(stage: Stage, *, wanted: bool) -> AsyncIterator[None]:
    """Lock the queue as a careless migration does."""
    if not wanted:
        yield
        return
    async with await psycopg.AsyncConnection.connect(stage.database.owner) as conn:
        await conn.execute("LOCK TABLE ops.job_queue IN ACCESS EXCLUSIVE MODE")
        yield
