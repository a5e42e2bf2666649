"""Reads the facts of `playbooks.scale`."""

from __future__ import annotations

import asyncio

from bot.facts._world import World
from bot.facts.changes._load import gather_load
from playbooks.scale import Facts


async def gather_scale(world: World, environment: str) -> Facts:
    async with asyncio.TaskGroup() as group:
        states = group.create_task(world.railway_services())
        load = group.create_task(gather_load(world))
        connections = group.create_task(world.connections())
    return Facts(environment, states.result(), load.result(), connections.result(), world.settings.changing.soak_s)
