"""Reads the facts of `playbooks.golden_path`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from bot.facts._world import BATCHES, World
from bot.facts.changes._load import gather_load
from bot.facts.golden_path import read_sample_file
from bot.facts.journal import read_open_runs
from bot.settings import ApiSettings
from playbooks.golden_path import MOST_CLEANED, NAME, Facts
from services.domain.errors import Unavailable
from services.domain.golden_path import GoldenBatch
from services.domain.runs import Run, RunState
from services.postgres.golden_path import list_golden_batches
from services.postgres.pool import Connection


async def gather_golden_path(world: World, environment: str) -> Facts:
    async with asyncio.TaskGroup() as group:
        api = group.create_task(world.api_health())
        load = group.create_task(gather_load(world))
        left = group.create_task(
            world.read_all_rows(lambda conn: list_golden_batches(conn, limit=MOST_CLEANED), BATCHES)
        )
        open_runs = group.create_task(read_open_runs(world))
    settings = world.settings.api
    return Facts(
        environment=environment,
        api=api.result(),
        has_key=isinstance(settings, ApiSettings) and settings.api_key is not None,
        load=load.result(),
        sample=read_sample_file(),
        left=left.result(),
        under_way=_under_way(open_runs.result()),
    )


async def _list_left(conn: Connection) -> list[GoldenBatch]:
    return await list_golden_batches(conn, limit=MOST_CLEANED)


def _under_way(runs: Sequence[Run] | Unavailable) -> list[int] | Unavailable:
    """Those that upload; one that cleans has no batch of its own."""
    if isinstance(runs, Unavailable):
        return runs
    started = (RunState.RUNNING, RunState.UNKNOWN)
    own = (run for run in runs if run.playbook == NAME and "clean" not in run.parameters)
    return [run.id for run in own if run.state in started]
