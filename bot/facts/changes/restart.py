"""Reads the facts of `playbooks.restart`."""

from __future__ import annotations

import asyncio

from bot.facts._world import World
from bot.facts.changes._load import gather_load
from playbooks.restart import Facts


async def gather_restart(world: World, environment: str) -> Facts:
    async with asyncio.TaskGroup() as group:
        states = group.create_task(world.railway_services())
        load = group.create_task(gather_load(world))
    return Facts(environment, states.result(), load.result())
