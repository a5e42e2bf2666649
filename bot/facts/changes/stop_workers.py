"""Reads the facts of `playbooks.stop_workers`: quickly, and without the database if it must be."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from bot.facts._world import World
from bot.facts.changes._load import gather_load
from bot.settings import RailwaySettings
from playbooks._load import Load
from playbooks.stop_workers import Facts
from services.domain.errors import Unavailable
from services.railway.links import project_link
from services.railway.reader import Purpose, at_least

PATIENCE_S = 1.5


async def gather_stop_workers(world: World, environment: str) -> Facts:
    async with asyncio.TaskGroup() as group:
        states = group.create_task(world.railway_services())
        load = group.create_task(_gather_load_quickly(world))
    facts = Facts(environment, states.result(), load.result(), _dashboard(world))
    return await _with_last_known(world, facts, facts.states) if isinstance(facts.states, Unavailable) else facts


async def _with_last_known(world: World, facts: Facts, refused: Unavailable) -> Facts:
    """What was known last, because each stop reads again what is active. Nothing known: ask Railway all the same."""
    known = world.last_railway_services()
    if known is not None:
        return replace(facts, states=known.services, outdated=refused, age=known.age)
    with at_least(Purpose.EMERGENCY):
        return replace(facts, states=await world.railway_services())


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
