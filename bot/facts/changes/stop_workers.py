"""Reads the facts of `playbooks.stop_workers`: quickly, and without the database if it must be."""

from __future__ import annotations

import asyncio

from bot.facts._world import World
from bot.facts.changes._load import gather_load
from bot.settings import RailwaySettings
from playbooks._load import Load
from playbooks.stop_workers import Facts
from services.domain.errors import Unavailable
from services.railway.links import project_link

PATIENCE_S = 1.5


async def gather_stop_workers(world: World, environment: str) -> Facts:
    async with asyncio.TaskGroup() as group:
        states = group.create_task(world.railway_services())
        load = group.create_task(_gather_load_quickly(world))
    return Facts(environment, states.result(), load.result(), _dashboard(world))


async def _gather_load_quickly(world: World) -> Load:
    """What is shown must not hold up the stop: a database that is slow now is one that does not tell."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await gather_load(world)
    except TimeoutError:
        late = Unavailable("database", f"no answer within {PATIENCE_S:g} s")
        return Load(world.settings.stale_after, queue=late, running=late, beats=late)


def _dashboard(world: World) -> str | None:
    railway = world.settings.railway
    if not isinstance(railway, RailwaySettings):
        return None
    return project_link(railway.project_id, railway.environment_id)
