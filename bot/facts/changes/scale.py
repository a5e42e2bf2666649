"""Reads the facts of `playbooks.scale`."""

from __future__ import annotations

import asyncio

from bot.facts._world import World
from bot.facts.changes._load import gather_load
from playbooks.scale import Facts
from services.domain.errors import Unavailable
from services.domain.services import Service
from services.domain.sessions import CONCURRENCY, POOL_SIZE, sessions_per_replica


async def gather_scale(world: World, environment: str, service: Service) -> Facts:
    async with asyncio.TaskGroup() as group:
        states = group.create_task(world.railway_services())
        load = group.create_task(gather_load(world))
        connections = group.create_task(world.connections())
        sessions = group.create_task(_read_sessions(world, service))
    return Facts(
        environment,
        states.result(),
        load.result(),
        connections.result(),
        sessions.result(),
        world.settings.changing.soak_s,
    )


async def _read_sessions(world: World, service: Service) -> int | Unavailable:
    """Of all variables only those that a pool is made by are looked into."""
    variables = await world.variables(service)
    if isinstance(variables, Unavailable):
        return variables
    wanted = {name: value.reveal() for name, value in variables.items() if name.upper() in (POOL_SIZE, CONCURRENCY)}
    return sessions_per_replica(service, wanted)
